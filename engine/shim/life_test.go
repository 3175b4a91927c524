package shim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs"
	"github.com/xcengine/xc/engine/platform/unixsock"
	"github.com/xcengine/xc/engine/shim"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

func TestStartSaysWhatIsWrong(t *testing.T) {
	sup := engine.Supervision{ID: "x", Dir: t.TempDir(), Log: engine.LogFile{Driver: logs.DriverJSON, Path: "/nonexistent/log", MaxFiles: 1}}
	c := client(t)
	if _, err := c.Start(t.Context(), sup); err == nil || !strings.Contains(err.Error(), "/nonexistent/log") {
		t.Errorf("log: %v", err)
	}
	sup.Dir = filepath.Join(sup.Dir, "absent")
	if _, err := c.Start(t.Context(), sup); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory: %v", err)
	}
	sup.Dir = t.TempDir()
	if _, err := shim.NewClient("/nonexistent/xc-shim", slog.New(slog.DiscardHandler)).Start(t.Context(), sup); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("binary: %v", err)
	}
	// A program that is no shim.
	if _, err := shim.NewClient("/bin/true", slog.New(slog.DiscardHandler)).Start(t.Context(), sup); err == nil {
		t.Error("a program that is no shim was taken for one")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Start(ctx, sup); engine.KindOf(err) != engine.Canceled {
		t.Errorf("canceled: %v", err)
	}
}

// Socket addresses hold about a hundred bytes, paths a thousand.
func TestLongDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("a", 100), strings.Repeat("b", 100))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := newBox(t, func(s *engine.Supervision) { s.Dir, s.Log.Path = dir, filepath.Join(dir, "log") })
	a := b.attach(nil)
	b.run(launch("echo", "far away"))
	b.end()
	out, _ := a.wait()
	expect(t, "output", "far away\n", out)
}

// Somebody who escaped from the sandbox and holds the output open does not hide main's end.
func TestEscapedChildHoldsTheOutput(t *testing.T) {
	for _, tty := range []bool{false, true} {
		t.Run(fmt.Sprintf("terminal %v", tty), func(t *testing.T) {
			b := newBox(t, nil)
			a := b.attach(nil)
			l := sh("trap '' HUP; setsid sh -c 'trap \"\" HUP; sleep 8' & echo said; sleep 0.2; exit 6")
			l.TTY = tty
			begin := time.Now()
			b.run(l)
			if exit := b.end(); exit.Code != 6 {
				t.Errorf("%+v", exit)
			}
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("told after %v", d)
			}
			if out, _ := a.wait(); !strings.HasPrefix(out, "said") {
				t.Errorf("%q", out)
			}
		})
	}
}

func TestTreeExit(t *testing.T) {
	b := newBox(t, func(s *engine.Supervision) { s.TreeExit = true })
	a := b.attach(nil)
	b.run(sh("(sleep 0.5; echo from the child) & exit 7"))
	begin := time.Now()
	e := b.event()
	if e.Exit.Code != 7 || time.Since(begin) < 400*time.Millisecond {
		t.Errorf("%+v after %v", e.Exit, time.Since(begin))
	}
	out, _ := a.wait()
	expect(t, "output", "from the child\n", out)
	disk, err := b.c.Exit(t.Context(), b.sup.Dir)
	if err != nil || disk != e.Exit {
		t.Errorf("%+v %v", disk, err)
	}
}

