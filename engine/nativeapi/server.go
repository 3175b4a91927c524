package nativeapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/xcengine/xc/engine"
)

// Backend is what the routes need of the engine.
type Backend interface {
	Info(ctx context.Context) (engine.Info, error)
}

// Config is what a Server is made of. All members are needed.
type Config struct {
	Backend  Backend
	Networks Networks
	Version  Version
	PeerUID  func(net.Conn) (int, error)
	Log      *slog.Logger
}

// Server serves the native API.
type Server struct {
	cfg Config
	mux *http.ServeMux
}

// route is one operation.
type route struct {
	pattern string // of http.ServeMux
	handler func(context.Context, *http.Request) (any, error)
}

// New returns a Server with every route.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	for _, r := range s.routes() {
		s.mux.HandleFunc(r.pattern, s.wrap(r))
	}
	s.mux.HandleFunc("/", s.wrap(route{handler: func(_ context.Context, r *http.Request) (any, error) {
		return nil, &engine.Error{Op: r.Method, Kind: engine.NotFound, ID: r.URL.Path, Err: errors.New("no such operation in this version of the API")}
	}}))
	return s
}

func (s *Server) routes() []route {
	return []route{
		{"GET /v1/version", func(context.Context, *http.Request) (any, error) { return s.cfg.Version, nil }},
		{"GET /v1/info", s.info},
		{"POST /v1/networks", s.createNetwork},
		{"POST /v1/networks/reload", s.reloadNetworks},
	}
}

func (s *Server) info(ctx context.Context, _ *http.Request) (any, error) {
	i, err := s.cfg.Backend.Info(ctx)
	if err != nil {
		return nil, err
	}
	return Info{
		Version: i.Version, StateDir: i.StateDir, StorageDriver: i.Driver, Runtime: i.Capabilities.Runtime,
		OSType: i.Capabilities.OSType, Architecture: i.Capabilities.Architecture, Kernel: i.Capabilities.KernelVersion,
		Firewall: i.FirewallBackend, Images: i.Images, Warnings: append([]string{}, i.Warnings...),
		Containers: map[string]int{"running": i.Running, "paused": i.Paused, "stopped": i.Stopped},
	}, nil
}

// peerKey is the key of a connection's peer in its requests' context.
type peerKey struct{}

// Serve serves a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.mux, ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			uid, err := s.cfg.PeerUID(c)
			if err != nil {
				s.cfg.Log.WarnContext(ctx, "peer not known", "error", err)
				return ctx
			}
			return context.WithValue(ctx, peerKey{}, uid)
		},
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// wrap checks the peer, runs the handler and writes what it returns.
func (s *Server) wrap(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		uid, known := req.Context().Value(peerKey{}).(int)
		var answer any
		err := error(&engine.Error{Op: req.Method, Kind: engine.Forbidden, ID: req.URL.Path, Err: errors.New("only root may use this socket")})
		if known && uid == 0 {
			answer, err = r.handler(req.Context(), req)
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(status(engine.KindOf(err)))
			answer = EncodeError(err)
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			s.cfg.Log.DebugContext(req.Context(), "client left", "path", req.URL.Path, "error", err)
		}
	}
}

func status(k engine.Kind) int {
	switch k {
	case engine.NotFound:
		return http.StatusNotFound
	case engine.Invalid:
		return http.StatusBadRequest
	case engine.Conflict:
		return http.StatusConflict
	case engine.Forbidden:
		return http.StatusForbidden
	case engine.Unauthorized:
		return http.StatusUnauthorized
	case engine.Unavailable:
		return http.StatusServiceUnavailable
	case engine.NotImplemented:
		return http.StatusNotImplemented
	case engine.TooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}
