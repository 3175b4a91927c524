package nativeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/internal/frames"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Execs are further processes in containers.
type Execs interface {
	CreateExec(ctx context.Context, ref string, spec engine.ExecSpec) (engine.ExecID, error)
	InspectExec(ctx context.Context, id engine.ExecID) (engine.Exec, error)
	// StartExec with Detach starts the process and returns a nil stream. Otherwise the process is started by the stream's Run,
	// so that nothing it writes is missed.
	StartExec(ctx context.Context, id engine.ExecID, o engine.ExecStart) (engine.AttachedStream, error)
	ResizeExec(ctx context.Context, id engine.ExecID, rows, cols uint16) error
}

type containerStreams interface {
	Attach(ctx context.Context, ref string, o engine.AttachOptions) (engine.AttachedStream, error)
	Logs(ctx context.Context, ref string, q engine.LogQuery) (engine.LogStream, error)
	Resize(ctx context.Context, ref string, rows, cols uint16) error
}

func (s *Server) streamRoutes() []route {
	const one = "/v1/containers/{ref}"
	return []route{
		{pattern: "POST " + one + "/attach", needs: ownContainer, lasting: true, handler: s.attach},
		{pattern: "POST " + one + "/exec", needs: ownContainer, lasting: true, handler: s.exec},
		{pattern: "POST " + one + "/resize", needs: ownContainer, handler: s.resize},
		{pattern: "GET " + one + "/logs", needs: ownContainer, lasting: true, handler: s.logs},
	}
}

// conn is a connection that was taken over. Its reader runs until the client has gone.
type conn struct {
	net.Conn
	out  *frames.Writer
	in   *frames.Input
	gone chan struct{} // closed when nothing more comes of the client
}

// take answers a request by 101 and takes its connection over. resize is told of a new size of the client's terminal. After an
// error that this returns the answer can still be written as usual.
func take(c *call, resize func(frames.Size)) (*conn, error) {
	if c.Header.Get("Upgrade") != frames.Protocol {
		return nil, invalid(fmt.Errorf("this operation moves streams: it needs the header Upgrade: %s", frames.Protocol))
	}
	raw, buffered, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		return nil, &engine.Error{Kind: engine.Internal, Err: fmt.Errorf("take over the connection: %w", err)}
	}
	c.begun = true
	if _, err := fmt.Fprintf(raw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", frames.Protocol); err != nil {
		raw.Close()
		return nil, err
	}
	t := &conn{Conn: raw, out: frames.NewWriter(raw), gone: make(chan struct{})}
	t.in = frames.NewInput(func(n int) error { return t.out.Write(frames.Ack, frames.AckBytes(n)) })
	go t.receive(buffered, resize)
	return t, nil
}

// receive reads the client's frames until it has gone.
func (t *conn) receive(from io.Reader, resize func(frames.Size)) {
	defer close(t.gone)
	defer t.in.Close()
	for r := frames.NewReader(from); ; {
		kind, p, err := r.Read()
		if err != nil {
			return
		}
		switch kind {
		case frames.Stdin:
			err = t.in.Put(p)
		case frames.Resize:
			var size frames.Size
			if err = json.Unmarshal(p, &size); err == nil {
				resize(size)
			}
		default:
			err = fmt.Errorf("frame %q is not a client's", kind)
		}
		if err != nil {
			_ = t.out.WriteJSON(frames.Error, encodeError(invalid(err)))
			return
		}
	}
}

// stdio are the streams of the connection.
func (t *conn) stdio(stdin, stdout, stderr bool) engine.Stdio {
	var o engine.Stdio
	if stdin {
		o.Stdin = t.in
	}
	if stdout {
		o.Stdout = t.out.Stream(frames.Stdout)
	}
	if stderr {
		o.Stderr = t.out.Stream(frames.Stderr)
	}
	return o
}

