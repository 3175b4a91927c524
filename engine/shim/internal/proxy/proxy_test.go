package proxy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// listener binds a port of the loopback as the daemon does, for a proxy to take.
func listener(t *testing.T, proto engine.Proto, host string) (*os.File, netip.AddrPort) {
	t.Helper()
	at := net.JoinHostPort(host, "0")
	family := "4"
	if netip.MustParseAddr(host).Is6() {
		family = "6"
	}
	var f *os.File
	var addr net.Addr
	if proto == engine.TCP {
		l, err := net.Listen("tcp"+family, at)
		if err != nil {
			t.Skipf("no %s here: %v", host, err)
		}
		defer l.Close()
		addr = l.Addr()
		if f, err = l.(*net.TCPListener).File(); err != nil {
			t.Fatal(err)
		}
	} else {
		c, err := net.ListenPacket("udp"+family, at)
		if err != nil {
			t.Skipf("no %s here: %v", host, err)
		}
		defer c.Close()
		addr = c.LocalAddr()
		if f, err = c.(*net.UDPConn).File(); err != nil {
			t.Fatal(err)
		}
	}
	ap := netip.MustParseAddrPort(addr.String())
	return f, ap
}

// forward starts a proxy and returns the address at which clients find it.
func forward(t *testing.T, proto engine.Proto, host, target string) (*Proxy, string) {
	t.Helper()
	f, at := listener(t, proto, host)
	p, err := Start(engine.Proxy{Proto: proto, Listen: at, Target: netip.MustParseAddrPort(target), Listener: f}, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, at.String()
}

// backend serves connections one by one.
func backend(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
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
			go serve(c.(*net.TCPConn))
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, at string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", at, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

func TestTCPMovesMuchBothWays(t *testing.T) {
	target := backend(t, func(c *net.TCPConn) {
		defer c.Close()
		_, _ = io.Copy(c, c)
	})
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			_, at := forward(t, engine.TCP, host, target)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					data := make([]byte, 3<<20)
					rand.Read(data)
					c := dial(t, at)
					go func() {
						_, _ = c.Write(data)
						_ = c.CloseWrite()
					}()
					got, err := io.ReadAll(c)
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("%d bytes, %v", len(got), err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// A client that has said all still gets the answer, and a server that has said all still hears the client.
func TestTCPHalfClose(t *testing.T) {
	heard := make(chan string, 1)
	target := backend(t, func(c *net.TCPConn) {
		defer c.Close()
		_, _ = c.Write([]byte("greeting"))
		_ = c.CloseWrite()
		b, _ := io.ReadAll(c)
		heard <- string(b)
	})
	_, at := forward(t, engine.TCP, "127.0.0.1", target)
	c := dial(t, at)
	if b, err := io.ReadAll(c); err != nil || string(b) != "greeting" {
		t.Fatalf("%q %v", b, err)
	}
	if _, err := c.Write([]byte("afterwards")); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	if got := <-heard; got != "afterwards" {
		t.Errorf("%q", got)
	}
}

func TestTCPRefusalIsPassedOn(t *testing.T) {
	_, at := forward(t, engine.TCP, "127.0.0.1", "127.0.0.1:1")
	c, err := net.Dial("tcp", at)
	if err == nil {
		_, err = io.ReadAll(c)
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
}

// A program that began a moment ago is waited for, an older one is not.
func TestTCPWaitsForAYoungProgram(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	if _, err := dialYoung(time.Now())(t.Context(), nil, target); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	asked := make(chan error, 1)
	go func() {
		c, err := dialYoung(time.Now().Add(time.Minute))(t.Context(), nil, target)
		if err == nil {
			c.Close()
		}
		asked <- err
	}()
	time.Sleep(5 * knockPause)
	select {
	case err := <-asked:
		t.Fatalf("it was not waited for: %v", err)
	default:
	}
	if l, err = net.Listen("tcp", target.String()); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := <-asked; err != nil {
		t.Error(err)
	}
}

func TestTCPCloseEndsEverythingAndFreesThePort(t *testing.T) {
	target := backend(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c); c.Close() })
	p, at := forward(t, engine.TCP, "127.0.0.1", target)
	c := dial(t, at)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatalf("the port is not free: %v", err)
	}
	l.Close()
}

// echo answers datagrams, each with its sender's port.
func echo(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(buf[:n], from)
		}
	}()
	return c.LocalAddr().String()
}

func udpClient(t *testing.T, at string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func ask(t *testing.T, c net.Conn, what []byte) {
	t.Helper()
	if _, err := c.Write(what); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	n, err := c.Read(buf)
	if err != nil || !bytes.Equal(buf[:n], what) {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

func TestUDPAnswersEveryClient(t *testing.T) {
	target := echo(t)
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "::1"} {
		t.Run(host, func(t *testing.T) {
			_, at := forward(t, engine.UDP, host, target)
			if host == "0.0.0.0" {
				// An answer must come from the address that was asked: a connected socket takes no other.
				_, port, _ := net.SplitHostPort(at)
				at = "127.0.0.5:" + port
			}
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					c := udpClient(t, at)
					for n := range 10 {
						ask(t, c, fmt.Appendf(nil, "%d/%d", i, n))
					}
				})
			}
			wg.Wait()
			ask(t, udpClient(t, at), make([]byte, 60_000))
		})
	}
}

