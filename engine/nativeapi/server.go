package nativeapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fdpass"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

const (
	// headerTimeout bounds how long a client may take to send the head of a request.
	headerTimeout = 10 * time.Second
	// grace bounds how long requests in hand may go on when the server is told to stop.
	grace = 5 * time.Second
)

// Services are what the routes need of the engine, each by its role.
type Services struct {
	System     System
	Containers Containers
	Execs      Execs
	Images     Images
	Networks   Networks
	// Memberships are the containers' places in networks.
	Memberships Memberships
	Volumes     Volumes
	Builder     Builder
	Registries  Registries
	Host        engine.Platform // what names of platforms leave out
}

// Config is what a Server is made of. All members are needed.
type Config struct {
	Services
	Version wire.Version
	PeerUID func(net.Conn) (int, error)
	Policy  Policy // of users other than root
	// Inert tells whether files on the file system of an open file give nobody rights: neither by set-user-ID bits nor as devices.
	Inert func(*os.File) (bool, error)
	// Listen makes a further socket, which its listener's Close removes.
	Listen func(ctx context.Context, path string) (net.Listener, error)
	Log    *slog.Logger
}

// Server serves the native API.
type Server struct {
	cfg Config
	mux *http.ServeMux

	channels channels
	stopping context.Context // ends the channels
	stop     context.CancelFunc
}

// New returns a Server with every route.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux(), channels: channels{open: map[string]*channel{}}}
	s.stopping, s.stop = context.WithCancel(context.Background())
	for _, r := range s.routes() {
		s.mux.HandleFunc(r.pattern, s.wrap(r))
	}
	s.mux.HandleFunc("/", s.wrap(route{handler: unknown}))
	return s
}

// unknown answers for what no route serves.
func unknown(_ context.Context, c *call) error {
	return &engine.Error{Op: c.Method, Kind: engine.NotFound, ID: c.URL.Path, Err: errors.New("no such operation in this version of the API")}
}

// endingKey is the key of the context whose end is that of a connection's listener, in its requests' context.
type endingKey struct{}

// listening is a context that ends, before anything that the server cuts off by itself does, with the listener a request came by.
func (s *Server) listening(ctx context.Context) context.Context {
	if e, ok := ctx.Value(endingKey{}).(context.Context); ok {
		return e
	}
	return s.stopping
}

// peerKey is the key of a connection's peer in its requests' context.
type peerKey struct{}

// Serve serves a listener until ctx ends, and with it every channel. Then it takes no new connections, ends streams at once,
// gives other requests a short while and cancels those that are left.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer s.endChannels()
	defer s.stop()
	defer context.AfterFunc(ctx, s.stop)()
	return s.serve1(ctx, l)
}

// serve1 serves one listener and closes it. Streams of this listener's clients end with it.
func (s *Server) serve1(ctx context.Context, l net.Listener) error {
	requests, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), endingKey{}, ctx))
	defer cancel()
	server := &http.Server{
		Handler: s.mux, ReadHeaderTimeout: headerTimeout, BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		ConnContext: s.know,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(fdpass.Listen(l)) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patience, done := context.WithTimeout(requests, grace)
	defer done()
	if server.Shutdown(patience) != nil {
		s.cfg.Log.WarnContext(requests, "requests were cut off by the end of the server")
	}
	cancel()
	err := server.Close()
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// know notes who is at the other end of a connection.
func (s *Server) know(ctx context.Context, c net.Conn) context.Context {
	if carrying, ok := c.(*fdpass.Conn); ok {
		ctx = context.WithValue(ctx, connectionKey{}, carrying)
		c = carrying.UnixConn
	}
	uid, err := s.cfg.PeerUID(c)
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "peer not known", "error", err)
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, uid)
}
