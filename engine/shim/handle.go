package shim

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/unixsock"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// Handle is a daemon's connection to one shim. It implements lifecycle.Shim. It ends with Close or with the shim; requests
// then fail as Unavailable.
type Handle struct {
	id   engine.ContainerID
	dir  string
	pid  int
	conn *net.UnixConn
	// session is what the shim calls this connection.
	session uint64

	writing sync.Mutex

	mu       sync.Mutex
	number   uint16
	waiting  map[uint16]chan wire.Frame
	watchers map[*watcher]struct{}
	armed    bool // the shim will say when the log grows next
	logEnded bool

	queue  *queue
	gone   chan struct{} // closed when the connection has ended
	closed sync.Once
}

// connect makes a connection a handle.
func connect(ctx context.Context, conn *net.UnixConn, id engine.ContainerID, dir string, s *engine.Supervision) (*Handle, error) {
	r := wire.NewReader(conn)
	w, err := hello(ctx, conn, r, s)
	if err != nil {
		return nil, err
	}
	h := &Handle{
		id: id, dir: dir, pid: w.Pid, session: w.Session, conn: conn,
		waiting: make(map[uint16]chan wire.Frame), watchers: make(map[*watcher]struct{}),
		queue: newQueue(), gone: make(chan struct{}),
	}
	go h.read(r)
	return h, nil
}

// Pid is the shim's own process.
func (h *Handle) Pid() int { return h.pid }

// read takes what the shim says until the connection ends.
func (h *Handle) read(r *wire.Reader) {
	for {
		f, err := r.Next()
		if err != nil {
			break
		}
		switch f.Kind {
		case wire.OK, wire.Failure:
			h.answer(f)
		case wire.Event:
			if e, err := wire.DecodeEvent(f.Payload); err == nil {
				h.queue.put(e)
			}
		case wire.Logged:
			h.logged(false)
		case wire.LogEnd:
			h.logged(true)
		}
	}
	h.conn.Close()
	close(h.gone)
	h.logged(true)
	h.queue.end()
}

// answer gives an answer to whoever waits for it.
func (h *Handle) answer(f wire.Frame) {
	h.mu.Lock()
	ch := h.waiting[f.Number]
	delete(h.waiting, f.Number)
	h.mu.Unlock()
	if ch != nil {
		f.Payload = append([]byte(nil), f.Payload...)
		ch <- f
	}
}

// call sends a request and waits for its answer.
func (h *Handle) call(ctx context.Context, k wire.Kind, payload []byte) ([]byte, error) {
	ch := make(chan wire.Frame, 1)
	h.mu.Lock()
	for h.number++; h.waiting[h.number] != nil; h.number++ {
	}
	number := h.number
	h.waiting[number] = ch
	h.mu.Unlock()
	if err := h.send(wire.Frame{Kind: k, Number: number, Payload: payload}); err != nil {
		return nil, gone(ctx, err)
	}
	select {
	case f := <-ch:
		if f.Kind == wire.Failure {
			return nil, wire.DecodeError(f.Payload)
		}
		return f.Payload, nil
	case <-h.gone:
		return nil, gone(ctx, net.ErrClosed)
	case <-ctx.Done():
		// The number stays taken until the answer comes, so that it is not another's.
		return nil, context.Cause(ctx)
	}
}

func (h *Handle) send(f wire.Frame) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	_ = h.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := h.conn.Write(wire.AppendFrame(nil, f))
	return err
}

// Run starts the main process, once. A failure to execute it says why, and the shim then ends.
func (h *Handle) Run(ctx context.Context, l engine.Launch) (pid int, err error) {
	b, err := h.call(ctx, wire.Run, wire.EncodeLaunch(l))
	if err != nil {
		return 0, h.named("run", err)
	}
	return wire.DecodePid(b)
}

// Attach connects to the main process's streams. From its return on nothing is missed. It may be called before Run. With
// o.Logs the connection knows which place of the log it begins at (Conn.LogMark).
func (h *Handle) Attach(ctx context.Context, o engine.AttachOptions) (engine.Conn, error) {
	want := h.streams(o)
	want.Mark = o.Logs
	c, answer, err := h.open(ctx, wire.Frame{Kind: wire.Attach, Payload: want.Encode()}, want)
	if err != nil {
		return nil, h.named("attach", err)
	}
	if c.mark, err = wire.DecodeMark(answer); err != nil {
		c.Close()
		return nil, h.named("attach", err)
	}
	return c, nil
}