func TestSignalsReachTheTree(t *testing.T) {
	for _, sig := range []engine.Signal{"TERM", "KILL"} {
		b := newBox(t, func(s *engine.Supervision) { s.TreeExit = true })
		b.run(sh("sleep 60 & echo up; exit 0"))
		for b.logged() == "" {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
		if err := b.h.Signal(t.Context(), "", sig); err != nil {
			t.Errorf("%s: %v", sig, err)
		}
		b.end()
	}
}

func TestSignalsToTheShimItself(t *testing.T) {
	b := newBox(t, nil)
	l := sh("trap 'echo term; exit 3' TERM; trap 'echo other' HUP INT; echo up; while :; do sleep 0.05; done")
	b.run(l)
	for b.logged() == "" {
		time.Sleep(time.Millisecond)
	}
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM} {
		if err := syscall.Kill(b.h.Pid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	if exit := b.end(); exit.Code != 3 {
		t.Errorf("%+v", exit)
	}
	expect(t, "log", "up\nterm\n", b.logged())

	idle := newBox(t, nil)
	if err := syscall.Kill(idle.h.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	idle.waitGone()
}

// What xcd ignores must not be ignored in containers.
func TestSignalsAreNotIgnoredByMain(t *testing.T) {
	b := newBox(t, nil)
	b.run(launch("sh", "-c", "grep SigIgn /proc/self/status || echo SigIgn: 0000000000000000"))
	b.end()
	if got := strings.Fields(b.logged()); len(got) != 2 || strings.Trim(got[1], "0") != "" {
		t.Errorf("%q", got)
	}
}

func TestReleaseWithoutRun(t *testing.T) {
	b := newBox(t, nil)
	if err := b.h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.waitGone()
}

func TestLogged(t *testing.T) {
	b := newBox(t, nil)
	r, w := io.Pipe()
	b.attach(r)
	grew, stop, err := b.h.Logged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	other, stopOther, err := b.h.Logged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := launch("cat")
	l.Stdin, l.StdinOnce = true, true
	b.run(l)
	for i := range 5 {
		fmt.Fprintln(w, i)
		for strings.Count(b.logged(), "\n") <= i {
			if _, ok := <-grew; !ok {
				t.Fatal("closed")
			}
		}
	}
	<-other
	stopOther()
	stopOther()
	if _, ok := <-other; ok {
		if _, ok = <-other; ok {
			t.Error("it goes on after stop")
		}
	}
	w.Close()
	b.event()
	for range grew { // closed at the log's end, before the shim is let go
	}
	late, stop, err := b.h.Logged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, ok := <-late; ok {
		t.Error("growth of a log that has ended")
	}
}

// The whole way of a log under load: the process writes, the shim rotates, a reader follows on the shim's word.
func TestFollowUnderLoad(t *testing.T) {
	b := newBox(t, func(s *engine.Supervision) { s.Log.MaxSize, s.Log.MaxFiles, s.Log.Compress = 200_000, 1000, true })
	grew, stop, err := b.h.Logged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	s, err := logs.Open(b.sup.Log, engine.LogQuery{Stdout: true, Stderr: true, Tail: -1, Follow: true}, grew)
	if err != nil {
		t.Fatal(err)
	}
	const total = 100_000
	read := make(chan error, 1)
	go func() {
		next := 1
		err := s.Read(t.Context(), func(r engine.LogRecord) error {
			if want := fmt.Sprintf("%d\n", next); string(r.Data) != want {
				return fmt.Errorf("%q instead of %q", r.Data, want)
			}
			next++
			return nil
		}, nil)
		if err == nil && next != total+1 {
			err = fmt.Errorf("ended before line %d", next)
		}
		read <- err
	}()
	b.run(sh(fmt.Sprintf("seq 1 %d", total)))
	b.end()
	if err := <-read; err != nil {
		t.Error(err)
	}
	if b.logged() != counted(1, total) {
		t.Error("the log is not whole")
	}
}

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

// dial connects without a client, to say what no client says.
func (b *box) dial() (*net.UnixConn, *wire.Reader) {
	b.t.Helper()
	c, err := unixsock.Dial(b.t.Context(), b.sup.Dir, "shim.sock")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	return c, wire.NewReader(c)
}

func (b *box) ask(c *net.UnixConn, r *wire.Reader, f wire.Frame) wire.Frame {
	b.t.Helper()
	if _, err := c.Write(wire.AppendFrame(nil, f)); err != nil {
		b.t.Fatal(err)
	}
	f, err := r.Next()
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

func TestProtocol(t *testing.T) {
	b := running(t)
	hello := wire.Frame{Kind: wire.Control, Payload: wire.Hello{Version: 99}.Encode()}
	c, r := b.dial()
	f := b.ask(c, r, hello)
	if w, err := wire.DecodeWelcome(f.Payload); f.Kind != wire.OK || err != nil || w.Version != wire.Version || w.Pid != b.h.Pid() {
		t.Errorf("a newer daemon: %+v %v", w, err)
	}
	if f := b.ask(c, r, wire.Frame{Kind: 200, Number: 7}); f.Kind != wire.Failure || f.Number != 7 || engine.KindOf(wire.DecodeError(f.Payload)) != engine.NotImplemented {
		t.Errorf("an unknown request: %+v", f)
	}
	if f := b.ask(c, r, wire.Frame{Kind: wire.Run, Payload: []byte{1}}); f.Kind != wire.Failure {
		t.Errorf("a malformed request: %+v", f)
	}
	for what, first := range map[string]wire.Frame{
		"no version":         {Kind: wire.Control},
		"second supervision": {Kind: wire.Control, Payload: wire.Hello{Version: 1, Supervision: &b.sup}.Encode()},
		"unknown purpose":    {Kind: 99},
		"malformed attach":   {Kind: wire.Attach, Payload: []byte{1}},
		"malformed exec":     {Kind: wire.Exec, Payload: []byte{1}},
	} {
		c, r := b.dial()
		if f := b.ask(c, r, first); f.Kind != wire.Failure {
			t.Errorf("%s: %+v", what, f)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: not closed: %v", what, err)
		}
	}
	for _, junk := range []string{"GET / HTTP/1.1\r\n\r\n", "\x01\x00\x00\x00\xff\xff\xff\xff"} {
		c, r := b.dial()
		_, _ = c.Write([]byte(junk))
		_ = c.CloseWrite()
		if f, err := r.Next(); err == nil && f.Kind != wire.Failure {
			t.Errorf("%q: %+v", junk, f)
		}
	}
	if _, err := b.h.Status(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
