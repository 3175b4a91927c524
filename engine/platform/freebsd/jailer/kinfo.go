package jailer

import (
	"encoding/binary"
	"errors"
	"time"
)

// Offsets in struct kinfo_proc (sys/user.h) of the 64-bit systems. The kernel keeps its layout.
const (
	kinfoSize     = 1088
	kinfoPid      = 72
	kinfoResident = 264 // pages
	kinfoRuntime  = 328 // microseconds
	kinfoChildren = 352 // struct timeval
	kinfoState    = 388
	kinfoJID      = 592
	stateZombie   = 5 // sys/proc.h: SZOMB
)

// proc is a process as the kernel lists it.
type proc struct {
	pid, jid int
	pages    uint64        // resident
	used     time.Duration // of processors, by it and by the children it waited for
	zombie   bool
}

var errKinfo = errors.New("this kernel's list of processes has another form")

// parseProcs decodes kern.proc.proc.
func parseProcs(b []byte) ([]proc, error) {
	var all []proc
	for len(b) > 0 {
		if len(b) < kinfoSize || binary.NativeEndian.Uint32(b) != kinfoSize {
			return nil, errKinfo
		}
		children := time.Duration(binary.NativeEndian.Uint64(b[kinfoChildren:]))*time.Second +
			time.Duration(binary.NativeEndian.Uint64(b[kinfoChildren+8:]))*time.Microsecond
		all = append(all, proc{
			pid: int(int32(binary.NativeEndian.Uint32(b[kinfoPid:]))), jid: int(int32(binary.NativeEndian.Uint32(b[kinfoJID:]))),
			pages:  binary.NativeEndian.Uint64(b[kinfoResident:]),
			used:   time.Duration(binary.NativeEndian.Uint64(b[kinfoRuntime:]))*time.Microsecond + children,
			zombie: b[kinfoState] == stateZombie,
		})
		b = b[kinfoSize:]
	}
	return all, nil
}
