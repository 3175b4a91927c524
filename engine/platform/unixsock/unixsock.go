// Package unixsock reaches Unix-domain sockets in directories whose paths are longer than a socket address holds (103 bytes
// on FreeBSD, 107 on Linux), and makes connected pairs to be inherited.
package unixsock

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// Dial connects to the stream socket name in dir. Nobody listening is ECONNREFUSED, no socket ENOENT, both as os errors.
func Dial(ctx context.Context, dir, name string) (*net.UnixConn, error) {
	path := filepath.Join(dir, name)
	if len(path) <= maxPath {
		return dialPath(ctx, path)
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return DialAt(ctx, d, name)
}

// DialAt connects to the stream socket name in an open directory, which alone must let this process's user in.
func DialAt(ctx context.Context, dir *os.File, name string) (*net.UnixConn, error) {
	if len(name) > maxPath/2 {
		return nil, fmt.Errorf("socket name %q: %w", name, unix.ENAMETOOLONG)
	}
	return dialAt(ctx, dir, name)
}

func dialPath(ctx context.Context, path string) (*net.UnixConn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// ListenAt binds a socket of that type, unix.SOCK_STREAM or unix.SOCK_DGRAM, to a name in an open directory; one of streams
// listens. The name is free and without a slash, and is not removed when the file is closed.
func ListenAt(dir *os.File, name string, kind int) (*os.File, error) {
	if len(name) > maxPath/2 {
		return nil, fmt.Errorf("socket name %q: %w", name, unix.ENAMETOOLONG)
	}
	s, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(s), name)
	err = os.NewSyscallError("bind", bindAt(s, dir, name))
	if err == nil && kind == unix.SOCK_STREAM {
		err = os.NewSyscallError("listen", unix.Listen(s, backlog))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// backlog is how many connections wait to be accepted; FreeBSD bounds it by kern.ipc.soacceptqueue, 128.
const backlog = 128

// Pair makes two connected stream sockets: a connection for this process, and a file for a child to inherit.
func Pair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "socketpair")
	c, err := Conn(os.NewFile(uintptr(fds[0]), "socketpair"))
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return c, theirs, nil
}

// Conn makes a connection of a stream socket's file and closes the file.
func Conn(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("%s: not a unix socket", f.Name())
	}
	return u, nil
}
