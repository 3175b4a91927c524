package frames

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// Input is the server's end of a client's input: what came and was not taken yet, at most Window bytes.
type Input struct {
	mu    sync.Mutex
	cond  sync.Cond
	buf   []byte
	err   error // after buf
	taken func(n int) error
}

// NewInput returns an Input. taken is called with how many bytes the process took.
func NewInput(taken func(n int) error) *Input {
	in := &Input{taken: taken}
	in.cond.L = &in.mu
	return in
}

// errWindow is a client that sends more than it may.
var errWindow = errors.New("more input than the window allows")

// Put takes what a frame brought; no bytes mean the end.
func (in *Input) Put(p []byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(p) == 0 {
		in.fail(io.EOF)
		return nil
	}
	if len(in.buf)+len(p) > Window {
		return errWindow
	}
	in.buf = append(in.buf, p...)
	in.cond.Broadcast()
	return nil
}

// Close ends the input; it may be repeated.
func (in *Input) Close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.fail(io.EOF)
}

func (in *Input) fail(err error) {
	if in.err == nil {
		in.err = err
	}
	in.cond.Broadcast()
}

// Read is the process's.
func (in *Input) Read(p []byte) (int, error) {
	in.mu.Lock()
	for len(in.buf) == 0 && in.err == nil {
		in.cond.Wait()
	}
	n := copy(p, in.buf)
	in.buf = in.buf[n:]
	err := in.err
	in.mu.Unlock()
	if n == 0 {
		return 0, err
	}
	return n, in.taken(n)
}

// Output is the client's end of its input: it waits while as much is on the way as may be.
type Output struct {
	w     *Writer
	mu    sync.Mutex
	cond  sync.Cond
	room  int
	ended bool
}

// NewOutput returns an Output upon w.
func NewOutput(w *Writer) *Output {
	o := &Output{w: w, room: Window}
	o.cond.L = &o.mu
	return o
}

// Write sends input. After End it fails with io.ErrClosedPipe.
func (o *Output) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n := o.reserve(min(len(p)-written, MaxFrame))
		if n == 0 {
			return written, io.ErrClosedPipe
		}
		if err := o.w.Write(Stdin, p[written:written+n]); err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// reserve waits for room and takes at most n of it; 0 after End.
func (o *Output) reserve(n int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.room == 0 && !o.ended {
		o.cond.Wait()
	}
	if o.ended {
		return 0
	}
	n = min(n, o.room)
	o.room -= n
	return n
}

// Acked gives room back, as an Ack frame says.
func (o *Output) Acked(p []byte) error {
	if len(p) != 4 {
		return errors.New("malformed acknowledgement")
	}
	n := binary.BigEndian.Uint32(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	if int64(n)+int64(o.room) > Window {
		return errors.New("more input acknowledged than was sent")
	}
	o.room += int(n)
	o.cond.Broadcast()
	return nil
}

// End lets a Write that waits fail.
func (o *Output) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.cond.Broadcast()
}

// AckBytes renders an acknowledgement.
func AckBytes(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
