package syslog

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

// noon is when all messages of these tests were written.
var noon = time.Date(2026, 11, 7, 12, 0, 5, 123456789, time.UTC)

// The forms are those that dockerd 28.5.2 sent.
func TestForms(t *testing.T) {
	s := engine.Syslog{Facility: 3, Tag: "web", Hostname: "box"}
	for format, want := range map[string]string{
		FormatDefault: "<30>Nov  7 12:00:05 web[42]: a line\n",
		Format3164:    "<30>Nov  7 12:00:05 box web[42]: a line\n",
		Format5424:    "<30>1 2026-11-07T12:00:05Z box web 42 web - a line\n",
		Format5424us:  "<30>1 2026-11-07T12:00:05.123456Z box web 42 web - a line\n",
	} {
		s.Format = format
		if got := string(appendMessage(nil, s, engine.SourceStdout, 42, noon, []byte("a line"))); got != want {
			t.Errorf("%q: %q, want %q", format, got, want)
		}
	}
	s.Format, s.Facility = FormatDefault, 23
	if got := string(appendMessage(nil, s, engine.SourceStderr, 1, noon, []byte("x"))); !strings.HasPrefix(got, "<187>") {
		t.Errorf("local7.err: %q", got)
	}
}

// receiver collects messages: datagrams, or lines of one connection after another.
type receiver struct {
	network, address string
	messages         chan string
	close            func()
}

func receive(t *testing.T, network, address string) *receiver {
	t.Helper()
	r := &receiver{network: network, messages: make(chan string, 1000)}
	switch network {
	case "udp", "unixgram":
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		r.address, r.close = c.LocalAddr().String(), func() { c.Close() }
		go func() {
			buf := make([]byte, 1<<16)
			for {
				n, _, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				r.messages <- string(buf[:n])
			}
		}()
	default:
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		conns := make(chan net.Conn, 16)
		r.address = l.Addr().String()
		r.close = func() {
			l.Close()
			for len(conns) > 0 {
				(<-conns).Close()
			}
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				conns <- c
				go func() {
					for in := bufio.NewReader(c); ; {
						line, err := in.ReadString('\n')
						if err != nil {
							return
						}
						r.messages <- line
					}
				}()
			}
		}()
	}
	t.Cleanup(r.close)
	return r
}

// next is the text of the next message, behind its head.
func (r *receiver) next(t *testing.T) string {
	t.Helper()
	select {
	case m := <-r.messages:
		_, text, ok := strings.Cut(m, "]: ")
		if !ok || !strings.HasSuffix(text, "\n") {
			t.Errorf("message %q", m)
		}
		return m[:strings.Index(m, ">")+1] + strings.TrimSuffix(text, "\n")
	case <-time.After(10 * time.Second):
		t.Fatal("no message")
		return ""
	}
}

func (r *receiver) want(t *testing.T, messages ...string) {
	t.Helper()
	for _, want := range messages {
		if got := r.next(t); got != want {
			t.Errorf("%.60q, want %.60q", got, want)
		}
	}
}

func write(t *testing.T, w *Writer, src engine.Source, text string) {
	t.Helper()
	if err := w.Write(src, []byte(text)); err != nil {
		t.Errorf("write %.40q: %v", text, err)
	}
}

func TestLinesBecomeMessages(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "unix", "unixgram", "unix with datagrams"} {
		t.Run(network, func(t *testing.T) {
			var r *receiver
			dialed := network
			switch network {
			case "udp", "tcp":
				r = receive(t, network, "127.0.0.1:0")
			case "unix with datagrams":
				dialed, r = "unix", receive(t, "unixgram", filepath.Join(t.TempDir(), "log"))
			default:
				r = receive(t, network, filepath.Join(t.TempDir(), "log"))
			}
			w, err := Open(engine.Syslog{Network: dialed, Address: r.address, Facility: 3, Tag: "t"})
			if err != nil {
				t.Fatal(err)
			}
			long := strings.Repeat("x", maxLine)
			write(t, w, engine.SourceStdout, "one\n\ntw")
			write(t, w, engine.SourceStderr, "bad\nworse")
			write(t, w, engine.SourceStdout, "o\n"+long+"rest\n")
			write(t, w, engine.SourceStdout, "no line feed")
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			r.want(t, "<30>one", "<27>bad", "<30>two", "<30>"+long, "<30>rest", "<30>no line feed", "<27>worse")
			if err := w.Write(engine.SourceStdout, []byte("x\n")); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("after its end: %v", err)
			}
			if err := w.Close(); err != nil {
				t.Errorf("closed twice: %v", err)
			}
		})
	}
}

// A receiver that is not there is told of at the beginning; one that goes loses what is written meanwhile, not what comes
// after it is back.
func TestReceiverThatGoes(t *testing.T) {
	r := receive(t, "tcp", "127.0.0.1:0")
	w, err := Open(engine.Syslog{Network: "tcp", Address: r.address, Tag: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	now := time.Now()
	w.now = func() time.Time { return now }
	write(t, w, engine.SourceStdout, "before\n")
	r.want(t, "<6>before")
	r.close()
	var lost error
	for end := time.Now().Add(10 * time.Second); lost == nil && time.Now().Before(end); {
		lost = w.Write(engine.SourceStdout, []byte("lost\n")) // the first may still go into the kernel's buffer
	}
	if lost == nil {
		t.Fatal("no error though nobody is there")
	}
	if _, err := Open(engine.Syslog{Network: "tcp", Address: r.address}); err == nil {
		t.Error("a receiver that is not there is connected to")
	}
	back := receive(t, "tcp", r.address)
	if err := w.Write(engine.SourceStdout, []byte("too early\n")); err == nil {
		t.Error("a connection is tried at once again")
	}
	now = now.Add(rest)
	write(t, w, engine.SourceStdout, "after\n")
	back.want(t, "<6>after")
}

// With a buffer the container goes on while nobody reads; what does not fit is lost, the rest comes in its order.
func TestBuffer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w, err := Open(engine.Syslog{Network: "tcp", Address: l.Addr().String(), Tag: "t", Buffer: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	line := bytes.Repeat([]byte("y"), 8<<10)
	line[len(line)-1] = '\n'
	const lines = 4096 // 32 MiB: more than the kernel and the buffer hold
	for range lines {
		write(t, w, engine.SourceStdout, string(line))
	}
	got := make(chan int, 1)
	go func() {
		all, _ := io.ReadAll(c)
		got <- bytes.Count(all, []byte{'\n'})
	}()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if n := <-got; n == 0 || n >= lines {
		t.Errorf("%d of %d lines came", n, lines)
	}
}
