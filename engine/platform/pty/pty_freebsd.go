package pty

import (
	"bytes"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fiodgname is FIODGNAME, sys/filio.h: the device's name into a caller's buffer.
const fiodgname = 0x80106678

type fiodgnameArg struct {
	len int32
	buf *byte
}

// Open makes a pseudo-terminal with the credentials of this process: inside a jail only a terminal that was opened there is
// visible. Both ends are blocking and closed on exec.
func Open() (master, terminal *os.File, err error) {
	m, _, errno := unix.Syscall(unix.SYS_POSIX_OPENPT, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return nil, nil, os.NewSyscallError("posix_openpt", errno)
	}
	master = os.NewFile(m, "ptmx")
	var name [64]byte
	arg := fiodgnameArg{len: int32(len(name)), buf: &name[0]}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, m, fiodgname, uintptr(unsafe.Pointer(&arg))); errno != 0 {
		master.Close()
		return nil, nil, os.NewSyscallError("ioctl FIODGNAME", errno)
	}
	path := "/dev/" + string(name[:max(bytes.IndexByte(name[:], 0), 0)])
	s, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		master.Close()
		return nil, nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return master, os.NewFile(uintptr(s), path), nil
}
