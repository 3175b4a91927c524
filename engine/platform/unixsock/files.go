package unixsock

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// perMessage is how many descriptors go in one message. Linux allows 253 (SCM_MAX_FD), FreeBSD what fits a cluster of 2 KiB.
const perMessage = 128

// WriteFiles sends b, and with its bytes the files' descriptors in their order. The files stay the caller's. b must have at
// least one byte for each 128 files.
func WriteFiles(c *net.UnixConn, b []byte, files []*os.File) error {
	if len(files) > len(b)*perMessage {
		return fmt.Errorf("%d files with %d bytes: %w", len(files), len(b), unix.EMSGSIZE)
	}
	for len(files) > 0 {
		some := files[:min(perMessage, len(files))]
		fds := make([]int, len(some))
		for i, f := range some {
			fds[i] = int(f.Fd())
		}
		n, _, err := c.WriteMsgUnix(b[:1], unix.UnixRights(fds...), nil)
		runtime.KeepAlive(some)
		if err != nil {
			return err
		}
		b, files = b[n:], files[len(some):]
	}
	_, err := c.Write(b)
	return err
}

// FileReader reads a connection and takes the descriptors that come with its bytes.
type FileReader struct {
	c     *net.UnixConn
	oob   [perMessage*4 + 64]byte // descriptors of four bytes, and a header
	files []*os.File
}

// NewFileReader returns a reader of c. Who reads c otherwise loses what descriptors come then.
func NewFileReader(c *net.UnixConn) *FileReader { return &FileReader{c: c} }

// Read implements io.Reader.
func (r *FileReader) Read(b []byte) (int, error) {
	n, oobn, flags, _, err := r.c.ReadMsgUnix(b, r.oob[:])
	if errors.Is(err, io.EOF) {
		err = io.EOF // bare, as readers give it
	}
	if oobn > 0 {
		err = errors.Join(err, r.collect(r.oob[:oobn]))
	}
	if flags&unix.MSG_CTRUNC != 0 {
		err = errors.Join(err, errors.New("more descriptors than a message may bring"))
	}
	return n, err
}

func (r *FileReader) collect(oob []byte) error {
	messages, err := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		fds, rerr := unix.ParseUnixRights(&messages[i])
		for _, fd := range fds {
			r.files = append(r.files, os.NewFile(uintptr(fd), "received"))
		}
		err = errors.Join(err, rerr)
	}
	return err
}

// Take gives the files that came until now to the caller.
func (r *FileReader) Take() []*os.File {
	files := r.files
	r.files = nil
	return files
}
