package shim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/inherit"
	"github.com/xcengine/xc/engine/platform/pidlock"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/platform/unixsock"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// Descriptors that a shim inherits beyond the standard ones: its first control connection, then the listeners of its
// proxies.
const (
	clientFD   = 3
	listenerFD = 4
)

const (
	// linger is how long a shim whose main process ended waits for Release while a daemon is there.
	linger = time.Minute
	// firstWord bounds how long a new connection may keep silent.
	firstWord = 10 * time.Second
	// lostGrace is how long the connections of a daemon that dies may take to break, the first to the last.
	lostGrace = time.Second
	// endedKept bounds how many ends of execs are remembered for a daemon that comes later.
	endedKept = 128
)

// ServerConfig is what a shim consists of.
type ServerConfig struct {
	Dir      string // the container's directory
	Launcher Launcher
	Reaper   *reaper.Reaper
	// OpenLog opens the container's log; a nil Log keeps nothing.
	OpenLog func(engine.LogFile) (Log, error)
	Log     *slog.Logger // complaints
}

// server is a shim at work.
type server struct {
	ServerConfig
	sup       engine.Supervision
	listeners []*os.File // of the proxies, until main runs
	l         *net.UnixListener
	lock      *pidlock.Lock
	growth    *growth
	syncing   sync.WaitGroup // of the exit status
	main      *process
	ports     *forwards
	quit      chan struct{} // closed when the shim is to end

	sessions atomic.Pointer[[]*session] // replaced, never changed in place

	mu       sync.Mutex
	phase    phase
	numbered uint64 // control connections
	execs    map[engine.ExecID]*process
	history  []engine.ShimEvent
	dropped  int // how many events of the past are not in history any more
	quitting bool
}

// phase is how far main has come.
type phase uint8

const (
	idle     phase = iota // no Run yet
	starting              // Run was called
	running
	told   // its end was told
	failed // it did not start
)

// Serve runs a shim until it is not needed any more; see the package comment. The process must have been started by Client
// and have become a reaper; its working directory, signals and inherited descriptors are Serve's. When ctx ends that is
// SIGTERM.
func Serve(ctx context.Context, c ServerConfig) error {
	// What is not caught may have been ignored by whoever started xcd, and what is ignored stays so in every program.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGQUIT)
	ctx, release := signal.NotifyContext(ctx, unix.SIGTERM)
	defer release()
	s := &server{ServerConfig: c, ports: &forwards{log: c.Log, dial: dialer(c.Launcher)}, quit: make(chan struct{}), execs: make(map[engine.ExecID]*process)}
	first, err := s.open()
	if err != nil {
		return err
	}
	go s.accept()
	go s.serveFirst(first)
	stop := context.AfterFunc(ctx, s.terminate)
	defer stop()
	<-s.quit
	return s.close()
}

// open takes what was inherited and the container's directory. After an error nothing of the shim is left there.
func (s *server) open() (*net.UnixConn, error) {
	if err := errors.Join(inherit.Stop(), os.Chdir(s.Dir)); err != nil {
		return nil, err
	}
	first, err := unixsock.Conn(os.NewFile(clientFD, "client"))
	if err != nil {
		return nil, fmt.Errorf("inherited connection: %w", err)
	}
	if s.lock, err = pidlock.Acquire(lockName); err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, s.lock.Release())
	}
	return first, nil
}

