package httpx

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/xcengine/xc/translate"
)

// Handler serves one operation. ctx ends when the client goes away, unless the connection was hijacked, and when the server
// shuts down. An error is returned only while nothing has been written.
type Handler func(ctx context.Context, w http.ResponseWriter, r *Request) error

// Route is one line of the operations table.
type Route struct {
	Method string
	// Pattern is the path below the version, in the terms of gorilla/mux; names of things are "{name:.*}", for they may
	// contain slashes. Of two patterns that fit, the earlier one in the table serves.
	Pattern string
	// Since is the API version below which dockerd refuses the operation; zero where it does not look.
	Since translate.Version
	// Stream says that the operation lasts as long as its client wants, so that shutting down ends it at once.
	Stream  bool
	Handler Handler
}

// Env is what every group is given beside its backend.
type Env struct {
	Log  *slog.Logger
	Now  func() time.Time
	Host translate.Host
}