// A datagram to a port on which nothing listens yet must not end the client's session.
func TestUDPOutlivesARefusal(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := l.LocalAddr().String()
	l.Close()
	_, at := forward(t, engine.UDP, "127.0.0.1", target)
	c := udpClient(t, at)
	if _, err := c.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	if l, err = net.ListenPacket("udp", target); err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	defer l.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = l.WriteTo(buf[:n], from)
		}
	}()
	ask(t, c, []byte("heard"))
}

func newTestUDP(t *testing.T, target string, idle time.Duration) (*udp, string) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := newUDP(c.(*net.UDPConn), netip.MustParseAddrPort(target), quiet())
	u.idle = idle
	done := make(chan struct{})
	go func() { defer close(done); u.serve() }()
	t.Cleanup(func() { u.close(); <-done })
	return u, c.LocalAddr().String()
}

func (u *udp) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.sessions)
}

func TestUDPForgetsSilentClients(t *testing.T) {
	u, at := newTestUDP(t, echo(t), 100*time.Millisecond)
	ask(t, udpClient(t, at), []byte("x"))
	if n := u.count(); n != 1 {
		t.Fatalf("%d sessions", n)
	}
	for deadline := time.Now().Add(5 * time.Second); u.count() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the session stays")
		}
	}
}

func TestUDPBoundsItsSessions(t *testing.T) {
	u, at := newTestUDP(t, echo(t), time.Minute)
	first := udpClient(t, at)
	ask(t, first, []byte("first"))
	for range maxSessions + 20 {
		c, err := net.Dial("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		ask(t, c, []byte("x"))
		c.Close()
	}
	if n := u.count(); n > maxSessions {
		t.Errorf("%d sessions", n)
	}
	_ = first.SetDeadline(time.Now().Add(10 * time.Second)) // all that took some time
	ask(t, first, []byte("again"))
}

func TestStartRefuses(t *testing.T) {
	f, at := listener(t, engine.TCP, "127.0.0.1")
	if _, err := Start(engine.Proxy{Proto: engine.TCP, Listen: at, Listener: f}, nil, quiet()); err == nil {
		t.Error("no target, no error")
	}
	f, at = listener(t, engine.TCP, "127.0.0.1")
	if _, err := Start(engine.Proxy{Proto: "x", Listen: at, Target: at, Listener: f}, nil, quiet()); err == nil {
		t.Error("unknown protocol, no error")
	}
	f, at = listener(t, engine.TCP, "127.0.0.1")
	if _, err := Start(engine.Proxy{Proto: engine.UDP, Listen: at, Target: at, Listener: f}, nil, quiet()); err == nil {
		t.Error("a stream socket for datagrams, no error")
	}
}

func TestSCTPIsHeldOnly(t *testing.T) {
	f, at := listener(t, engine.TCP, "127.0.0.1") // any socket serves
	p, err := Start(engine.Proxy{Proto: engine.SCTP, Listen: at, Listener: f}, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp", at.String()); err == nil {
		l.Close()
		t.Error("the port is free")
	}
	p.Close()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestRedirect: after it, connections and datagrams go to the new place, and what went to the old one is broken off.
func TestRedirect(t *testing.T) {
	say := func(name string) string {
		return backend(t, func(c *net.TCPConn) { _, _ = c.Write([]byte(name)); _, _ = io.Copy(io.Discard, c); c.Close() })
	}
	first, second := say("1"), say("2")
	p, at := forward(t, engine.TCP, "127.0.0.1", first)
	hear := func(c *net.TCPConn) string {
		b := make([]byte, 1)
		if _, err := io.ReadFull(c, b); err != nil {
			return err.Error()
		}
		return string(b)
	}
	old := dial(t, at)
	if got := hear(old); got != "1" {
		t.Errorf("before: %s", got)
	}
	p.Redirect(netip.MustParseAddrPort(first))
	if _, err := old.Write([]byte("x")); err != nil {
		t.Errorf("redirected to where it led: %v", err)
	}
	p.Redirect(netip.MustParseAddrPort(second))
	if got := hear(old); len(got) == 1 {
		t.Errorf("an old connection says %s", got)
	}
	if got := hear(dial(t, at)); got != "2" {
		t.Errorf("after: %s", got)
	}
	u, at := forward(t, engine.UDP, "127.0.0.1", echo(t))
	c, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 10)
		if _, err = c.Write([]byte("ping")); err == nil {
			_, err = c.Read(b)
		}
		if err != nil {
			t.Errorf("udp: %v", err)
		}
		u.Redirect(netip.MustParseAddrPort(echo(t)))
	}
}
