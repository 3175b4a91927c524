// Package pty opens pseudo-terminals and sets their size.
package pty

import (
	"os"

	"golang.org/x/sys/unix"
)

// Resize sets a terminal's size through either of its ends. The kernel sends SIGWINCH to the foreground process group when
// it changed.
func Resize(f *os.File, rows, cols uint16) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Control(func(fd uintptr) {
		serr = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("ioctl TIOCSWINSZ", serr)
}
