package dockerapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

const (
	// headerTimeout bounds how long a client may take to send the head of a request.
	headerTimeout = 30 * time.Second
	// grace bounds how long requests in hand may go on when the server is told to stop.
	grace = 10 * time.Second
)

// Config is what a Server is made of. All members are needed.
type Config struct {
	Backends
	Host translate.Host
	Log  *slog.Logger
	Now  func() time.Time
}

// Server serves the Docker API. It is an http.Handler; Serve runs it upon a listener.
type Server struct {
	host translate.Host
	log  *slog.Logger
	mux  *mux.Router

	stopping context.Context // ends what lasts as long as its client wants
	stop     context.CancelFunc

	mu     sync.Mutex
	active int           // requests in hand, hijacked ones too
	idle   chan struct{} // closed when there is none; nil while nobody waits
}

// New returns a Server that routes the whole operations table.
func New(cfg Config) *Server {
	s := &Server{host: cfg.Host, log: cfg.Log, mux: mux.NewRouter()}
	s.stopping, s.stop = context.WithCancel(context.Background())
	for _, rt := range table(cfg.Backends, httpx.Env{Log: cfg.Log, Now: cfg.Now, Host: cfg.Host}) {
		h := s.serve(rt)
		s.mux.Methods(rt.Method).Path("/v{version:[0-9.]+}" + rt.Pattern).Handler(h)
		s.mux.Methods(rt.Method).Path(rt.Pattern).Handler(h)
	}
	unknown := s.serve(httpx.Route{Handler: notFound})
	s.mux.NotFoundHandler = unknown
	s.mux.MethodNotAllowedHandler = unknown
	return s
}

// notFound answers for a path or a method that is not in the table; dockerd does not tell the two apart.
func notFound(_ context.Context, w http.ResponseWriter, _ *httpx.Request) error {
	httpx.WriteMessage(w, http.StatusNotFound, "page not found")
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.active++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.active--; s.active == 0 && s.idle != nil {
			close(s.idle)
			s.idle = nil
		}
	}()
	s.mux.ServeHTTP(w, r)
}

// Serve accepts connections until ctx ends. Then it takes no new ones, ends streams at once, gives other requests a short
// while and cancels those that are left. It closes l, and returns nil unless accepting failed. It may run for several
// listeners at once; when one of them stops, the streams of all end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.stop()
	patience, done := context.WithTimeout(requests, grace)
	defer done()
	if srv.Shutdown(patience) != nil || !s.awaitIdle(patience) {
		s.log.Warn("requests were cut off by the end of the server")
	}
	cancel()
	err := srv.Close()
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// awaitIdle reports whether all requests ended before ctx did.
func (s *Server) awaitIdle(ctx context.Context) bool {
	s.mu.Lock()
	if s.active == 0 {
		s.mu.Unlock()
		return true
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return true
	case <-ctx.Done():
		return false
	}
}
