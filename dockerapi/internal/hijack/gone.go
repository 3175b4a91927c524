package hijack

import (
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// notifyGone calls gone once when the peer of a connection has ended both directions, or the connection is broken. Over TCP a
// peer that closed its socket cannot be told from one that will send no more until something is written to it.
//
// It waits on a descriptor of its own, since reading may be going on upon the connection's: the runtime's poller wakes it at
// each change, and poll(2), without waiting, tells whether that change was the one. No thread is blocked.
func notifyGone(conn net.Conn, gone func()) (stop func()) {
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = t.NetConn()
	}
	c, ok := conn.(interface{ File() (*os.File, error) })
	if !ok {
		return func() {}
	}
	f, err := c.File()
	if err != nil {
		return func() {}
	}
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return func() {}
	}
	var done sync.WaitGroup
	done.Go(func() {
		if raw.Read(hungUp) == nil {
			gone()
		}
	})
	return func() {
		f.Close() // ends Read with an error
		done.Wait()
	}
}

func hungUp(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	for {
		n, err := unix.Poll(p, 0)
		if err == unix.EINTR {
			continue
		}
		return err != nil || n > 0 && p[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
	}
}
