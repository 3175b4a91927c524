package shim_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/unixsock"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

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
