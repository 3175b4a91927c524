package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/detach"
)

// pendingAttach is a client that attached before its container's start.
type pendingAttach struct {
	opts  engine.AttachOptions
	ready chan struct{} // closed when conn or err is set
	conn  engine.Conn
	run   *run // that conn is of
	err   error
}

// Attach connects a client to a container's main process, now or at its next start.
func (s *Service) Attach(ctx context.Context, ref string, o engine.AttachOptions) (engine.AttachedStream, error) {
	u, err := s.lookup(ref)
	if err != nil {
		return nil, err
	}
	keys, err := detach.Parse(o.DetachKeys)
	if err != nil {
		return nil, &engine.Error{Op: "attach", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: ref, Err: fmt.Errorf("Invalid detach keys (%s) provided", o.DetachKeys)}
	}
	c, r := u.current()
	switch c.Status.State {
	case engine.StatePaused:
		return nil, &engine.Error{Op: "attach", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonPaused, Args: []string{string(c.ID)}}
	case engine.StateRestarting:
		return nil, &engine.Error{Op: "attach", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonRestarting, Args: []string{string(c.ID)}}
	}
	o.Stream = o.Stream && (o.Stdin || o.Stdout || o.Stderr) // with none of them there is nothing to wait for
	a := &attached{service: s, unit: u, opts: o, keys: keys, tty: c.Spec.Process.TTY}
	if o.Stream {
		if !c.Spec.OpenStdin {
			o.Stdin = false
		}
		if r == nil {
			a.pending = u.await(o)
		} else if a.conn, err = r.shim.Attach(ctx, o); err != nil {
			return nil, wrap("attach", c.Name, err)
		}
	}
	if o.Logs {
		if err := a.openLog(c); err != nil {
			return nil, errors.Join(wrap("attach", c.Name, err), a.Close())
		}
	}
	s.publish(c, "attach", nil)
	return a, nil
}

// await registers a client for the next start.
func (u *unit) await(o engine.AttachOptions) *pendingAttach {
	p := &pendingAttach{opts: o, ready: make(chan struct{})}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone {
		p.err = noSuch(string(u.rec.ID))
		close(p.ready)
		return p
	}
	u.pending = append(u.pending, p)
	return p
}

// takePending returns those who wait for a start; they are now the caller's to answer.
func (u *unit) takePending() []*pendingAttach {
	u.mu.Lock()
	defer u.mu.Unlock()
	waiting := u.pending
	u.pending = nil
	return waiting
}

// connectPending connects those who attached before the start to the new run. Each of them gets an answer.
func (u *unit) connectPending(ctx context.Context, r *run) error {
	var errs []error
	for _, p := range u.takePending() {
		p.run = r
		p.conn, p.err = r.shim.Attach(ctx, p.opts)
		close(p.ready)
		errs = append(errs, p.err)
	}
	return errors.Join(errs...)
}

// endPending tells those who wait for a start that none comes.
func (u *unit) endPending(err error) {
	for _, p := range u.takePending() {
		p.err = err
		close(p.ready)
	}
}

// attached is an accepted attach.
type attached struct {
	service *Service
	unit    *unit
	opts    engine.AttachOptions
	keys    []byte
	tty     bool
	conn    engine.Conn
	pending *pendingAttach
	log     LogRecords // what was written before conn's output; nil when it is not asked for
	rest    map[engine.Source][]byte
}

// marked is a Conn that knows which place of the log its output begins at.
type marked interface{ LogMark() *engine.LogMark }

// openLog opens what was written before the connection's output, so that the two together have everything once.
func (a *attached) openLog(c engine.Container) error {
	file, err := a.service.logFile(c)
	if err != nil {
		return err
	}
	q := engine.LogQuery{Stdout: a.opts.Stdout, Stderr: a.opts.Stderr, Tail: -1}
	if m, ok := a.conn.(marked); ok {
		if q.Before = m.LogMark(); q.Before != nil {
			a.rest = q.Before.Rest
		}
	}
	a.log, err = a.service.LogReader.Open(file, q, nil)
	return err
}

// TTY reports whether the process has a terminal.
func (a *attached) TTY() bool { return a.tty }

// Close gives up a place that Run did not use. It may be repeated.
func (a *attached) Close() error {
	if p := a.pending; p != nil {
		a.unit.forgo(p)
		<-p.ready // at once, or when the start that is connecting it just now has done so
		a.conn = p.conn
	}
	var errs []error
	if a.log != nil {
		errs = append(errs, a.log.Close())
	}
	if a.conn != nil {
		errs = append(errs, a.conn.Close())
	}
	return errors.Join(errs...)
}

// forgo takes back a client's wait for the next start, if nobody has begun to answer it.
func (u *unit) forgo(p *pendingAttach) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := slices.Index(u.pending, p); i >= 0 {
		u.pending = slices.Delete(u.pending, i, i+1)
		close(p.ready)
	}
}

// Run moves the streams: the log first when asked for, then the live output until the process ends or the client leaves.
func (a *attached) Run(ctx context.Context, io engine.Stdio) error {
	defer a.Close()
	if a.log != nil {
		if err := a.replay(ctx, io); err != nil {
			return err
		}
	}
	if !a.opts.Stream {
		return nil
	}
	if a.pending != nil {
		select {
		case <-a.pending.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if a.conn = a.pending.conn; a.conn == nil {
			return nil // no start: whoever asked for it was told why
		}
	}
	err := a.conn.Stream(ctx, interactive(io, a.tty, a.keys))
	if errors.Is(err, detach.ErrDetached) {
		a.service.publish(a.unit.snapshot(), "detach", nil)
		return nil
	}
	if a.pending != nil && a.pending.run.failed.Load() {
		return nil // as above: its shim went before there was a process
	}
	return err
}

// interactive makes a terminal's input end at the detach keys.
func interactive(io engine.Stdio, tty bool, keys []byte) engine.Stdio {
	if tty && io.Stdin != nil {
		io.Stdin = detach.NewReader(io.Stdin, keys)
	}
	return io
}

// replay writes the log as the process wrote it, the beginning of a line that is not in it yet included.
func (a *attached) replay(ctx context.Context, io engine.Stdio) error {
	write := func(r engine.LogRecord) error { return writeRecord(io, a.tty, r) }
	if err := a.log.Read(ctx, write, nil); err != nil {
		return err
	}
	for _, src := range []engine.Source{engine.SourceStdout, engine.SourceStderr} {
		if wanted := src == engine.SourceStdout && a.opts.Stdout || src == engine.SourceStderr && a.opts.Stderr; !wanted || len(a.rest[src]) == 0 {
			continue
		}
		if err := write(engine.LogRecord{Source: src, Data: a.rest[src]}); err != nil {
			return err
		}
	}
	return nil
}

func writeRecord(stdio engine.Stdio, tty bool, r engine.LogRecord) error {
	var w io.Writer = stdio.Stdout
	if r.Source == engine.SourceStderr && !tty {
		w = stdio.Stderr
	}
	if w == nil {
		return nil
	}
	_, err := w.Write(r.Data)
	return err
}
