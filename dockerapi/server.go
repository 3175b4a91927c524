package dockerapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
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
	now  func() time.Time
	mux  *mux.Router

	// stopping ends what lasts as long as its client wants; active counts the requests in hand, hijacked ones too.
	stopping context.Context
	stop     context.CancelFunc
	active   sync.WaitGroup
}

// New returns a Server that routes the whole operations table.
func New(cfg Config) *Server {
	s := &Server{host: cfg.Host, log: cfg.Log, now: cfg.Now, mux: mux.NewRouter()}
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

// notFound answers for a path or a method that is not in the table; dockerd tells the two not apart.
func notFound(_ context.Context, w http.ResponseWriter, _ *httpx.Request) error {
	httpx.WriteMessage(w, http.StatusNotFound, "page not found")
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.active.Add(1)
	defer s.active.Done()
	s.mux.ServeHTTP(w, r)
}
