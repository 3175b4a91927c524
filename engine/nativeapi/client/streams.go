package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/xcengine/xc/engine/internal/detach"
	"github.com/xcengine/xc/engine/nativeapi/internal/frames"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// DetachKeys leave a terminal unless others are named; Docker's, ctrl-p ctrl-q, then do too.
const (
	DetachKeys       = "ctrl-p,q"
	dockerDetachKeys = "ctrl-p,ctrl-q"
)

// ErrDetached ends the streams of a client that left a terminal by its detach keys. The process goes on.
var ErrDetached = errors.New("detached")

// Streams are a client's ends of a process's streams. Nil members are not wanted.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Resized gives the terminal's size whenever it changes; it may be nil.
	Resized <-chan wire.Size
	// Attached, unless it is nil, is called when the streams are connected and before anything is moved.
	Attached func() error
}

// Attach moves the streams of a container's main process, of the present or of the next run, and returns the exit code that
// how.Until asks for. tty says that the container has a terminal.
func (c *Client) Attach(ctx context.Context, ref string, how wire.Attach, tty bool, s Streams) (int, error) {
	how.Stdin, how.Stdout, how.Stderr = s.Stdin != nil, s.Stdout != nil, s.Stderr != nil
	return c.stream(ctx, path("containers", ref, "attach"), how, keysOf(&how.DetachKeys, tty), s)
}

// Exec runs a further process in a container and returns its exit code.
func (c *Client) Exec(ctx context.Context, ref string, what wire.Exec, s Streams) (int, error) {
	what.Stdin = s.Stdin != nil
	keys := keysOf(&what.DetachKeys, what.TTY)
	return c.stream(ctx, path("containers", ref, "exec"), what, keys, s)
}

// ExecDetached starts a further process in a container and returns its id.
func (c *Client) ExecDetached(ctx context.Context, ref string, what wire.Exec) (started wire.ExecStarted, err error) {
	what.Detach = true
	return started, c.call(ctx, http.MethodPost, path("containers", ref, "exec"), nil, what, &started)
}

// keysOf completes detach keys and returns those that the client looks for: none without a terminal.
func keysOf(keys *string, tty bool) []string {
	switch {
	case !tty:
		return nil
	case *keys == "":
		*keys = DetachKeys
		return []string{DetachKeys, dockerDetachKeys}
	}
	return []string{*keys}
}

// stream takes a connection over and moves frames until the last one.
func (c *Client) stream(ctx context.Context, path string, body any, keys []string, s Streams) (int, error) {
	conn, from, err := c.upgrade(ctx, path, body)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	w := frames.NewWriter(conn)
	m := &mover{conn: conn, s: s, w: w, out: frames.NewOutput(w), left: make(chan error, 1), done: make(chan struct{})}
	defer close(m.done)
	defer m.out.End()
	if s.Attached != nil {
		if err := s.Attached(); err != nil {
			return 0, err
		}
	}
	if s.Stdin != nil {
		if err := m.send(keys); err != nil {
			return 0, err
		}
	}
	if s.Resized != nil {
		go m.resize()
	}
	code, err := m.receive(frames.NewReader(from))
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return code, err
}

// upgrade asks for an operation that takes the connection over.
func (c *Client) upgrade(ctx context.Context, path string, body any) (net.Conn, *bufio.Reader, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	from, err := c.handshake(ctx, conn, path, body)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, from, nil
}

func (c *Client) handshake(ctx context.Context, conn net.Conn, path string, body any) (*bufio.Reader, error) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	req, err := c.request(ctx, http.MethodPost, path, nil, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", frames.Protocol)
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	from := bufio.NewReader(conn)
	resp, err := http.ReadResponse(from, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return from, nil
	}
	defer resp.Body.Close()
	return nil, readError(resp)
}

// mover moves one process's streams.
type mover struct {
	conn net.Conn
	s    Streams
	w    *frames.Writer
	out  *frames.Output
	left chan error // ErrDetached, when the client left by its keys
	done chan struct{}
}

// send begins to send the input. Its end, or the detach keys', is sent too.
func (m *mover) send(keys []string) error {
	in := m.s.Stdin
	for _, k := range keys {
		parsed, err := detach.Parse(k)
		if err != nil {
			return fmt.Errorf("detach keys %s: %w", k, err)
		}
		in = detach.NewReader(in, parsed)
	}
	go func() {
		_, err := io.Copy(m.out, in)
		if errors.Is(err, detach.ErrDetached) {
			m.leave(keys[0])
			return
		}
		_ = m.w.Write(frames.Stdin, nil)
	}()
	return nil
}

// leave ends the streams of a client that typed its detach keys: by the keys that the daemon knows, or, when the process does
// not even take the input before them, by going.
func (m *mover) leave(keys string) {
	m.left <- ErrDetached
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		m.conn.Close()
		return
	}
	parsed, _ := detach.Parse(keys)
	_, _ = m.out.Write(parsed)
}

// patience bounds how long a client that leaves waits to be let go.
const patience = time.Second

func (m *mover) resize() {
	for {
		select {
		case size, open := <-m.s.Resized:
			if !open || m.w.WriteJSON(frames.Resize, frames.Size(size)) != nil {
				return
			}
		case <-m.done:
			return
		}
	}
}

// receive delivers the output until the last frame.
func (m *mover) receive(r *frames.Reader) (int, error) {
	ended := false
	for {
		kind, p, err := r.Read()
		if err == io.EOF && ended {
			return 0, ErrDetached
		}
		if err != nil {
			select {
			case left := <-m.left:
				return 0, left
			default:
				return 0, fmt.Errorf("the daemon has gone: %w", err)
			}
		}
		switch kind {
		case frames.Stdout:
			err = deliver(m.s.Stdout, p)
		case frames.Stderr:
			err = deliver(m.s.Stderr, p)
		case frames.Ack:
			err = m.out.Acked(p)
		case frames.End:
			ended = true
			select {
			case err = <-m.left:
			default:
			}
		case frames.Exit:
			var status frames.Status
			err := json.Unmarshal(p, &status)
			return status.Code, err
		case frames.Error:
			return 0, frameError(p)
		}
		if err != nil {
			return 0, err
		}
	}
}

func deliver(w io.Writer, p []byte) error {
	if w == nil {
		return nil
	}
	_, err := w.Write(p)
	return err
}

func frameError(p []byte) error {
	var e wire.Error
	if err := json.Unmarshal(p, &e); err != nil {
		return err
	}
	return decodeError(e)
}

// Logs writes what a container wrote, until its end or, following, until the container's.
func (c *Client) Logs(ctx context.Context, ref string, q LogQuery, stdout, stderr io.Writer) error {
	req, err := c.request(ctx, http.MethodGet, path("containers", ref, "logs"), q.values(), nil)
	if err != nil {
		return err
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for r := frames.NewReader(bufio.NewReaderSize(resp.Body, frames.MaxFrame)); ; {
		kind, p, err := r.Read()
		switch {
		case err != nil:
			return fmt.Errorf("the daemon has gone: %w", err)
		case kind == frames.Stdout:
			err = deliver(stdout, p)
		case kind == frames.Stderr:
			err = deliver(stderr, p)
		case kind == frames.Error:
			return frameError(p)
		case kind == frames.End:
			return nil
		}
		if err != nil {
			return err
		}
	}
}
