package build

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http2"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

const (
	grpcUnimplemented = "12" // google.golang.org/grpc/codes
	grpcIdle          = time.Minute
)

// grpc takes a connection of BuildKit's client and tells it, at its first call, what to do instead. Were the upgrade itself
// refused, buildx would go looking for another builder and end up starting one in a privileged container.
func grpc(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	return upgraded(ctx, w, r, func(conn net.Conn) {
		server := http2.Server{IdleTimeout: grpcIdle}
		server.ServeConn(conn, &http2.ServeConnOpts{Context: ctx, Handler: http.HandlerFunc(unimplemented)})
	})
}

// session takes the connection on which a BuildKit's client would serve its files and secrets, and asks nothing of it: the build
// that the client begins next tells it what to do instead, where a refusal here would tell it a status alone.
func session(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	return upgraded(ctx, w, r, func(conn net.Conn) {
		_, _ = io.Copy(io.Discard, conn) // until the client has gone
	})
}

// upgraded serves a connection that was taken over, until serve returns or the context ends.
func upgraded(ctx context.Context, w http.ResponseWriter, r *httpx.Request, serve func(net.Conn)) error {
	if err := translate.CheckUpgrade(r.URL.Path, r.Header.Get("Upgrade")); err != nil {
		return err
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	const head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		return nil // the client has gone
	}
	serve(bufferedConn{conn, buffered.Reader})
	return nil
}

// unimplemented ends any call with a status and its message, which go as headers of an answer without a body.
func unimplemented(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", grpcUnimplemented)
	h.Set("Grpc-Message", url.PathEscape(translate.NoBuildKit))
	w.WriteHeader(http.StatusOK)
}

// bufferedConn reads first what the client sent before the connection was taken over.
type bufferedConn struct {
	net.Conn
	early *bufio.Reader
}

func (c bufferedConn) Read(p []byte) (int, error) { return c.early.Read(p) }
