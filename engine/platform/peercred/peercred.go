// Package peercred tells who is at the other end of a unix socket.
package peercred

import (
	"fmt"
	"net"
)

// UID returns the user that connected, as the kernel noted it at connect time (unix(4) LOCAL_PEERCRED on FreeBSD, unix(7)
// SO_PEERCRED on Linux).
func UID(c net.Conn) (int, error) { return ask(c, peer) }

// ask asks the kernel about a connection.
func ask[T any](c net.Conn, question func(fd int) (T, error)) (T, error) {
	var answer T
	u, ok := c.(*net.UnixConn)
	if !ok {
		return answer, fmt.Errorf("%T is not a unix socket", c)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return answer, err
	}
	var asked error
	if err := raw.Control(func(fd uintptr) { answer, asked = question(int(fd)) }); err != nil {
		return answer, err
	}
	return answer, asked
}