// watch returns a context that ends with the client too.
func (t *conn) watch(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-t.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// finish sends the last frames, or the error. The client closes first: whoever closes while the other's bytes are unread cuts
// off its own.
func (t *conn) finish(err error, last func() error) {
	defer t.Close()
	if err == nil {
		err = last()
	}
	if err != nil {
		err = t.out.WriteJSON(frames.Error, encodeError(err))
	}
	if err != nil {
		return
	}
	select {
	case <-t.gone:
	case <-time.After(linger):
	}
}

// linger bounds how long a finished stream waits for its client's end.
const linger = 5 * time.Second

// attach connects a client with the main process, now or at its next start. The exit that until names is told last; it is
// watched for from before the attach.
func (s *Server) attach(ctx context.Context, c *call) error {
	var body wire.Attach
	if err := c.read(&body); err != nil {
		return err
	}
	ref := c.ref()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended, err := s.cfg.Containers.Wait(ctx, ref, engine.WaitCondition(body.Until))
	if err != nil {
		return err
	}
	stream, err := s.cfg.Containers.Attach(ctx, ref, engine.AttachOptions{
		Stdin: body.Stdin, Stdout: body.Stdout, Stderr: body.Stderr, Stream: true, Logs: body.Logs, DetachKeys: body.DetachKeys,
	})
	if err != nil {
		return err
	}
	defer stream.Close()
	t, err := take(c, func(size frames.Size) {
		if err := s.cfg.Containers.Resize(ctx, ref, size.Rows, size.Cols); err != nil {
			s.cfg.Log.DebugContext(ctx, "resize", "container", ref, "error", err)
		}
	})
	if err != nil {
		return err
	}
	watched, stop := t.watch(ctx)
	defer stop()
	err = stream.Run(watched, t.stdio(body.Stdin, body.Stdout, body.Stderr))
	t.finish(err, func() error {
		if err := t.out.Write(frames.End, nil); err != nil {
			return err
		}
		select {
		case r := <-ended:
			if r.Err != "" {
				return errors.New(r.Err)
			}
			return t.out.WriteJSON(frames.Exit, frames.Status{Code: r.ExitCode})
		case <-t.gone:
		case <-ctx.Done():
		}
		return nil
	})
	return nil
}

// exec runs a further process. Without detach the client takes the connection over, and the process's exit is told last; it is
// not told when the client left it by the detach keys.
func (s *Server) exec(ctx context.Context, c *call) error {
	var body wire.Exec
	if err := c.read(&body); err != nil {
		return err
	}
	spec := engine.ExecSpec{
		Process:    engine.ProcessSpec{Cmd: body.Args, Env: body.Env, WorkDir: body.WorkDir, User: body.User, TTY: body.TTY},
		Privileged: body.Privileged, DetachKeys: body.DetachKeys,
		AttachStdin: body.Stdin, AttachStdout: !body.Detach, AttachStderr: !body.Detach,
	}
	if body.Size != nil {
		spec.Process.ConsoleSize = [2]uint16{body.Size.Rows, body.Size.Cols}
	}
	if body.Privileged && !c.peer.root && !c.peer.rights.has(GrantCapabilities) {
		return &engine.Error{Op: "exec", Kind: engine.Forbidden, Resource: engine.ResourceContainer, ID: c.ref(), Err: fmt.Errorf("privileged needs the right %q", GrantCapabilities)}
	}
	w := &wish{}
	if body.WorkDir != "" && !path.IsAbs(body.WorkDir) {
		w.failf("working directory %s: must be an absolute path", body.WorkDir)
	}
	w.noNUL("command", append(append([]string{body.WorkDir, body.User}, body.Env...), body.Args...)...)
	if err := errors.Join(w.errs...); err != nil {
		return invalid(err)
	}
	id, err := s.cfg.Execs.CreateExec(ctx, c.ref(), spec)
	if err != nil {
		return err
	}
	stream, err := s.cfg.Execs.StartExec(ctx, id, engine.ExecStart{Detach: body.Detach})
	if err != nil {
		return err
	}
	if body.Detach {
		return c.answer(wire.ExecStarted{ID: string(id)})
	}
	defer stream.Close()
	t, err := take(c, func(size frames.Size) {
		if err := s.cfg.Execs.ResizeExec(ctx, id, size.Rows, size.Cols); err != nil {
			s.cfg.Log.DebugContext(ctx, "resize", "exec", id, "error", err)
		}
	})
	if err != nil {
		return err
	}
	watched, stop := t.watch(ctx)
	defer stop()
	err = stream.Run(watched, t.stdio(body.Stdin, true, true))
	t.finish(err, func() error {
		x, err := s.cfg.Execs.InspectExec(ctx, id)
		if err != nil {
			return err
		}
		if err := t.out.Write(frames.End, nil); err != nil || x.ExitCode == nil {
			return err
		}
		return t.out.WriteJSON(frames.Exit, frames.Status{Code: *x.ExitCode})
	})
	return nil
}

// resize sets the size of the main process's terminal.
func (s *Server) resize(ctx context.Context, c *call) error {
	var size wire.Size
	if err := c.read(&size); err != nil {
		return err
	}
	return c.done(s.cfg.Containers.Resize(ctx, c.ref(), size.Rows, size.Cols))
}

// logs sends frames of what a container wrote. Keys: follow, timestamps, details (what the log driver noted beside each line),
// since, until, tail=N, and stdout or stderr for one of them alone.
func (s *Server) logs(ctx context.Context, c *call) error {
	q, render, err := logQuery(c)
	if err != nil {
		return err
	}
	log, err := s.cfg.Containers.Logs(ctx, c.ref(), q)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := c.begin("application/vnd." + frames.Protocol); err != nil {
		return err
	}
	out := newLogWriter(c.w, render)
	err = log.Read(ctx, out.write, out.to.Flush)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = out.frames.Write(frames.End, nil)
	} else {
		err = out.frames.WriteJSON(frames.Error, encodeError(err))
	}
	return errors.Join(err, out.to.Flush())
}

func logQuery(c *call) (q engine.LogQuery, r logRender, err error) {
	if err := c.flags(map[string]*bool{
		"follow": &q.Follow, "timestamps": &r.timestamps, "details": &r.details, "stdout": &q.Stdout, "stderr": &q.Stderr,
	}); err != nil {
		return q, r, err
	}
	if !q.Stdout && !q.Stderr {
		q.Stdout, q.Stderr = true, true
	}
	v := c.URL.Query()
	for key, to := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if *to, err = instant(v.Get(key)); err != nil {
			return q, r, invalid(fmt.Errorf("%s: %w", key, err))
		}
	}
	q.Tail = -1
	if s := v.Get("tail"); s != "" {
		if q.Tail, err = strconv.Atoi(s); err != nil || q.Tail < 0 {
			return q, r, invalid(fmt.Errorf("tail=%s: not a count", s))
		}
	}
	return q, r, nil
}
