package unixsock

import (
	"context"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dialAt uses connectat(2). A connect of a Unix-domain socket does not block, so that ctx only has to be asked before.
func dialAt(ctx context.Context, dir *os.File, name string) (*net.UnixConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(s), name)
	sa, size := address(name)
	_, _, errno := unix.Syscall6(unix.SYS_CONNECTAT, dir.Fd(), uintptr(s), uintptr(unsafe.Pointer(&sa)), size, 0, 0)
	if errno != 0 {
		f.Close()
		return nil, os.NewSyscallError("connectat", errno)
	}
	return Conn(f)
}
