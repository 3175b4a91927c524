package shim

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// session is one control connection.
type session struct {
	s      *server
	c      *net.UnixConn
	number uint64 // by which the daemon's other connections name it

	writing sync.Mutex
	wake    chan struct{} // something may have to be told
	gone    chan struct{}

	watching atomic.Bool // word of the next growth is wanted
	told     int         // events
	size     uint64      // of the log when its growth was told last; the teller's own
}

// serveControl serves a control connection to its end.
func (s *server) serveControl(c *net.UnixConn, r *wire.Reader, first wire.Frame) {
	defer c.Close()
	hello, err := wire.DecodeHello(first.Payload)
	if err == nil {
		err = s.hello(hello)
	}
	if err != nil {
		refuse(c, err)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.main == nil {
			s.endLocked()
		}
		return
	}
	ss := &session{s: s, c: c, wake: make(chan struct{}, 1), gone: make(chan struct{})}
	s.enter(ss)
	ss.reply(first.Number, wire.Welcome{Version: wire.Version, Pid: os.Getpid(), Session: ss.number}.Encode(), nil)
	go ss.tell()
	ss.poke()
	for {
		f, err := r.Next()
		if err != nil {
			break
		}
		ss.request(f)
	}
	close(ss.gone)
	s.leave(ss)
}

func (s *server) enter(ss *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbered++
	ss.number = s.numbered
	all := append(slices.Clone(s.present()), ss)
	s.sessions.Store(&all)
}

func (s *server) leave(ss *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(s.present()), func(o *session) bool { return o == ss })
	s.sessions.Store(&all)
	s.settle()
}

// present lists the control connections; nobody changes the list.
func (s *server) present() []*session {
	if all := s.sessions.Load(); all != nil {
		return *all
	}
	return nil
}

// hello checks a connection's first frame. The first of all brings the Supervision, no other one does.
func (s *server) hello(h wire.Hello) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case h.Version < 1:
		return &engine.Error{Op: "connect", Kind: engine.Invalid, Err: errors.New("no protocol version")}
	case s.main == nil && h.Supervision == nil:
		return &engine.Error{Op: "connect", Kind: engine.Unavailable, Err: errors.New("shim is not ready")}
	case s.main != nil && h.Supervision != nil:
		return &engine.Error{Op: "connect", Kind: engine.Conflict, Err: errors.New("shim has its supervision")}
	case h.Supervision != nil:
		return s.supervise(*h.Supervision)
	}
	return nil
}

// request answers one request. What takes time is answered later; others go on meanwhile.
func (ss *session) request(f wire.Frame) {
	switch f.Kind {
	case wire.Run:
		l, err := wire.DecodeLaunch(f.Payload)
		if err != nil {
			ss.reply(f.Number, nil, err)
			return
		}
		go ss.s.run(l, func(pid int, err error) { ss.reply(f.Number, wire.EncodePid(pid), err) })
	case wire.Resize, wire.Signal:
		t, err := wire.DecodeTarget(f.Payload)
		if err == nil {
			err = ss.s.target(f.Kind, t)
		}
		ss.reply(f.Number, nil, err)
	case wire.Status:
		ss.reply(f.Number, wire.EncodeStatus(ss.s.status()), nil)
	case wire.Watch:
		ss.watching.Store(true)
		ss.poke()
	case wire.Release:
		err := ss.s.releasable()
		ss.reply(f.Number, nil, err)
		if err == nil {
			ss.s.end()
		}
	default:
		ss.reply(f.Number, nil, unknownRequest(f.Kind))
	}
}

func (ss *session) reply(number uint16, payload []byte, err error) {
	if err != nil {
		ss.write(wire.Frame{Kind: wire.Failure, Number: number, Payload: wire.EncodeError(err)})
		return
	}
	ss.write(wire.Frame{Kind: wire.OK, Number: number, Payload: payload})
}

// write sends a frame. A daemon that has not read for long is taken for gone.
func (ss *session) write(f wire.Frame) {
	ss.writing.Lock()
	defer ss.writing.Unlock()
	_ = ss.c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := ss.c.Write(wire.AppendFrame(nil, f)); err != nil {
		ss.c.Close()
	}
}

func (ss *session) poke() {
	select {
	case ss.wake <- struct{}{}:
	default:
	}
}

// tell sends what has happened: events, then growth of the log.
func (ss *session) tell() {
	for {
		select {
		case <-ss.wake:
		case <-ss.gone:
			return
		}
		for _, e := range ss.news() {
			ss.write(wire.Frame{Kind: wire.Event, Payload: wire.EncodeEvent(e)})
		}
		g := ss.s.growth
		if size := g.size.Load(); size != ss.size && ss.watching.CompareAndSwap(true, false) {
			ended := g.finished()
			ss.size = size
			ss.write(wire.Frame{Kind: wire.Logged})
			if ended {
				ss.write(wire.Frame{Kind: wire.LogEnd})
			}
		}
	}
}

// news returns the events that were not told yet.
func (ss *session) news() []engine.ShimEvent {
	s := ss.s
	s.mu.Lock()
	defer s.mu.Unlock()
	from := max(ss.told-s.dropped, 0)
	ss.told = s.dropped + len(s.history)
	return append([]engine.ShimEvent(nil), s.history[from:]...)
}

// record adds an event and tells it everyone. Of those that everyone can have heard only the latest are kept.
func (s *server) record(e engine.ShimEvent) {
	s.mu.Lock()
	s.history = append(s.history, e)
	if over := len(s.history) - endedKept; over > 0 {
		for _, old := range s.history[:over] {
			delete(s.execs, old.Exec)
		}
		s.history = append([]engine.ShimEvent(nil), s.history[over:]...)
		s.dropped += over
	}
	s.mu.Unlock()
	for _, ss := range s.present() {
		ss.poke()
	}
}

// wakeWatchers is called after every growth of the log.
func (s *server) wakeWatchers() {
	for _, ss := range s.present() {
		if ss.watching.Load() {
			ss.poke()
		}
	}
}
