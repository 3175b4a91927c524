package shim

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// streams are the two ends of a process's descriptors.
type streams struct {
	process Stdio
	stdin   *os.File // nil without one
	master  *os.File // of a terminal, which then is stdin and the source of all output
	out     []*source
}

// openStreams makes the descriptors of a process without a terminal. Output that nobody can ever want goes nowhere.
func openStreams(stdin, output bool) (*streams, error) {
	s := &streams{}
	err := s.open(stdin, output)
	if err != nil {
		s.closeProcess()
		s.closeOwn()
		return nil, fmt.Errorf("open streams: %w", err)
	}
	return s, nil
}

func (s *streams) open(stdin, output bool) error {
	var err error
	if stdin {
		s.stdin, s.process.Stdin, err = pipe(1)
	} else {
		s.process.Stdin, err = os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	}
	if err != nil {
		return err
	}
	for _, o := range []struct {
		to   **os.File
		kind wire.Kind
	}{{&s.process.Stdout, wire.Stdout}, {&s.process.Stderr, wire.Stderr}} {
		if !output {
			if *o.to, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
				return err
			}
			continue
		}
		var r *os.File
		if r, *o.to, err = pipe(0); err != nil {
			return err
		}
		src, err := newSource(r, o.kind)
		if err != nil {
			return err
		}
		s.out = append(s.out, src)
	}
	return nil
}

// adopt takes a terminal's master.
func (s *streams) adopt(master *os.File, stdin bool) error {
	m, err := pollable(master)
	if err != nil {
		return err
	}
	src, err := newSource(m, wire.Stdout)
	if err != nil {
		return err
	}
	s.master, s.out = m, []*source{src}
	if stdin {
		s.stdin = m
	}
	return nil
}

// pipe makes a pipe, both ends closed on exec. The shim's own end (0 to read, 1 to write) does not block, so that waiting on
// it can be interrupted; the process's does, as programs expect.
func pipe(own int) (ours, theirs *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(fds[own], true); err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[own]), "pipe"), os.NewFile(uintptr(fds[1-own]), "pipe"), nil
}

// pollable makes of a file one whose reads and writes can be interrupted, and closes the file.
func pollable(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func (s *streams) closeProcess() {
	for _, f := range []*os.File{s.process.Stdin, s.process.Stdout, s.process.Stderr} {
		if f != nil {
			f.Close()
		}
	}
}

func (s *streams) closeOwn() {
	if s.stdin != nil {
		s.stdin.Close()
	}
	for _, src := range s.out {
		src.f.Close()
	}
}

const (
	// chunk is how much of a process's output is moved at once: what a pipe holds.
	chunk = 32 << 10
	// pipeMax bounds what can have stood in a pipe or terminal when its process ended.
	pipeMax = 1 << 20
)

// chunks are buffers with room for a frame's header before the data. A source that waits holds none.
var chunks = sync.Pool{New: func() any { b := make([]byte, wire.HeaderLen+chunk); return &b }}

// errEnough ends a source that somebody holds open although its process has ended.
var errEnough = errors.New("output is held open")

// chunkReader reads a descriptor chunk by chunk. It takes a buffer only when there is something to read, and allocates
// nothing itself.
type chunkReader struct {
	raw  syscall.RawConn
	once bool                  // do not wait: EAGAIN is an answer
	take func(fd uintptr) bool // attempt as a value, made once
	buf  *[]byte
	n    int
	err  error
}

func newChunkReader(f syscall.Conn) (*chunkReader, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &chunkReader{raw: raw}
	r.take = r.attempt
	return r, nil
}

// next waits for data and returns a buffer of chunks with n bytes behind a header's room; at the end that is none and no
// error. The caller gives the buffer back.
func (r *chunkReader) next() (buf *[]byte, n int, err error) {
	if err := r.raw.Read(r.take); err != nil {
		return nil, 0, err
	}
	buf, n, err = r.buf, r.n, r.err
	r.buf = nil
	return buf, n, err
}

// attempt reads if there is something; false waits for that.
func (r *chunkReader) attempt(fd uintptr) bool {
	r.buf, r.n, r.err = readChunk(int(fd))
	return r.once || !errors.Is(r.err, unix.EAGAIN)
}

// source is one stream of a process's output.
type source struct {
	*chunkReader
	f    *os.File
	kind wire.Kind
	left int // how much is taken at most once the time for the process's last output is over
}

// newSource reads a pollable file.
func newSource(f *os.File, kind wire.Kind) (*source, error) {
	r, err := newChunkReader(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &source{chunkReader: r, f: f, kind: kind, left: pipeMax}, nil
}

// logged is which stream of the log the source is.
func (s *source) logged() engine.Source {
	if s.kind == wire.Stderr {
		return engine.SourceStderr
	}
	return engine.SourceStdout
}

// read is next until the file's read deadline, the time for the process's last output. From then on it takes what stands
// there, and ends with errEnough, which may come with the last bytes.
func (s *source) read() (buf *[]byte, n int, err error) {
	buf, n, err = s.next()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.once = true
		_ = s.f.SetReadDeadline(noDeadline)
		buf, n, err = s.next()
	}
	if s.once {
		s.left -= n
		if errors.Is(err, unix.EAGAIN) || err == nil && s.left <= 0 {
			err = errEnough
		}
	}
	return buf, n, err
}

// endless makes the source wait again.
func (s *source) endless() { s.once, s.left = false, pipeMax }

func readChunk(fd int) (*[]byte, int, error) {
	buf := chunks.Get().(*[]byte)
	for {
		n, err := unix.Read(fd, (*buf)[wire.HeaderLen:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			chunks.Put(buf)
			return nil, 0, err
		}
		return buf, n, nil
	}
}
