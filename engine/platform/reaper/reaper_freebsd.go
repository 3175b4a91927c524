package reaper

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RTMin and RTMax are the real-time signals' range, sys/signal.h.
const (
	RTMin = 65
	RTMax = 126
)

// From sys/procctl.h and sys/wait.h of FreeBSD 14.
const (
	idPID           = 0
	idAll           = 7
	procReapAcquire = 2
	procReapStatus  = 4
	procReapGetPids = 5
	pidInfoValid    = 1
	pidInfoChild    = 2
)

type reapStatus struct {
	flags, children, descendants uint32
	reaper, pid                  int32
	_                            [15]uint32
}

type reapPidInfo struct {
	pid, subtree int32
	flags        uint32
	_            [15]uint32
}

type reapPids struct {
	count uint32
	_     [15]uint32
	pids  *reapPidInfo
}

func procctl(cmd int, data unsafe.Pointer) error {
	_, _, errno := unix.Syscall6(unix.SYS_PROCCTL, idPID, uintptr(os.Getpid()), uintptr(cmd), uintptr(data), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func acquire() error { return procctl(procReapAcquire, nil) }

func wait6(idType, id, options int) (int, error) {
	pid, _, errno := unix.Syscall6(unix.SYS_WAIT6, uintptr(idType), uintptr(id), 0, uintptr(options), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(pid), nil
}

// peek waits until a child has ended and leaves it to be reaped.
func peek() (int, error) { return wait6(idAll, 0, unix.WEXITED|unix.WNOWAIT) }

func isChild(pid int) bool {
	_, err := wait6(idPID, pid, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG)
	return err == nil
}

// orphans lists the reaper's children that came of the ended child, and reports whether any descendant of it is left. The
// kernel remembers through which child each descends, also when that child has ended.
func orphans(ended int, _ map[int]bool) (pids []int, left bool, err error) {
	infos, err := descendants()
	for _, in := range infos {
		if int(in.subtree) != ended || int(in.pid) == ended {
			continue
		}
		left = true
		if in.flags&pidInfoChild != 0 {
			pids = append(pids, int(in.pid))
		}
	}
	return pids, left, err
}

func descendants() ([]reapPidInfo, error) {
	var st reapStatus
	if err := procctl(procReapStatus, unsafe.Pointer(&st)); err != nil {
		return nil, err
	}
	// More may come between the two calls; when the table is full a larger one is tried.
	for n := st.descendants + 16; ; n *= 2 {
		infos := make([]reapPidInfo, n)
		q := reapPids{count: n, pids: &infos[0]}
		if err := procctl(procReapGetPids, unsafe.Pointer(&q)); err != nil {
			return nil, err
		}
		valid := 0
		for valid < len(infos) && infos[valid].flags&pidInfoValid != 0 {
			valid++
		}
		if valid < len(infos) {
			return infos[:valid], nil
		}
	}
}
