// Package proxy forwards what arrives at listening sockets: of the host to a container, published ports as they are seen from
// the host itself, and from everywhere where no packet filter redirects them; and in a container's root to a socket of the host,
// where that cannot be mounted.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
)

// Proxy forwards one listener.
type Proxy struct {
	serve    func()
	close    func()
	redirect func(target netip.AddrPort)
	done     chan struct{}
}

// Dial connects to a socket of the host at a path, as the one who is at the other end of client.
type Dial func(ctx context.Context, client *net.UnixConn, path string) (*net.UnixConn, error)

// Start begins to forward p.Listener to p.Target or, with dial, to p.Outside. It takes the file in any case. A socket of SCTP is
// not forwarded, only held: it keeps the port from others, and forwarding is the packet filter's.
func Start(p engine.Proxy, dial Dial, log *slog.Logger) (*Proxy, error) {
	if p.Proto == engine.SCTP {
		out := &Proxy{close: func() { p.Listener.Close() }, redirect: func(netip.AddrPort) {}, done: make(chan struct{})}
		close(out.done)
		return out, nil
	}
	defer p.Listener.Close()
	out := &Proxy{done: make(chan struct{})}
	if err := out.open(p, dial, log); err != nil {
		return nil, fmt.Errorf("proxy of %s%s: %w", listens(p), p.Inside, err)
	}
	go func() {
		defer close(out.done)
		out.serve()
	}()
	return out, nil
}

// listens is the address that a proxy listens at, empty for a socket.
func listens(p engine.Proxy) string {
	if !p.Listen.IsValid() {
		return ""
	}
	return p.Listen.String()
}

func (out *Proxy) open(p engine.Proxy, dial Dial, log *slog.Logger) error {
	log = log.With("listen", listens(p)+p.Inside)
	switch p.Proto {
	case engine.TCP, engine.UDP:
		if !p.Target.IsValid() {
			return errors.New("no target")
		}
	case engine.SocketStream, engine.SocketDatagram:
		if dial == nil || p.Outside == "" {
			return errors.New("nowhere to lead to")
		}
	default:
		return fmt.Errorf("protocol %q is not supported", p.Proto)
	}
	if p.Proto == engine.UDP || p.Proto == engine.SocketDatagram {
		c, err := net.FilePacketConn(p.Listener)
		if err != nil {
			return err
		}
		if p.Proto == engine.UDP {
			u := newUDP(c.(*net.UDPConn), p.Target, log)
			out.serve, out.close, out.redirect = u.serve, u.close, u.redirect
			return nil
		}
		m := &messages{front: c.(*net.UnixConn), to: p.Outside, log: log}
		out.serve, out.close, out.redirect = m.serve, m.close, func(netip.AddrPort) {}
		return nil
	}
	l, err := net.FileListener(p.Listener)
	if err != nil {
		return err
	}
	s := &stream{l: l, target: p.Target, dial: dialYoung(time.Now().Add(youth)), conns: make(map[io.Closer]struct{}), log: log}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // its name is another's by then
		s.dial = func(ctx context.Context, client duplex, _ netip.AddrPort) (duplex, error) {
			return dial(ctx, client.(*net.UnixConn), p.Outside)
		}
	}
	out.serve, out.close, out.redirect = s.serve, s.close, s.redirect
	return nil
}

// Close frees the port, ends all connections, and returns when nothing of the proxy runs any more.
func (p *Proxy) Close() {
	p.close()
	<-p.done
}

// Redirect makes the port lead elsewhere. What went where it led before is broken off.
func (p *Proxy) Redirect(target netip.AddrPort) { p.redirect(target) }

// acceptPause is how long to wait when the process has no descriptor left for a connection.
const acceptPause = 50 * time.Millisecond

// dialTimeout bounds the connection to the container: a paused one does not answer.
const dialTimeout = 30 * time.Second

// duplex is a connection whose directions end one by one.
type duplex interface {
	net.Conn
	CloseRead() error
	CloseWrite() error
}

const (
	// youth is how long after the port's opening a program may take to listen. A start is answered before that, and who
	// connects right behind it must not find the door shut: with dockerd a start itself takes about as long.
	youth = 250 * time.Millisecond
	// knockPause is how long to wait before a young program is asked again.
	knockPause = 2 * time.Millisecond
)

// dialYoung connects, and until then asks again where nobody listens.
func dialYoung(until time.Time) func(context.Context, duplex, netip.AddrPort) (duplex, error) {
	return func(ctx context.Context, _ duplex, target netip.AddrPort) (duplex, error) {
		for {
			c, err := new(net.Dialer).DialTCP(ctx, "tcp", netip.AddrPort{}, target)
			if err == nil {
				return c, nil
			}
			if !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(until) {
				return nil, err
			}
			select {
			case <-ctx.Done():
				return nil, err
			case <-time.After(knockPause):
			}
		}
	}
}

// stream forwards connections.
type stream struct {
	l    net.Listener
	dial func(ctx context.Context, client duplex, target netip.AddrPort) (duplex, error)
	log  *slog.Logger

	mu     sync.Mutex
	target netip.AddrPort
	conns  map[io.Closer]struct{}
	closed bool
	wg     sync.WaitGroup
}

func (s *stream) serve() {
	defer s.wg.Wait()
	for {
		c, err := s.l.Accept()
		if err == nil {
			s.wg.Go(func() { s.forward(c.(duplex)) })
			continue
		}
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return
		}
		s.log.Warn("accept", "error", err)
		time.Sleep(acceptPause)
	}
}

func (s *stream) forward(client duplex) {
	defer client.Close()
	target, open := s.begin(client)
	if !open {
		return
	}
	defer s.remove(client)
	backend, err := s.reach(client, target)
	if err != nil {
		s.refuse(client, err)
		return
	}
	defer backend.Close()
	if now, open := s.begin(backend); !open || now != target {
		s.remove(backend)
		return
	}
	defer s.remove(backend)
	back := make(chan struct{})
	go func() {
		defer close(back)
		copyHalf(client, backend)
	}()
	copyHalf(backend, client)
	<-back
}

// refuse lets a client see a refusal and not an orderly end, where it can be told the one from the other.
func (s *stream) refuse(client duplex, err error) {
	if c, ok := client.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
		return
	}
	s.log.Warn("connect", "error", err)
}

// dialing is a connection to the container that is being made.
type dialing struct{ cancel context.CancelFunc }

func (d *dialing) Close() error {
	d.cancel()
	return nil
}

func (s *stream) reach(client duplex, target netip.AddrPort) (duplex, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	d := &dialing{cancel}
	defer s.remove(d)
	if now, open := s.begin(d); !open || now != target {
		return nil, net.ErrClosed
	}
	return s.dial(ctx, client, target)
}

// copyHalf moves one direction and passes its end on; the other one may go on.
func copyHalf(to, from duplex) {
	_, _ = io.Copy(to, from)
	_ = from.CloseRead()
	_ = to.CloseWrite()
}

// begin makes a connection end with the proxy, or when that leads elsewhere. It is not open when it has ended.
func (s *stream) begin(c io.Closer) (target netip.AddrPort, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conns[c] = struct{}{}
	}
	return s.target, !s.closed
}

func (s *stream) redirect(target netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.target == target {
		return
	}
	s.target = target
	for c := range s.conns {
		c.Close()
	}
}

func (s *stream) remove(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.l.Close()
	for c := range s.conns {
		c.Close()
	}
}
