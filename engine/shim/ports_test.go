package shim_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

// published binds a port of the loopback as the daemon does.
func published(t *testing.T, proto engine.Proto, target net.Addr) engine.Proxy {
	t.Helper()
	p := engine.Proxy{Proto: proto, Target: netip.MustParseAddrPort(target.String())}
	if proto == engine.TCP {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		p.Listen = netip.MustParseAddrPort(l.Addr().String())
		if p.Listener, err = l.(*net.TCPListener).File(); err != nil {
			t.Fatal(err)
		}
	} else {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		p.Listen = netip.MustParseAddrPort(c.LocalAddr().String())
		if p.Listener, err = c.(*net.UDPConn).File(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { p.Listener.Close() })
	return p
}

func TestPublishedPorts(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	u, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(buf[:n], from)
		}
	}()
	tcp, udp := published(t, engine.TCP, l.Addr()), published(t, engine.UDP, u.LocalAddr())
	held := engine.Proxy{Proto: engine.SCTP, Listen: tcp.Listen, Target: tcp.Target} // what the host cannot bind has no listener
	b := newBox(t, func(s *engine.Supervision) { s.Proxies = []engine.Proxy{held, tcp, udp} })
	tcp.Listener.Close()
	udp.Listener.Close()
	b.run(launch("sleep", "60"))
	for _, at := range []struct{ network, addr string }{{"tcp", tcp.Listen.String()}, {"udp", udp.Listen.String()}} {
		c, err := net.Dial(at.network, at.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprint(c, "ping")
		buf := make([]byte, 10)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "ping" {
			t.Errorf("%s: %q %v", at.network, buf[:n], err)
		}
		c.Close()
	}
	if err := b.h.Signal(t.Context(), "", "KILL"); err != nil {
		t.Fatal(err)
	}
	b.end()
	again, err := net.Listen("tcp4", tcp.Listen.String())
	if err != nil {
		t.Errorf("the port is not free: %v", err)
	} else {
		again.Close()
	}
}

// No descriptor of the shim reaches the container: not its socket, not the listeners, not another process's streams.
func TestMainInheritsOnlyItsStreams(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := published(t, engine.TCP, l.Addr())
	b := newBox(t, func(s *engine.Supervision) { s.Proxies = []engine.Proxy{p} })
	b.attach(nil)
	b.run(launch("sh", "-c", "exec ls /dev/fd/ | sort -n | tr '\\n' ' '"))
	b.end()
	for _, fd := range strings.Fields(b.logged()) {
		if fd > "3" && len(fd) == 1 || len(fd) > 1 {
			t.Errorf("descriptors %s", b.logged())
		}
	}
}

// TestPortsChange: ports of a running container are led elsewhere, taken away, and come with their listeners.
func TestPortsChange(t *testing.T) {
	say := func(name string) net.Addr {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, name)
				c.Close()
			}
		}()
		return l.Addr()
	}
	here, there := say("here"), say("there")
	hear := func(p engine.Proxy) string {
		c, err := net.Dial("tcp", p.Listen.String())
		if err != nil {
			return "refused"
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		if err != nil {
			return "broken"
		}
		return string(b)
	}
	kept, gone := published(t, engine.TCP, here), published(t, engine.TCP, here)
	b := newBox(t, func(s *engine.Supervision) { s.Proxies = []engine.Proxy{kept, gone} })
	if err := b.h.Forward(t.Context(), nil); engine.KindOf(err) != engine.NotFound {
		t.Errorf("before main runs: %v", err)
	}
	kept.Listener.Close()
	gone.Listener.Close()
	b.run(launch("sleep", "60"))
	kept.Listener, kept.Target = nil, netip.MustParseAddrPort(there.String())
	all := []engine.Proxy{kept}
	for range 300 { // more than one message takes
		all = append(all, published(t, engine.TCP, there))
	}
	if err := b.h.Forward(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if l := all[i].Listener; l != nil {
			l.Close()
			all[i].Listener = nil
		}
	}
	for _, p := range []engine.Proxy{all[0], all[1], all[150], all[300]} {
		if got := hear(p); got != "there" {
			t.Errorf("%s says %s", p.Listen, got)
		}
	}
	if got := hear(gone); got != "refused" {
		t.Errorf("a port that was taken away says %s", got)
	}
	if err := b.h.Forward(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if got := hear(kept); got != "refused" {
		t.Errorf("after the last one went: %s", got)
	}
}
