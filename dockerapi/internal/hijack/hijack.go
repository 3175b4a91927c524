// Package hijack takes an HTTP connection over for a process's streams, as attach and exec do: no byte that the client sent
// early is lost, each side can end its own direction, and a client that has gone is noticed even while nothing is moved.
package hijack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/docker/docker/api/types"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/dockerapi/internal/stdcopy"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// linger bounds how long a finished stream waits for its client's end. Closing while input of the client is still unread
// would make the kernel reset the connection, and the client could lose output that it has not read.
const linger = 5 * time.Second

// Stream is a connection that was taken over.
type Stream struct {
	conn net.Conn
	in   io.Reader
	out  io.Writer // of standard output
	err  io.Writer // of standard error
}

// Take answers a request by taking its connection over: 101 when the client asked for an upgrade, else 200 with a body that
// lasts until the connection ends. tty says that the streams are one and not multiplexed. After an error that this returns
// the answer can still be written as usual.
func Take(w http.ResponseWriter, r *httpx.Request, tty bool) (*Stream, error) {
	// A body, which dockerode sends, is part of the request: what follows it is the stream's.
	if r.ContentLength > 0 {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, &engine.Error{Kind: engine.Invalid, Err: fmt.Errorf("read the request's body: %w", err)}
		}
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, &engine.Error{Kind: engine.Internal, Err: fmt.Errorf("take over the connection: %w", err)}
	}
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	s := &Stream{conn: conn, in: io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn), out: conn, err: conn}
	if !tty {
		m := stdcopy.New(conn)
		s.out, s.err = m.Stream(stdcopy.Stdout), m.Stream(stdcopy.Stderr)
	}
	// Should the head not reach the client, the first use of the stream tells.
	_, _ = conn.Write(head(w.Header(), r, tty))
	return s, nil
}

// head renders status line and headers.
func head(h http.Header, r *httpx.Request, tty bool) []byte {
	upgrade := r.WantsUpgrade()
	h.Set("Content-Type", translate.StreamType(r.Version, tty, upgrade))
	var b bytes.Buffer
	if upgrade {
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "tcp")
		b.WriteString("HTTP/1.1 101 UPGRADED\r\n")
	} else {
		b.WriteString("HTTP/1.1 200 OK\r\n")
	}
	_ = h.Write(&b) // into memory
	b.WriteString("\r\n")
	return b.Bytes()
}

// Refuse tells an error as dockerd does where it would have taken the connection over for an attach: in plain words, which end
// with the connection. It returns the error.
func Refuse(w http.ResponseWriter, refused error) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return refused // which the server then writes as any other
	}
	status := httpx.Status(refused)
	// A failure to write means that the client has gone.
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n\r\n%s\r\n", status, http.StatusText(status), types.MediaTypeRawStream, translate.Message(refused))
	(&Stream{conn: conn}).Close()
	return refused
}

// Stdio returns the streams of the connection. Without wantStdin nothing is read of the client.
func (s *Stream) Stdio(wantStdin bool) engine.Stdio {
	io := engine.Stdio{Stdout: s.out, Stderr: s.err}
	if wantStdin {
		io.Stdin = s.in
	}
	return io
}

// Say writes a sentence of the engine on standard output, as dockerd tells of an exec that could not be started.
func (s *Stream) Say(text string) { _, _ = fmt.Fprintf(s.out, "%s\r\n", text) }

// Watch returns a context that also ends when the client has gone, not when it merely will send no more. stop ends the
// watching.
func (s *Stream) Watch(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	unwatch := notifyGone(s.conn, cancel)
	return ctx, func() { unwatch(); cancel() }
}

// Close ends our direction, waits a while for the client to end its own, and closes the connection.
func (s *Stream) Close() {
	defer s.conn.Close()
	half, ok := s.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if s.conn.SetReadDeadline(time.Now().Add(linger)) == nil {
		_, _ = io.Copy(io.Discard, s.conn)
	}
}
