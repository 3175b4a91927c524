package nativeapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Channels are further sockets that a client asked for. They end with the server.
type channels struct {
	mu   sync.Mutex
	open map[string]*channel
}

type channel struct {
	stop context.CancelFunc
	done chan struct{}
}

func (s *Server) channelRoutes() []route {
	return []route{
		{pattern: "GET /v1/channels", handler: s.listChannels},
		{pattern: "POST /v1/channels", handler: s.createChannel},
		{pattern: "DELETE /v1/channels", handler: s.removeChannel},
	}
}

func (s *Server) listChannels(_ context.Context, c *call) error {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	all := []wire.Channel{}
	for p := range s.channels.open {
		all = append(all, wire.Channel{Path: p})
	}
	slices.SortFunc(all, func(a, b wire.Channel) int { return strings.Compare(a.Path, b.Path) })
	return c.answer(all)
}

// createChannel listens on a further socket, with the same rules for who asks. Nothing that is there is replaced, but a socket
// that nobody serves.
func (s *Server) createChannel(ctx context.Context, c *call) error {
	var body wire.Channel
	if err := c.read(&body); err != nil {
		return err
	}
	if !path.IsAbs(body.Path) || strings.ContainsRune(body.Path, 0) {
		return invalid(fmt.Errorf("socket %q: must be an absolute path", body.Path))
	}
	at := path.Clean(body.Path)
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	if s.stopping.Err() != nil {
		return &engine.Error{Kind: engine.Unavailable, Err: errors.New("the daemon is ending")}
	}
	if s.channels.open[at] != nil {
		return &engine.Error{Op: "listen", Kind: engine.Conflict, Resource: engine.ResourcePath, ID: at, Err: fmt.Errorf("%s is a channel already", at)}
	}
	l, err := s.cfg.Listen(ctx, at)
	if err != nil {
		return err
	}
	s.serveChannel(at, l)
	return c.done(nil)
}

// serveChannel serves a listener until the channel is removed or the server ends. The caller holds the lock.
func (s *Server) serveChannel(at string, l net.Listener) {
	ctx, stop := context.WithCancel(s.stopping)
	ch := &channel{stop: stop, done: make(chan struct{})}
	s.channels.open[at] = ch
	go func() {
		defer close(ch.done)
		if err := s.serve1(ctx, l); err != nil {
			s.cfg.Log.WarnContext(ctx, "channel ended", "socket", at, "error", err)
		}
		s.channels.mu.Lock()
		defer s.channels.mu.Unlock()
		if s.channels.open[at] == ch {
			delete(s.channels.open, at)
		}
	}()
}

func (s *Server) removeChannel(_ context.Context, c *call) error {
	var body wire.Channel
	if err := c.read(&body); err != nil {
		return err
	}
	at := path.Clean(body.Path)
	s.channels.mu.Lock()
	ch := s.channels.open[at]
	s.channels.mu.Unlock()
	if ch == nil {
		return &engine.Error{Op: "remove", Kind: engine.NotFound, Resource: engine.ResourcePath, ID: at, Err: fmt.Errorf("%s is not a channel", at)}
	}
	ch.stop()
	// A request that came by the channel itself would wait for its own end.
	return c.done(nil)
}

// endChannels waits for the channels of a server that is stopping.
func (s *Server) endChannels() {
	s.channels.mu.Lock()
	var all []*channel
	for _, ch := range s.channels.open {
		all = append(all, ch)
	}
	s.channels.mu.Unlock()
	for _, ch := range all {
		<-ch.done
	}
}