// StartExec starts a further process, with the wanted streams connected from its first byte.
func (h *Handle) StartExec(ctx context.Context, id engine.ExecID, l engine.Launch, want engine.AttachOptions) (pid int, c engine.Conn, err error) {
	x := wire.ExecStart{ID: id, Launch: l, Streams: h.streams(want)}
	conn, answer, err := h.open(ctx, wire.Frame{Kind: wire.Exec, Payload: x.Encode()}, x.Streams)
	if err != nil {
		return 0, nil, h.named("exec", err)
	}
	if pid, err = wire.DecodePid(answer); err != nil {
		conn.Close()
		return 0, nil, h.named("exec", err)
	}
	return pid, conn, nil
}

func (h *Handle) streams(o engine.AttachOptions) wire.Streams {
	return wire.Streams{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Session: h.session}
}

// open makes a connection for streams.
func (h *Handle) open(ctx context.Context, first wire.Frame, want wire.Streams) (*Conn, []byte, error) {
	c, err := unixsock.Dial(ctx, h.dir, sockName)
	if err != nil {
		return nil, nil, gone(ctx, err)
	}
	r := wire.NewReader(c)
	f, err := exchange(ctx, c, r, sending(c, first))
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	answer := append([]byte(nil), f.Payload...)
	return &Conn{c: c, early: r.Rest(), want: want}, answer, nil
}

// Resize sets the size of a process's terminal, rows first. The empty id is the main process, which need not run yet. A
// process without a terminal is left alone.
func (h *Handle) Resize(ctx context.Context, id engine.ExecID, rows, cols uint16) error {
	_, err := h.call(ctx, wire.Resize, wire.Target{Exec: id, Rows: rows, Cols: cols}.Encode())
	return h.named("resize", err)
}

// Signal sends a signal to a process itself; the empty id is the main process. It is NotFound when the process does not run
// (not yet, or not any more), Invalid when there is no such signal.
func (h *Handle) Signal(ctx context.Context, id engine.ExecID, sig engine.Signal) error {
	_, err := h.call(ctx, wire.Signal, wire.Target{Exec: id, Signal: sig}.Encode())
	return h.named("signal", err)
}

// Forward makes the shim forward what is named and nothing else: where a Listener stands it is passed on (the caller's stays
// his), all others must be there already and lead where they say from now on. Connections to where a port led before are
// broken. It is NotFound when main does not run.
func (h *Handle) Forward(ctx context.Context, all []engine.Proxy) error {
	c, err := unixsock.Dial(ctx, h.dir, sockName)
	if err != nil {
		return h.named("forward", gone(ctx, err))
	}
	defer c.Close()
	_, err = exchange(ctx, c, wire.NewReader(c), func() error { return sendForwarding(c, all) })
	return h.named("forward", err)
}

// Status returns what the shim knows at present.
func (h *Handle) Status(ctx context.Context) (engine.ShimStatus, error) {
	b, err := h.call(ctx, wire.Status, nil)
	if err != nil {
		return engine.ShimStatus{}, h.named("ask", err)
	}
	return wire.DecodeStatus(b)
}

// Events delivers ends of processes in order, each once, those of the time before this handle included (of execs the last
// 128). Main's comes after all its output was handed to clients and the log. It is closed when the shim has gone or Close was
// called.
func (h *Handle) Events() <-chan engine.ShimEvent { return h.queue.out }

// Release tells a shim whose main process has ended that everything was noted, and returns when it has gone.
func (h *Handle) Release(ctx context.Context) error {
	_, err := h.call(ctx, wire.Release, nil)
	if err != nil {
		select {
		case <-h.gone:
			return nil
		default:
			return h.named("release", err)
		}
	}
	select {
	case <-h.gone:
		return nil
	case <-ctx.Done():
		return h.named("release", context.Cause(ctx))
	}
}

// Close gives up the connection. A shim whose main process runs goes on.
func (h *Handle) Close() error {
	h.closed.Do(func() {
		h.conn.Close()
		h.queue.stop()
	})
	<-h.gone
	return nil
}

// named adds to an error whose it is.
func (h *Handle) named(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *engine.Error
	if errors.As(err, &e) {
		if e.ID == "" {
			e.ID = string(h.id)
		}
		return err
	}
	return &engine.Error{Op: op, Kind: engine.KindOf(err), Resource: engine.ResourceContainer, ID: string(h.id), Err: err}
}
