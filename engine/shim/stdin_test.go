package shim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

func TestStdin(t *testing.T) {
	for _, once := range []bool{true, false} {
		t.Run(fmt.Sprintf("once %v", once), func(t *testing.T) {
			b := newBox(t, nil)
			// The input stands there, and has ended, before the process is started.
			first := b.attach(strings.NewReader("first\n"))
			l := launch("cat")
			l.Stdin, l.StdinOnce = true, once
			b.run(l)
			if once {
				if exit := b.end(); exit.Code != 0 {
					t.Errorf("%+v", exit)
				}
				out, _ := first.wait()
				expect(t, "output", "first\n", out)
				return
			}
			for b.logged() != "first\n" {
				time.Sleep(time.Millisecond)
			}
			second := b.attach(strings.NewReader("second\n"))
			for b.logged() != "first\nsecond\n" {
				time.Sleep(time.Millisecond)
			}
			if err := b.h.Signal(t.Context(), "", "TERM"); err != nil {
				t.Fatal(err)
			}
			b.end()
			out, _ := first.wait()
			expect(t, "first client", "first\nsecond\n", out)
			out, _ = second.wait()
			expect(t, "second client", "second\n", out)
		})
	}
}

func TestMuchInput(t *testing.T) {
	b := newBox(t, nil)
	data := strings.Repeat("0123456789abcde\n", 200_000)
	a := b.attach(strings.NewReader(data))
	l := launch("cat")
	l.Stdin, l.StdinOnce = true, true
	b.run(l)
	b.end()
	if out, _ := a.wait(); out != data {
		t.Errorf("%d bytes of %d", len(out), len(data))
	}
}

// A process that does not read its input must not keep its end from being told.
func TestInputThatNobodyReads(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(strings.NewReader(strings.Repeat("x", 1<<20)))
	l := sh("sleep 0.2; exit 4")
	l.Stdin, l.StdinOnce = true, true
	b.run(l)
	if exit := b.end(); exit.Code != 4 {
		t.Errorf("%+v", exit)
	}
	a.wait()
}

// Without a wish for stdin the process has /dev/null, whatever clients send.
func TestNoStdin(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(strings.NewReader("ignored\n"))
	b.run(launch("cat"))
	if exit := b.end(); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
	out, _ := a.wait()
	expect(t, "output", "", out)
}

// A client that breaks off alone has ended its input, as with dockerd; the daemon is still there.
func TestClientThatBreaksOffEndsStdin(t *testing.T) {
	b := newBox(t, nil)
	control, r := b.dial()
	w, err := wire.DecodeWelcome(b.ask(control, r, wire.Frame{Kind: wire.Control, Payload: wire.Hello{Version: 1}.Encode()}).Payload)
	if err != nil {
		t.Fatal(err)
	}
	c, r := b.dial()
	b.ask(c, r, wire.Frame{Kind: wire.Attach, Payload: wire.Streams{Stdin: true, Session: w.Session}.Encode()})
	l := launch("cat")
	l.Stdin, l.StdinOnce = true, true
	b.run(l)
	if _, err := c.Write(wire.AppendFrame(nil, wire.Frame{Kind: wire.Stdin, Payload: []byte("half")})); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if exit := b.end(); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
	expect(t, "log", "half", b.logged())
}

// A stream that is ended from this side leaves stdin open, unless the client's input has ended as well.
func TestStreamsEndAndStdin(t *testing.T) {
	for name, tc := range map[string]struct {
		stream func(ctx context.Context, cancel func(), c engine.Conn) error
		closes bool
	}{
		"context ends": {stream: func(ctx context.Context, cancel func(), c engine.Conn) error {
			time.AfterFunc(100*time.Millisecond, cancel)
			return c.Stream(ctx, engine.Stdio{Stdin: leaver{make(chan struct{})}})
		}},
		"closed unused": {stream: func(_ context.Context, _ func(), c engine.Conn) error {
			_ = c.Close()
			return errDetached
		}},
		"without input": {stream: func(ctx context.Context, cancel func(), c engine.Conn) error {
			time.AfterFunc(100*time.Millisecond, cancel)
			return c.Stream(ctx, engine.Stdio{})
		}},
		"context and input end": {closes: true, stream: func(ctx context.Context, cancel func(), c engine.Conn) error {
			gone := make(chan struct{})
			time.AfterFunc(100*time.Millisecond, func() { cancel(); close(gone) })
			return c.Stream(ctx, engine.Stdio{Stdin: leaver{gone}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, nil)
			c, err := b.h.Attach(t.Context(), all)
			if err != nil {
				t.Fatal(err)
			}
			l := launch("cat")
			l.Stdin, l.StdinOnce = true, true
			b.run(l)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if err := tc.stream(ctx, cancel, c); err == nil {
				t.Error("no error")
			}
			time.Sleep(1300 * time.Millisecond)
			st, err := b.h.Status(t.Context())
			if err != nil || (st.Exit != nil) != tc.closes {
				t.Errorf("%+v %v", st.Exit, err)
			}
		})
	}
}
