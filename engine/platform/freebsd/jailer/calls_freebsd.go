package jailer

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// idPID is P_PID of sys/wait.h.
const idPID = 0

// procctl asks or tells about this process.
func procctl(cmd int, data *int32) error {
	_, _, errno := unix.Syscall6(unix.SYS_PROCCTL, idPID, uintptr(os.Getpid()), uintptr(cmd), uintptr(unsafe.Pointer(data)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// loaded reports whether a module or kernel file of a name is there, linked into the kernel or by kldload(8).
func loaded(name string) bool {
	b, err := unix.BytePtrFromString(name)
	if err != nil {
		return false
	}
	if _, _, errno := unix.Syscall(unix.SYS_MODFIND, uintptr(unsafe.Pointer(b)), 0, 0); errno == 0 {
		return true
	}
	_, _, errno := unix.Syscall(unix.SYS_KLDFIND, uintptr(unsafe.Pointer(b)), 0, 0)
	return errno == 0
}

// From sys/cpuset.h.
const (
	cpuLevelWhich = 3
	cpuWhichJail  = 5
)

// pin binds a jail to processors.
func pin(jid int, processors []int) error {
	if len(processors) == 0 {
		return nil
	}
	mask := make([]byte, max(int(processors[len(processors)-1])/64+1, 4)*8) // CPU_SETSIZE is at least 256
	for _, p := range processors {
		mask[p/8] |= 1 << (p % 8)
	}
	_, _, errno := unix.Syscall6(unix.SYS_CPUSET_SETAFFINITY, cpuLevelWhich, cpuWhichJail, uintptr(jid), uintptr(len(mask)), uintptr(unsafe.Pointer(&mask[0])), 0)
	if errno != 0 {
		return fmt.Errorf("bind to processors %v: %w", processors, errno)
	}
	return nil
}

// procs lists the processes of some jails.
func procs(jids ...int) ([]proc, error) {
	b, err := unix.SysctlRaw("kern.proc.proc")
	for range 4 {
		if err != unix.ENOMEM {
			break
		}
		b, err = unix.SysctlRaw("kern.proc.proc") // more came between its two calls
	}
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all, err := parseProcs(b)
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, p := range all {
		for _, jid := range jids {
			if p.jid == jid {
				kept = append(kept, p)
			}
		}
	}
	return kept, nil
}
