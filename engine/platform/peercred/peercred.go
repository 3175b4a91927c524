// Package peercred tells who is at the other end of a unix socket.
package peercred

import (
	"fmt"
	"net"
)

// UID returns the user that connected, as the kernel noted it at connect time (unix(4) LOCAL_PEERCRED on FreeBSD, unix(7)
// SO_PEERCRED on Linux).
func UID(c net.Conn) (int, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("%T is not a unix socket", c)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var uid int
	var asked error
	if err := raw.Control(func(fd uintptr) { uid, asked = peer(int(fd)) }); err != nil {
		return 0, err
	}
	return uid, asked
}