func (s *server) listen() error {
	for _, name := range []string{exitName, exitTemp, sockName} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	// The name is relative, since the directory's may be longer than an address holds.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: sockName, Net: "unix"})
	if err != nil {
		return err
	}
	if err := os.Chmod(sockName, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	s.l = l
	return nil
}

// serveFirst serves the connection that brings the Supervision. Others are answered only after it was taken.
func (s *server) serveFirst(c *net.UnixConn) {
	r := wire.NewReader(c)
	f, err := r.Next()
	if err == nil && f.Kind != wire.Control {
		err = fmt.Errorf("first frame of kind %d", f.Kind)
	}
	if err != nil {
		if !errors.Is(err, io.EOF) { // the daemon has gone already
			s.Log.Error("inherited connection", "error", err)
		}
		s.end()
		return
	}
	s.serveControl(c, r, f)
}

// supervise takes what the shim is told at its birth.
func (s *server) supervise(sup engine.Supervision) error {
	for i := range sup.Proxies {
		f := os.NewFile(uintptr(listenerFD+i), "listener")
		sup.Proxies[i].Listener = f
		s.listeners = append(s.listeners, f)
	}
	g := &growth{errs: s.Log, grew: s.wakeWatchers}
	var err error
	if sup.Log.Driver != "none" {
		if g.log, err = s.OpenLog(sup.Log); err != nil {
			return fmt.Errorf("failed to initialize logging driver: %w", err) // dockerd's words
		}
	}
	s.sup, s.growth, s.main = sup, g, newProcess("", g, s.clientLost)
	return nil
}

func (s *server) accept() {
	for {
		c, err := s.l.AcceptUnix()
		if err == nil {
			go s.serve(c)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.Log.Error("accept", "error", err)
		time.Sleep(50 * time.Millisecond)
	}
}

// serve finds out what a connection is for.
func (s *server) serve(c *net.UnixConn) {
	_ = c.SetReadDeadline(time.Now().Add(firstWord))
	in := unixsock.NewFileReader(c)
	r := wire.NewReader(in)
	f, err := r.Next()
	files := in.Take()
	if err != nil || f.Kind != wire.Forward {
		for _, f := range files {
			f.Close()
		}
	}
	if err != nil {
		c.Close()
		return
	}
	_ = c.SetReadDeadline(noDeadline)
	if f.Kind != wire.Control && !s.supervised() {
		refuse(c, &engine.Error{Op: "connect", Kind: engine.Unavailable, Resource: engine.ResourceContainer, Err: errors.New("shim is not ready")})
		return
	}
	switch f.Kind {
	case wire.Control:
		s.serveControl(c, r, f)
	case wire.Attach:
		s.serveAttach(c, r, f)
	case wire.Exec:
		s.serveExec(c, r, f)
	case wire.Forward:
		s.serveForward(c, f, files)
	default:
		refuse(c, unknownRequest(f.Kind))
	}
}

// refuse answers a connection's first frame with an error and closes it.
func refuse(c *net.UnixConn, err error) {
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(firstWord))
	_, _ = c.Write(wire.AppendFrame(nil, wire.Frame{Kind: wire.Failure, Payload: wire.EncodeError(err)}))
}

func unknownRequest(k wire.Kind) error {
	return &engine.Error{Op: "request", Kind: engine.NotImplemented, Err: fmt.Errorf("shim of version %d does not know request %d", wire.Version, k)}
}

func (s *server) supervised() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.main != nil
}

// serveAttach connects a client to main's streams.
func (s *server) serveAttach(c *net.UnixConn, r *wire.Reader, f wire.Frame) {
	want, err := wire.DecodeStreams(f.Payload)
	if err != nil {
		refuse(c, err)
		return
	}
	a := newAttachment(s.main, c, want)
	s.main.add(a, wire.Frame{Kind: wire.OK})
	a.input(r.Rest())
}

// clientLost is called when the connection of a client that fed a process breaks. If it was the client alone that went, its
// input has ended. If its daemon went with it, the input has not: the process must not take the half that it got for all.
func (s *server) clientLost(p *process, daemon uint64) {
	time.AfterFunc(lostGrace, func() {
		if slices.ContainsFunc(s.present(), func(ss *session) bool { return ss.number == daemon }) {
			p.inputEnded()
		}
	})
}

// terminate is what SIGTERM does.
func (s *server) terminate() {
	s.mu.Lock()
	runs := s.phase == running || s.phase == starting
	main := s.main
	s.mu.Unlock()
	if !runs {
		s.end()
		return
	}
	<-main.started
	if err := main.signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.Log.Error("pass on SIGTERM", "error", err)
	}
}

// settle ends the shim when nobody needs it. The caller holds mu.
func (s *server) settle() {
	if len(s.present()) == 0 && (s.phase == idle || s.phase == told) || s.phase == failed {
		s.endLocked()
	}
}

func (s *server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

func (s *server) endLocked() {
	if !s.quitting {
		s.quitting = true
		close(s.quit)
	}
}

// close gives back the directory, then closes the control connections: a client that sees that knows that nothing of the
// shim is left to wait for.
func (s *server) close() error {
	defer func() {
		for _, ss := range s.present() {
			ss.c.Close()
		}
	}()
	s.l.Close() // removes the socket
	s.syncing.Wait()
	if s.supervised() {
		s.growth.close()
	}
	for _, f := range s.listeners {
		f.Close()
	}
	if st, err := os.Stat(logName); err == nil && st.Size() == 0 {
		_ = os.Remove(logName)
	}
	return s.lock.Release()
}
