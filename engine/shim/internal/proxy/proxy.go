// Package proxy forwards what arrives at listening sockets of the host to a container: published ports as they are seen
// from the host itself, and from everywhere where no packet filter redirects them.
package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
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

// Start begins to forward p.Listener to p.Target. It takes the file in any case. A socket of SCTP is not forwarded, only
// held: it keeps the port from others, and forwarding is the packet filter's.
func Start(p engine.Proxy, log *slog.Logger) (*Proxy, error) {
	if p.Proto == engine.SCTP {
		out := &Proxy{close: func() { p.Listener.Close() }, redirect: func(netip.AddrPort) {}, done: make(chan struct{})}
		close(out.done)
		return out, nil
	}
	defer p.Listener.Close()
	if !p.Target.IsValid() {
		return nil, fmt.Errorf("proxy of %s: no target", p.Listen)
	}
	out := &Proxy{done: make(chan struct{})}
	log = log.With("listen", p.Listen.String())
	switch p.Proto {
	case engine.TCP:
		l, err := net.FileListener(p.Listener)
		if err != nil {
			return nil, fmt.Errorf("proxy of %s: %w", p.Listen, err)
		}
		t := &tcp{l: l, target: p.Target, conns: make(map[io.Closer]struct{}), log: log}
		out.serve, out.close, out.redirect = t.serve, t.close, t.redirect
	case engine.UDP:
		c, err := net.FilePacketConn(p.Listener)
		if err != nil {
			return nil, fmt.Errorf("proxy of %s: %w", p.Listen, err)
		}
		u := newUDP(c.(*net.UDPConn), p.Target, log)
		out.serve, out.close, out.redirect = u.serve, u.close, u.redirect
	default:
		return nil, fmt.Errorf("proxy of %s: protocol %q is not supported", p.Listen, p.Proto)
	}
	go func() {
		defer close(out.done)
		out.serve()
	}()
	return out, nil
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

// tcp forwards connections.
type tcp struct {
	l   net.Listener
	log *slog.Logger

	mu     sync.Mutex
	target netip.AddrPort
	conns  map[io.Closer]struct{}
	closed bool
	wg     sync.WaitGroup
}

func (t *tcp) serve() {
	defer t.wg.Wait()
	for {
		c, err := t.l.Accept()
		if err == nil {
			t.wg.Go(func() { t.forward(c.(*net.TCPConn)) })
			continue
		}
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		if closed {
			return
		}
		t.log.Warn("accept", "error", err)
		time.Sleep(acceptPause)
	}
}

func (t *tcp) forward(client *net.TCPConn) {
	defer client.Close()
	target, open := t.begin(client)
	if !open {
		return
	}
	defer t.remove(client)
	backend, err := t.dial(target)
	if err != nil {
		// The client must see a refusal, not an orderly end.
		_ = client.SetLinger(0)
		return
	}
	defer backend.Close()
	if now, open := t.begin(backend); !open || now != target {
		t.remove(backend)
		return
	}
	defer t.remove(backend)
	back := make(chan struct{})
	go func() {
		defer close(back)
		copyHalf(client, backend)
	}()
	copyHalf(backend, client)
	<-back
}

// dialing is a connection to the container that is being made.
type dialing struct{ cancel context.CancelFunc }

func (d *dialing) Close() error {
	d.cancel()
	return nil
}

func (t *tcp) dial(target netip.AddrPort) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	d := &dialing{cancel}
	defer t.remove(d)
	if now, open := t.begin(d); !open || now != target {
		return nil, net.ErrClosed
	}
	return new(net.Dialer).DialTCP(ctx, "tcp", netip.AddrPort{}, target)
}

// copyHalf moves one direction and passes its end on; the other one may go on.
func copyHalf(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from)
	_ = from.CloseRead()
	_ = to.CloseWrite()
}

// begin makes a connection end with the proxy, or when that leads elsewhere. It is not open when it has ended.
func (t *tcp) begin(c io.Closer) (target netip.AddrPort, open bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.conns[c] = struct{}{}
	}
	return t.target, !t.closed
}

func (t *tcp) redirect(target netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.target == target {
		return
	}
	t.target = target
	for c := range t.conns {
		c.Close()
	}
}

func (t *tcp) remove(c io.Closer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}

func (t *tcp) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.l.Close()
	for c := range t.conns {
		c.Close()
	}
}
