package hijack_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/dockerapi/internal/hijack"
	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/translate"
)

// patience bounds what must happen soon; only failures take that long.
const patience = 10 * time.Second

// served is what a test's handler does with a stream that was taken over.
type served func(ctx context.Context, s *hijack.Stream)

// listen serves one handler over a Unix socket or TCP and returns how to reach it.
func listen(t *testing.T, network string, tty bool, do served) func() net.Conn {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		req, err := httpx.NewRequest(r, translate.MaxVersion, nil)
		if err != nil {
			t.Error(err)
			return
		}
		s, err := hijack.Take(w, req, tty)
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		ctx, stop := s.Watch(r.Context())
		defer stop()
		do(ctx, s)
	}
	srv := &http.Server{Handler: http.HandlerFunc(handler)}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return func() net.Conn {
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(patience))
		return c
	}
}

const upgrade = "POST /attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"

// ask sends a request and reads the head of the answer.
func ask(t *testing.T, c net.Conn, request string) (*bufio.Reader, *http.Response) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r, resp
}

func overBoth(t *testing.T, f func(t *testing.T, network string)) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

// cat is a process that gives back what it is given, and ends with its input.
func cat(_ context.Context, s *hijack.Stream) {
	io := s.Stdio(true)
	copyAll(io.Stdout, io.Stdin)
}

func copyAll(w io.Writer, r io.Reader) { _, _ = io.Copy(w, r) }

func TestUpgrade(t *testing.T) {
	overBoth(t, func(t *testing.T, network string) {
		c := listen(t, network, false, cat)()
		// What is sent together with the request is input already.
		r, resp := ask(t, c, upgrade+"early ")
		if resp.StatusCode != http.StatusSwitchingProtocols || resp.Status != "101 UPGRADED" || resp.Header.Get("Upgrade") != "tcp" ||
			resp.Header.Get("Connection") != "Upgrade" || resp.Header.Get("Content-Type") != "application/vnd.docker.multiplexed-stream" {
			t.Errorf("%s %v", resp.Status, resp.Header)
		}
		if _, err := io.WriteString(c, "late"); err != nil {
			t.Fatal(err)
		}
		closeWrite(t, c)
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for len(out) >= 8 {
			if out[0] != 1 {
				t.Fatalf("frame of stream %d", out[0])
			}
			n := int(out[6])<<8 | int(out[7])
			text.Write(out[8 : 8+n])
			out = out[8+n:]
		}
		if text.String() != "early late" {
			t.Errorf("%q came back", text.String())
		}
	})
}

// TestBodyIsNoInput: dockerode sends attach's options once more as a body.
func TestBodyIsNoInput(t *testing.T) {
	overBoth(t, func(t *testing.T, network string) {
		c := listen(t, network, true, cat)()
		r, _ := ask(t, c, strings.Replace(upgrade, "Content-Length: 0", "Content-Length: 15", 1)+"{\"stream\":true}early")
		closeWrite(t, c)
		if out, err := io.ReadAll(r); err != nil || string(out) != "early" {
			t.Errorf("%q, %v", out, err)
		}
	})
}

