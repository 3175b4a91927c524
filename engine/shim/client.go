package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/pidlock"
	"github.com/xcengine/xc/engine/platform/unixsock"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// Client starts and finds shims. It has the methods of lifecycle.Shims, with its own type of shim.
type Client struct {
	binary string
	log    *slog.Logger
}

// NewClient returns a client that starts the program binary, an absolute path, as shims.
func NewClient(binary string, log *slog.Logger) *Client {
	return &Client{binary: binary, log: log}
}

const (
	// startTime bounds how long a shim may take to come up. The last one in its directory may still be about to end.
	startTime = 30 * time.Second
	// openTime bounds the handshake with a shim that was found, when the caller sets no bound.
	openTime = 10 * time.Second
	// cleanTime bounds how long a killed shim may take to be gone.
	cleanTime = 10 * time.Second
)

// Start brings up a shim without a main process. It lives apart from this process, in a session of its own, and ends by
// itself when this process goes before it called Run. The listeners in s.Proxies are passed on; the caller's stay his.
func (c *Client) Start(ctx context.Context, s engine.Supervision) (*Handle, error) {
	fail := func(err error) error {
		return &engine.Error{Op: "start shim", Kind: engine.KindOf(err), Resource: engine.ResourceContainer, ID: string(s.ID), Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	s.Proxies = withListener(s.Proxies)
	conn, theirs, err := unixsock.Pair()
	if err != nil {
		return nil, fail(err)
	}
	p, err := c.spawn(s, theirs)
	theirs.Close()
	if err != nil {
		conn.Close()
		return nil, fail(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.reap(p, s)
	}()
	h, err := connect(ctx, conn, s.ID, s.Dir, &s)
	if err != nil {
		conn.Close()
		_ = p.Kill() // it may have ended by itself
		<-ended
		return nil, fail(withLog(err, s.Dir))
	}
	return h, nil
}

// withListener leaves out proxies that have nothing to pass on: what the host cannot bind.
func withListener(all []engine.Proxy) []engine.Proxy {
	var some []engine.Proxy
	for _, p := range all {
		if p.Listener != nil {
			some = append(some, p)
		}
	}
	return some
}

// spawn starts the program.
func (c *Client) spawn(s engine.Supervision, client *os.File) (*os.Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	complaints, err := os.OpenFile(filepath.Join(s.Dir, logName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer complaints.Close()
	files := []*os.File{null, null, complaints, client}
	for _, p := range s.Proxies {
		files = append(files, p.Listener)
	}
	return os.StartProcess(c.binary, []string{filepath.Base(c.binary), s.Dir}, &os.ProcAttr{
		Files: files,
		// The daemon's environment is none of the containers' business.
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
}

// reap takes the end of a shim that this process started.
func (c *Client) reap(p *os.Process, s engine.Supervision) {
	st, err := p.Wait()
	switch {
	case err != nil:
		c.log.Error("wait for shim", "container", s.ID, "error", err)
	case st.ExitCode() > 0:
		c.log.Warn("shim ended badly", "container", s.ID, "status", st.String(), "log", complaint(s.Dir))
	case !st.Success():
		c.log.Info("shim was killed", "container", s.ID, "status", st.String())
	}
}

// withLog adds what a shim complained of to an error.
func withLog(err error, dir string) error {
	if why := complaint(dir); why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}

// complaint is the last line of a shim's own log.
func complaint(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// Open connects to a shim that an earlier daemon started. It is NotFound when none lives; a living one that does not answer
// is Unavailable.
func (c *Client) Open(ctx context.Context, id engine.ContainerID, dir string) (*Handle, error) {
	fail := func(k engine.Kind, err error) error {
		return &engine.Error{Op: "open shim", Kind: k, Resource: engine.ResourceContainer, ID: string(id), Err: err}
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, openTime)
		defer cancel()
	}
	conn, err := dialLiving(ctx, dir)
	if err != nil {
		k := engine.Unavailable
		if errors.Is(err, fs.ErrNotExist) {
			k = engine.NotFound
		}
		return nil, fail(k, err)
	}
	h, err := connect(ctx, conn, id, dir, nil)
	if err != nil {
		conn.Close()
		return nil, fail(engine.Unavailable, err)
	}
	return h, nil
}

// dialLiving connects to the shim in dir. When there is none the error is fs.ErrNotExist. One that lives and does not listen
// is about to begin or to end: which of them shows soon.
func dialLiving(ctx context.Context, dir string) (*net.UnixConn, error) {
	for {
		conn, err := unixsock.Dial(ctx, dir, sockName)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
			return conn, err
		}
		pid, lerr := pidlock.Holder(filepath.Join(dir, lockName))
		if lerr != nil {
			return nil, lerr
		}
		if pid == 0 {
			return nil, fs.ErrNotExist
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("shim %d does not listen: %w", pid, ctx.Err())
		}
	}
}

// Exit reads the exit status of the container's last run. It is NotFound when its shim wrote none.
func (c *Client) Exit(_ context.Context, dir string) (engine.ExitStatus, error) {
	st, err := readExit(filepath.Join(dir, exitName))
	if err != nil {
		k := engine.Internal
		if errors.Is(err, fs.ErrNotExist) {
			k = engine.NotFound
		}
		return st, &engine.Error{Op: "read exit status", Kind: k, Resource: engine.ResourceContainer, Err: err}
	}
	return st, nil
}

// Clean kills the shim in dir, if one lives, and removes what the last run left there, the exit status included. The
// container's processes are not killed with it.
func (c *Client) Clean(_ context.Context, dir string) error {
	errs := []error{pidlock.Kill(filepath.Join(dir, lockName), cleanTime)}
	for _, name := range []string{sockName, exitName, exitTemp, logName, lockName} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &engine.Error{Op: "clean shim", Resource: engine.ResourceContainer, Err: err}
	}
	return nil
}

// hello makes a connection a control connection. The answer says what the shim is.
func hello(ctx context.Context, conn *net.UnixConn, r *wire.Reader, s *engine.Supervision) (wire.Welcome, error) {
	first := wire.Frame{Kind: wire.Control, Payload: wire.Hello{Version: wire.Version, Supervision: s}.Encode()}
	f, err := exchange(ctx, conn, r, sending(conn, first))
	if err != nil {
		return wire.Welcome{}, err
	}
	return wire.DecodeWelcome(f.Payload)
}

func sending(conn *net.UnixConn, f wire.Frame) func() error {
	return func() error {
		_, err := conn.Write(wire.AppendFrame(nil, f))
		return err
	}
}

// exchange sends a connection's first frame and waits for the answer.
func exchange(ctx context.Context, conn *net.UnixConn, r *wire.Reader, send func() error) (f wire.Frame, err error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if err = send(); err == nil {
		f, err = r.Next()
	}
	if !stop() {
		return f, context.Cause(ctx) // the deadline stands, the connection is of no more use
	}
	if err != nil {
		return f, gone(ctx, err)
	}
	switch f.Kind {
	case wire.OK:
		return f, nil
	case wire.Failure:
		return f, wire.DecodeError(f.Payload)
	}
	return f, fmt.Errorf("answer of kind %d", f.Kind)
}

// gone is the error of a connection that failed: the caller's own end, or the shim's.
func gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &engine.Error{Op: "talk to shim", Kind: engine.Unavailable, Resource: engine.ResourceContainer, Err: err}
}
