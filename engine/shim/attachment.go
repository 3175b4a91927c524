package shim

import (
	"net"
	"sync"
	"time"

	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// sendBuffer is what the kernel holds for a client that is busy.
const sendBuffer = 256 << 10

// attachment is one client of a process's streams.
type attachment struct {
	p    *process
	c    *net.UnixConn
	want wire.Streams

	mu   sync.Mutex // writing
	gone bool

	late struct {
		sync.Mutex
		on bool
	}
}

func newAttachment(p *process, c *net.UnixConn, want wire.Streams) *attachment {
	_ = c.SetWriteBuffer(sendBuffer) // where it is refused there is less of a buffer
	return &attachment{p: p, c: c, want: want}
}

// deliver writes one frame of output. It blocks while the client does not read, and drops it when it has gone.
func (a *attachment) deliver(k wire.Kind, frame []byte) {
	if k == wire.Stdout && !a.want.Stdout || k == wire.Stderr && !a.want.Stderr {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.write(frame)
}

// write writes whole frames. The caller holds mu.
func (a *attachment) write(frame []byte) {
	if a.gone {
		return
	}
	a.late.Lock()
	if a.late.on {
		_ = a.c.SetWriteDeadline(time.Now().Add(patience))
	}
	a.late.Unlock()
	if _, err := a.c.Write(frame); err != nil {
		a.drop()
	}
}

// hurry bounds how long a write may take from now on, the present one included.
func (a *attachment) hurry() {
	a.late.Lock()
	defer a.late.Unlock()
	a.late.on = true
	_ = a.c.SetWriteDeadline(time.Now().Add(patience))
}

// end tells the client that all output was delivered. The caller holds mu.
func (a *attachment) end() {
	a.write(wire.AppendFrame(nil, wire.Frame{Kind: wire.End}))
	a.drop()
}

// drop lets go of the client. The caller holds mu.
func (a *attachment) drop() {
	if !a.gone {
		a.gone = true
		a.c.Close()
		a.p.remove(a)
	}
}

// input moves what the client says until it goes. early is what came with its first frame.
func (a *attachment) input(early []byte) {
	<-a.p.started
	var split wire.Splitter
	said := false
	hear := func(k wire.Kind, piece []byte) error {
		said = said || k == wire.StdinEnd || k == wire.Leave
		a.hear(k, piece)
		return nil
	}
	err := split.Take(early, hear)
	r, rerr := newChunkReader(a.c)
	if err == nil {
		err = rerr
	}
	for err == nil {
		var buf *[]byte
		var n int
		buf, n, err = r.next()
		if err != nil || n == 0 {
			break
		}
		err = split.Take((*buf)[wire.HeaderLen:wire.HeaderLen+n], hear)
		chunks.Put(buf)
	}
	if a.feeds() && !said {
		a.p.lost(a.p, a.want.Session)
	}
	a.leave(err)
}

// feeds reports whether the client's input is the process's.
func (a *attachment) feeds() bool {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	return a.want.Stdin && a.p.launch.Stdin
}

// hear takes one piece of what the client says.
func (a *attachment) hear(k wire.Kind, piece []byte) {
	switch {
	case !a.feeds():
	case k == wire.Stdin:
		a.p.feed(piece)
	case k == wire.StdinEnd:
		a.p.inputEnded()
	}
}

// leave is called when nothing more comes of the client. A write to it that blocks fails when it has closed its end, so the
// lock is free soon.
func (a *attachment) leave(err error) {
	if err != nil {
		a.c.Close()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop()
}
