package iov

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call makes a system call that takes an iovec array, its length and flags, as jail_set(2), jail_get(2) and nmount(2) do. It
// returns the call's value.
func Call(trap uintptr, l List, flags int) (int, error) {
	flat := l.Flatten()
	vec := make([]unix.Iovec, len(flat))
	var pins runtime.Pinner
	defer pins.Unpin()
	for i, b := range flat {
		if len(b) == 0 {
			continue
		}
		pins.Pin(&b[0])
		vec[i].Base = &b[0]
		vec[i].SetLen(len(b))
	}
	n, _, errno := unix.Syscall(trap, uintptr(unsafe.Pointer(&vec[0])), uintptr(len(vec)), uintptr(flags))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
