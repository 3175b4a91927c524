// Package fdpass moves open files over unix sockets beside a stream's bytes (unix(4), SCM_RIGHTS). Whoever passes a file has shown
// that it may open it, as it did.
package fdpass

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Most is how many files a connection carries.
const Most = 32

// Listen gives a listener of a unix socket whose connections are *Conn.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

// Accept waits for a connection. One that is not of a unix socket comes as it is, and carries nothing.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if u, ok := c.(*net.UnixConn); ok {
		return &Conn{UnixConn: u}, err
	}
	return c, err
}

// Conn is a connection that keeps the files that come over it, until it is closed.
type Conn struct {
	*net.UnixConn
	mu     sync.Mutex
	files  []*os.File
	closed bool
}

// Read reads bytes, and takes the files that come with them.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	const descriptor = 4 // the size of one
	oob := make([]byte, syscall.CmsgSpace(Most*descriptor))
	n, got, _, _, err := c.ReadMsgUnix(p, oob)
	if got > 0 {
		c.take(oob[:got])
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF // as readers expect it
	}
	return max(n, 0), err // -1 of an error is not for readers
}

// take keeps the files of control messages. What is too much is closed.
func (c *Conn) take(oob []byte) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			f := os.NewFile(uintptr(fd), fmt.Sprintf("passed file %d", len(c.files)))
			if c.closed || len(c.files) == Most {
				f.Close()
				continue
			}
			c.files = append(c.files, f)
		}
	}
}

// Files are the files that have come, in their order. They are the connection's, which closes them at its end.
func (c *Conn) Files() []*os.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.files
}

// Close closes the connection and its files.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.files {
		f.Close()
	}
	c.files, c.closed = nil, true
	return c.UnixConn.Close()
}

// Pass gives a connection that passes files with the first bytes that are written. They stay the caller's, and must be open until
// then.
func Pass(c *net.UnixConn, files []*os.File) net.Conn {
	if len(files) == 0 {
		return c
	}
	return &passing{UnixConn: c, files: files}
}

type passing struct {
	*net.UnixConn
	files []*os.File // not yet passed
}

// Write writes bytes, the first time with the files.
func (c *passing) Write(p []byte) (int, error) {
	if len(c.files) == 0 || len(p) == 0 {
		return c.UnixConn.Write(p)
	}
	fds := make([]int, len(c.files))
	for i, f := range c.files {
		fds[i] = int(f.Fd())
	}
	n, _, err := c.WriteMsgUnix(p, syscall.UnixRights(fds...), nil)
	c.files = nil
	if err == nil && n < len(p) {
		var more int
		more, err = c.UnixConn.Write(p[n:])
		n += more
	}
	return n, err
}
