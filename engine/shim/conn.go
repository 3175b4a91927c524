package shim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// Conn is a client's place at a process's streams. It implements engine.Conn.
type Conn struct {
	c       *net.UnixConn
	early   []byte // output that came with the answer
	want    wire.Streams
	waiting atomic.Bool // for the client's input
	mark    *engine.LogMark
}

// LogMark is the place of the log at which this connection's output begins; nil when the shim does not know it.
func (c *Conn) LogMark() *engine.LogMark { return c.mark }

// Close leaves the process; its stdin stays open.
func (c *Conn) Close() error {
	c.leave()
	return c.c.Close()
}

// leave says that the client goes and its input has not ended.
func (c *Conn) leave() {
	_ = c.c.SetWriteDeadline(time.Now().Add(lastWord))
	_, _ = c.c.Write(wire.AppendFrame(nil, wire.Frame{Kind: wire.Leave})) // after Stream the connection is closed
}

const (
	// inputChunk is how much of a client's input goes in one frame.
	inputChunk = 32 << 10
	// lastWord is how long a stream that breaks waits for the input to end as well: when the client has gone it does at once.
	lastWord = 100 * time.Millisecond
)

var (
	inputs  = sync.Pool{New: func() any { b := make([]byte, wire.HeaderLen+inputChunk); return &b }}
	outputs = sync.Pool{New: func() any { b := make([]byte, chunk); return &b }}
)

// Stream moves data until the process's output has ended (nil), ctx ends, or a member of stdio fails, and then closes the
// connection: it is used once. When Stdin ends or fails, the process's stdin is closed if it is a StdinOnce one; the output
// goes on after an end, not after a failure. When ctx ends or a writer fails and Stdin does not end with it, the process's
// stdin stays open for the next client. Stream may return while a Read of Stdin is still waiting: what that brings is
// dropped.
func (c *Conn) Stream(ctx context.Context, stdio engine.Stdio) error {
	defer c.c.Close()
	interrupt := func() { _ = c.c.SetReadDeadline(time.Unix(1, 0)) }
	stop := context.AfterFunc(ctx, interrupt)
	defer stop()
	input := make(chan error, 1)
	if stdio.Stdin != nil {
		c.waiting.Store(true)
		go func() {
			err := c.input(stdio.Stdin)
			input <- err
			if err != nil {
				interrupt()
			}
		}()
	}
	err := c.output(stdio)
	if err == nil {
		return nil
	}
	failed := c.settle(stdio, input)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failed != nil:
		return failed
	}
	return err
}

// settle finds out, when the output has broken off, whether the input has ended, too. The error is that of the input.
func (c *Conn) settle(stdio engine.Stdio, input <-chan error) error {
	if stdio.Stdin != nil {
		select {
		case err := <-input:
			return err
		case <-time.After(lastWord):
		}
		if !c.waiting.Load() {
			return nil // the process does not take what it has: no word gets through
		}
	}
	c.leave()
	return nil
}

// input moves the client's input. The error is the reader's.
func (c *Conn) input(r io.Reader) error {
	p := inputs.Get().(*[]byte)
	defer inputs.Put(p)
	buf := *p
	for {
		c.waiting.Store(true)
		n, err := r.Read(buf[wire.HeaderLen:])
		c.waiting.Store(false)
		if n > 0 && c.want.Stdin {
			wire.PutHeader(buf, wire.Stdin, 0, n)
			if _, werr := c.c.Write(buf[:wire.HeaderLen+n]); werr != nil {
				return nil // whoever reads the output learns why
			}
		}
		if err == nil {
			continue
		}
		if c.want.Stdin {
			_, _ = c.c.Write(wire.AppendFrame(nil, wire.Frame{Kind: wire.StdinEnd}))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
}

// errEnd ends output with the process's.
var errEnd = errors.New("end of output")

// output moves the process's output to its end.
func (c *Conn) output(stdio engine.Stdio) error {
	p := outputs.Get().(*[]byte)
	defer outputs.Put(p)
	buf := *p
	r := io.MultiReader(bytes.NewReader(c.early), c.c)
	write := func(k wire.Kind, piece []byte) error {
		var w io.Writer
		switch k {
		case wire.Stdout:
			w = stdio.Stdout
		case wire.Stderr:
			w = stdio.Stderr
		case wire.End:
			return errEnd
		}
		if w == nil {
			return nil
		}
		_, err := w.Write(piece)
		return err
	}
	var split wire.Splitter
	for {
		n, err := r.Read(buf)
		if serr := split.Take(buf[:n], write); errors.Is(serr, errEnd) {
			return nil
		} else if serr != nil {
			return serr
		}
		if err != nil {
			return &engine.Error{Op: "read output", Kind: engine.Unavailable, Resource: engine.ResourceContainer, Err: err}
		}
	}
}