func closeWrite(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutUpgrade(t *testing.T) {
	overBoth(t, func(t *testing.T, network string) {
		c := listen(t, network, true, cat)()
		r, resp := ask(t, c, "POST /attach HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\nearly")
		if resp.StatusCode != http.StatusOK || len(resp.TransferEncoding) > 0 || resp.ContentLength != -1 ||
			resp.Header.Get("Content-Type") != "application/vnd.docker.raw-stream" {
			t.Errorf("%s %v %v", resp.Status, resp.Header, resp.TransferEncoding)
		}
		closeWrite(t, c)
		if out, err := io.ReadAll(r); err != nil || string(out) != "early" {
			t.Errorf("%q, %v", out, err)
		}
	})
}

// TestOutputAfterInputEnds: a client that sends no more still reads.
func TestOutputAfterInputEnds(t *testing.T) {
	overBoth(t, func(t *testing.T, network string) {
		inputEnded := make(chan struct{})
		goOn := make(chan struct{})
		c := listen(t, network, true, func(ctx context.Context, s *hijack.Stream) {
			io := s.Stdio(true)
			copyAll(discard{}, io.Stdin)
			close(inputEnded)
			select {
			case <-goOn:
			case <-ctx.Done():
				t.Error("half a close was taken for a whole one")
			}
			_, _ = io.Stdout.Write([]byte("still here"))
		})()
		r, _ := ask(t, c, upgrade)
		closeWrite(t, c)
		<-inputEnded
		time.Sleep(50 * time.Millisecond) // a wrong notice would come now
		close(goOn)
		if out, err := io.ReadAll(r); err != nil || string(out) != "still here" {
			t.Errorf("%q, %v", out, err)
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// TestClientVanishes: the context of a quiet stream ends when its client has closed the connection, whether it had ended its
// input before, sends some that nobody reads, or neither.
func TestClientVanishes(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, c net.Conn){
		"at once":         func(*testing.T, net.Conn) {},
		"after its input": func(t *testing.T, c net.Conn) { closeWrite(t, c) },
		"with input unread": func(t *testing.T, c net.Conn) {
			if _, err := io.WriteString(c, strings.Repeat("x", 100<<10)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			c := listen(t, "unix", true, func(ctx context.Context, _ *hijack.Stream) {
				<-ctx.Done()
				close(ended)
			})()
			ask(t, c, upgrade)
			before(t, c)
			select {
			case <-ended:
				t.Fatal("ended too early")
			case <-time.After(50 * time.Millisecond):
			}
			c.Close()
			select {
			case <-ended:
			case <-time.After(patience):
				t.Fatal("not noticed")
			}
		})
	}
}

// TestResetIsNoticed: over TCP an abortive close is noticed as well.
func TestResetIsNoticed(t *testing.T) {
	ended := make(chan struct{})
	c := listen(t, "tcp", true, func(ctx context.Context, _ *hijack.Stream) {
		<-ctx.Done()
		close(ended)
	})()
	ask(t, c, upgrade)
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("not noticed")
	}
}

// TestUnreadInputLosesNoOutput: a process that ends while its client still sends must not cost the client its output.
func TestUnreadInputLosesNoOutput(t *testing.T) {
	overBoth(t, func(t *testing.T, network string) {
		const size = 256 << 10
		c := listen(t, network, true, func(_ context.Context, s *hijack.Stream) {
			_, _ = s.Stdio(true).Stdout.Write(make([]byte, size))
		})()
		r, _ := ask(t, c, upgrade)
		go func() {
			defer c.(interface{ CloseWrite() error }).CloseWrite()
			for range 100 {
				if _, err := c.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}()
		out, err := io.ReadAll(r)
		if err != nil || len(out) != size {
			t.Errorf("%d of %d bytes, %v", len(out), size, err)
		}
	})
}

// TestCloseEndsWithClient: closing waits for the client, and no longer.
func TestCloseEndsWithClient(t *testing.T) {
	done := make(chan struct{})
	c := listen(t, "unix", true, func(_ context.Context, s *hijack.Stream) {
		s.Close()
		close(done)
	})()
	r, _ := ask(t, c, upgrade)
	if out, err := io.ReadAll(r); err != nil || len(out) > 0 {
		t.Errorf("%q, %v", out, err)
	}
	c.Close()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("Close waits though the client has gone")
	}
}

func TestSay(t *testing.T) {
	c := listen(t, "unix", false, func(_ context.Context, s *hijack.Stream) { s.Say("no") })()
	r, _ := ask(t, c, upgrade)
	if out, err := io.ReadAll(r); err != nil || string(out) != "\x01\x00\x00\x00\x00\x00\x00\x04no\r\n" {
		t.Errorf("%q, %v", out, err)
	}
}
