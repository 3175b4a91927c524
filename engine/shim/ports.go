package shim

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/unixsock"
	"github.com/xcengine/xc/engine/shim/internal/proxy"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// forwards is what a shim forwards while main runs.
type forwards struct {
	log  *slog.Logger
	dial proxy.Dial // nil: no sockets of the host

	mu      sync.Mutex
	running bool
	open    map[socket]*proxy.Proxy
}

// socket is what tells listeners apart.
type socket struct {
	proto  engine.Proto
	at     netip.AddrPort
	inside string
}

func socketOf(p engine.Proxy) socket { return socket{p.Proto, p.Listen, p.Inside} }

// begin serves what was to be forwarded at main's start.
func (f *forwards) begin(all []engine.Proxy) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running, f.open = true, make(map[socket]*proxy.Proxy)
	for _, p := range all {
		f.start(p)
	}
}

// start begins one, and takes its listener. A port that cannot be served does not keep the container from running.
func (f *forwards) start(p engine.Proxy) {
	x, err := proxy.Start(p, f.dial, f.log)
	if err != nil {
		f.log.Error("start proxy", "error", err)
		return
	}
	f.open[socketOf(p)] = x
}

// change makes the ports be those of a message, whose listeners it takes. Sockets in the root stay what they are.
func (f *forwards) change(want wire.Forwarding) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.running {
		closeAll(want.New)
		return &engine.Error{Op: "forward", Kind: engine.NotFound, Resource: engine.ResourceContainer, Reason: engine.ReasonNotRunning}
	}
	stays := make(map[socket]bool)
	for _, p := range want.Present {
		stays[socketOf(p)] = true
	}
	for at, x := range f.open {
		if !stays[at] && at.inside == "" {
			x.Close()
			delete(f.open, at)
		}
	}
	for _, p := range want.Present {
		if x := f.open[socketOf(p)]; x != nil { // none: what the host cannot bind
			x.Redirect(p.Target)
		}
	}
	for _, p := range want.New {
		f.start(p)
	}
	return nil
}

// end frees all ports.
func (f *forwards) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = false
	for at, x := range f.open {
		x.Close()
		delete(f.open, at)
	}
}

func closeAll(proxies []engine.Proxy) {
	for _, p := range proxies {
		p.Listener.Close()
	}
}

// serveForward changes what is forwarded.
func (s *server) serveForward(c *net.UnixConn, f wire.Frame, listeners []*os.File) {
	want, err := wire.DecodeForwarding(f.Payload)
	if err == nil && len(want.New) != len(listeners) {
		err = &engine.Error{Op: "forward", Kind: engine.Invalid, Err: errors.New("not a listener for each port")}
	}
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
		refuse(c, err)
		return
	}
	for i, l := range listeners {
		want.New[i].Listener = l
	}
	if err := s.ports.change(want); err != nil {
		refuse(c, err)
		return
	}
	defer c.Close()
	_, _ = c.Write(wire.AppendFrame(nil, wire.Frame{Kind: wire.OK})) // who does not hear it asks again
}

// sendForwarding sends what is to be forwarded, with the new listeners.
func sendForwarding(c *net.UnixConn, all []engine.Proxy) error {
	var want wire.Forwarding
	var listeners []*os.File
	for _, p := range all {
		if p.Listener == nil {
			want.Present = append(want.Present, p)
			continue
		}
		want.New = append(want.New, p)
		listeners = append(listeners, p.Listener)
	}
	return unixsock.WriteFiles(c, wire.AppendFrame(nil, wire.Frame{Kind: wire.Forward, Payload: want.Encode()}), listeners)
}
