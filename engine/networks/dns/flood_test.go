package dns

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A flood of queries takes no memory: what cannot be worked at waits in the kernel, or is lost there.
func TestFloodWaitsInTheKernel(t *testing.T) {
	s := listen(t, "")
	at := netip.MustParseAddr("127.81.0.1")
	c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP("127.81.0.2")}, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, s.Port(at))))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wire, err := new(dns.Msg).SetQuestion("api-1.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	s.dir.mu.Lock() // nothing is answered meanwhile
	for range 2000 {
		if _, err := c.Write(wire); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(200 * time.Millisecond) // for the reading of all that would be read
	during := runtime.NumGoroutine()
	s.dir.mu.Unlock()
	if during-before > 100 {
		t.Errorf("%d goroutines more", during-before)
	}
	if got := answers(ask(t, s, "udp", "127.81.0.11", "127.81.0.1", new(dns.Msg).SetQuestion("api-1.", dns.TypeA))); got != "127.81.0.11" {
		t.Errorf("afterwards: %s", got)
	}
}

// One client cannot take all the connections that there are.
func TestConnectionsOfOneClientAreBounded(t *testing.T) {
	s := listen(t, "")
	at := netip.MustParseAddr("127.81.0.1")
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.81.0.2")}}
	var first, last net.Conn
	for range connsPerClient + 1 {
		c, err := from.Dial("tcp4", netip.AddrPortFrom(at, s.Port(at)).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		first, last = cmp.Or(first, c), c
	}
	last.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := last.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection beyond those allowed is not closed: %v", err)
	}
	first.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the first one: %v", err)
	}
	if got := answers(ask(t, s, "tcp", "127.81.0.11", "127.81.0.1", new(dns.Msg).SetQuestion("api-1.", dns.TypeA))); got != "127.81.0.11" {
		t.Errorf("another client: %s", got)
	}
}

// Answers with a wrong id are somebody else's, and what comes without a query is nobody's.
func TestSpoofedAnswers(t *testing.T) {
	s := listen(t, "nameserver 127.89.0.1\n")
	upstream(t, &s.forward.port, "127.89.0.1", func(w dns.ResponseWriter, m *dns.Msg) {
		for range 50 {
			wrong := m.Copy()
			wrong.Id++
			says("spoofed")(w, wrong)
		}
		w.Write([]byte{1, 2, 3})
		says("right")(w, m)
	})
	if got := answers(ask(t, s, "udp", "127.81.0.2", "127.81.0.1", txt("example.org."))); got != "right" {
		t.Errorf("got %s", got)
	}
}

// The resolver follows the host's resolv.conf, however that is replaced.
func TestUpstreamsFollowTheHost(t *testing.T) {
	s := listen(t, "nameserver 127.89.0.1\n")
	upstream(t, &s.forward.port, "127.89.0.1", says("first"))
	upstream(t, &s.forward.port, "127.89.0.2", says("second"))
	path := s.host.path
	steps := []struct {
		change func() error
		want   string
	}{
		{func() error { return nil }, "first"},
		{func() error { return os.WriteFile(path, []byte("nameserver 127.89.0.2\n"), 0o644) }, "second"},
		{func() error {
			fresh := filepath.Join(t.TempDir(), "fresh")
			if err := os.WriteFile(fresh, []byte("nameserver 127.89.0.1\n"), 0o644); err != nil {
				return err
			}
			return os.Rename(fresh, path)
		}, "first"},
	}
	for _, step := range steps {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		s.host.mu.Lock()
		s.host.checked = time.Time{} // it is looked at once a second
		s.host.mu.Unlock()
		if got := answers(ask(t, s, "udp", "127.81.0.2", "127.81.0.1", txt("example.org."))); got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
	}
}
