package unixsock

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bindAt uses bindat(2).
func bindAt(s int, dir *os.File, name string) error {
	sa, size := address(name)
	_, _, errno := unix.Syscall6(unix.SYS_BINDAT, dir.Fd(), uintptr(s), uintptr(unsafe.Pointer(&sa)), size, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// address is the name as the kernel takes it, and the length of that.
func address(name string) (unix.RawSockaddrUnix, uintptr) {
	var sa unix.RawSockaddrUnix
	sa.Family = unix.AF_UNIX
	for i := range len(name) {
		sa.Path[i] = int8(name[i])
	}
	size := unsafe.Offsetof(sa.Path) + uintptr(len(name)) + 1
	sa.Len = uint8(size)
	return sa, size
}
