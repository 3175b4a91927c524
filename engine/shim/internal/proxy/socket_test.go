package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

// direct connects as this process.
func direct(ctx context.Context, _ *net.UnixConn, path string) (*net.UnixConn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

func TestStreamSocketOutlivesItsServer(t *testing.T) {
	dir := t.TempDir()
	outside, inside := filepath.Join(dir, "out"), filepath.Join(dir, "in")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: inside})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(engine.Proxy{Proto: engine.SocketStream, Inside: inside, Outside: outside, Listener: f}, direct, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"first", "second"} {
		server, err := net.Listen("unix", outside)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := server.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			in, _ := io.ReadAll(c) // the client ends its half first
			_, _ = c.Write(append([]byte(word+" "), in...))
		}()
		c, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: inside})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = c.Write([]byte("asks"))
		_ = c.CloseWrite()
		if got, err := io.ReadAll(c); err != nil || string(got) != word+" asks" {
			t.Errorf("got %q, %v", got, err)
		}
		c.Close()
		p.Redirect(netip.AddrPort{}) // means nothing here
		server.Close()               // takes its socket away
	}
	c, err := net.Dial("unix", inside)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("without a server: %d bytes, %v", n, err)
	}
	p.Close()
	if _, err := os.Lstat(inside); err != nil {
		t.Errorf("the name went with the proxy: %v", err)
	}
}

func TestMessagesReachWhoeverReceives(t *testing.T) {
	dir := t.TempDir()
	outside, inside := filepath.Join(dir, "out"), filepath.Join(dir, "in")
	front, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: inside})
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	f, err := front.File()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(engine.Proxy{Proto: engine.SocketDatagram, Inside: inside, Outside: outside, Listener: f}, direct, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, word := range []string{"one", "two"} {
		server, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: outside})
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("unixgram", inside)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(word)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		_ = server.SetReadDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 16)
		n, err := server.Read(b)
		if err != nil || string(b[:n]) != word {
			t.Errorf("got %q, %v", b[:n], err)
		}
		server.Close()
		if err := os.Remove(outside); err != nil { // it leaves its socket
			t.Fatal(err)
		}
	}
}
