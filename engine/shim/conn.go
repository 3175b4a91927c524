package shim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// Conn is a client's place at a process's streams. It implements engine.Conn.
type Conn struct {
	c     *net.UnixConn
	early []byte // output that came with the answer
	want  wire.Streams
}

// Close leaves the process. Its stdin stays open.
func (c *Conn) Close() error { return c.c.Close() }

// inputChunk is how much of a client's input goes in one frame.
const inputChunk = 32 << 10

var (
	inputs  = sync.Pool{New: func() any { b := make([]byte, wire.HeaderLen+inputChunk); return &b }}
	outputs = sync.Pool{New: func() any { b := make([]byte, chunk+wire.HeaderLen); return &b }}
)

// Stream moves data until the process's output has ended (nil), ctx ends, or a member of stdio fails, and then closes the
// connection: it is used once. When Stdin ends or fails, the process's stdin is closed if it is a StdinOnce one; the output
// goes on after an end, not after a failure. It may return while a Read of Stdin is still waiting: what that brings is
// dropped.
func (c *Conn) Stream(ctx context.Context, stdio engine.Stdio) error {
	defer c.c.Close()
	stop := context.AfterFunc(ctx, func() { c.c.Close() })
	defer stop()
	input := make(chan error, 1)
	if stdio.Stdin != nil {
		go func() {
			err := c.input(stdio.Stdin)
			input <- err
			if err != nil {
				c.c.Close()
			}
		}()
	}
	err := c.output(stdio)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case failed := <-input:
		if failed != nil {
			return failed
		}
	default:
	}
	return err
}

// input moves the client's input. The error is the reader's.
func (c *Conn) input(r io.Reader) error {
	p := inputs.Get().(*[]byte)
	defer inputs.Put(p)
	buf := *p
	sends := c.want.Stdin
	for {
		n, err := r.Read(buf[wire.HeaderLen:])
		if n > 0 && sends {
			wire.PutHeader(buf, wire.Stdin, 0, n)
			if _, werr := c.c.Write(buf[:wire.HeaderLen+n]); werr != nil {
				return nil // whoever reads the output learns why
			}
		}
		if err == nil {
			continue
		}
		if sends {
			_, _ = c.c.Write(wire.AppendFrame(nil, wire.Frame{Kind: wire.StdinEnd}))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
}

// output moves the process's output to its end.
func (c *Conn) output(stdio engine.Stdio) error {
	p := outputs.Get().(*[]byte)
	defer outputs.Put(p)
	buf := *p
	r := io.MultiReader(bytes.NewReader(c.early), c.c)
	d := demux{stdio: stdio}
	have := 0
	for {
		n, err := r.Read(buf[have:])
		have += n
		used, done, derr := d.take(buf[:have])
		if done || derr != nil {
			return derr
		}
		have = copy(buf, buf[used:have])
		if err != nil && n == 0 {
			return &engine.Error{Op: "read output", Kind: engine.Unavailable, Resource: engine.ResourceContainer, Err: err}
		}
	}
}

// demux passes frames of output on, also in pieces as they come.
type demux struct {
	stdio engine.Stdio
	w     io.Writer // of the frame that was begun; nil drops it
	left  int       // of its payload
}

// take handles what of b it can and says how much that was. What is left over is less than a header.
func (d *demux) take(b []byte) (used int, done bool, err error) {
	for {
		if n := min(d.left, len(b)-used); n > 0 {
			if d.w != nil {
				if _, err := d.w.Write(b[used : used+n]); err != nil {
					return used, false, err
				}
			}
			d.left -= n
			used += n
		}
		if d.left > 0 || len(b)-used < wire.HeaderLen {
			return used, false, nil
		}
		k, _, n, err := wire.Header(b[used:])
		if err != nil || k == wire.End {
			return used, k == wire.End, err
		}
		used += wire.HeaderLen
		d.left = n
		switch k {
		case wire.Stdout:
			d.w = d.stdio.Stdout
		case wire.Stderr:
			d.w = d.stdio.Stderr
		default:
			d.w = nil
		}
	}
}
