package ports

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/xcengine/xc/engine"
)

var (
	any4 = netip.IPv4Unspecified()
	any6 = netip.IPv6Unspecified()
	lo4  = netip.MustParseAddr("127.0.0.1")
	lo6  = netip.IPv6Loopback()
	both = []netip.Addr{any4, any6}
	web  = engine.Port{Number: 80, Proto: engine.TCP}
	dns  = engine.Port{Number: 53, Proto: engine.UDP}
)

// host is a machine on which other programs listen.
type host struct {
	busy  map[string]error
	bound []string
}

func (h *host) bind(_ context.Context, proto engine.Proto, at netip.AddrPort, _ bool) (*os.File, error) {
	if err := h.busy[string(proto)+" "+at.String()]; err != nil {
		return nil, err
	}
	h.bound = append(h.bound, string(proto)+" "+at.String())
	return nil, nil
}

func shown(held []Held) string {
	var all []string
	for _, h := range held {
		all = append(all, netip.AddrPortFrom(h.HostIP, h.HostPort).String()+">"+string(h.Port.Proto))
	}
	return strings.Join(all, " ")
}

func TestReserveChoosesNextFit(t *testing.T) {
	h := &host{busy: map[string]error{"tcp 0.0.0.0:101": syscall.EADDRINUSE, "tcp [::]:103": syscall.EADDRINUSE}}
	a := newAllocator(100, 104, h.bind)
	for i, want := range []string{"0.0.0.0:100>tcp [::]:100>tcp", "0.0.0.0:102>tcp [::]:102>tcp", "0.0.0.0:104>tcp [::]:104>tcp"} {
		got, err := a.Reserve(t.Context(), engine.ContainerID(rune('a'+i)), []Want{{Port: web, Hosts: both}})
		if err != nil || shown(got) != want {
			t.Fatalf("%d: %q, %v; want %q", i, shown(got), err, want)
		}
	}
	if _, err := a.Reserve(t.Context(), "d", []Want{{Port: web, Hosts: both}}); !engine.HasReason(err, engine.ReasonPortsTaken) {
		t.Errorf("exhausted range: %v", err)
	}
	a.Release("a")
	a.Release("b")
	if got, err := a.Reserve(t.Context(), "e", []Want{{Port: web, Hosts: both}}); err != nil || shown(got) != "0.0.0.0:100>tcp [::]:100>tcp" {
		t.Errorf("after release: %q, %v", shown(got), err)
	}
	if got, err := a.Reserve(t.Context(), "f", []Want{{Port: dns, Hosts: both}}); err != nil || shown(got) != "0.0.0.0:100>udp [::]:100>udp" {
		t.Errorf("another protocol has a range of its own: %q, %v", shown(got), err)
	}
}

func TestReserveRangesAndExactPorts(t *testing.T) {
	h := &host{busy: map[string]error{"tcp 0.0.0.0:8001": syscall.EADDRINUSE}}
	a := newAllocator(100, 104, h.bind)
	v4 := []netip.Addr{any4}
	got, err := a.Reserve(t.Context(), "a", []Want{
		{Port: web, Hosts: v4, First: 8000, Last: 8003},
		{Port: engine.Port{Number: 81, Proto: engine.TCP}, Hosts: v4, First: 8000},
	})
	if err != nil || shown(got) != "0.0.0.0:8000>tcp 0.0.0.0:8002>tcp" {
		t.Errorf("the exact port comes first, the range passes over it and the busy one: %q, %v", shown(got), err)
	}
}

func TestReserveIsAllOrNothing(t *testing.T) {
	h := &host{busy: map[string]error{"tcp 0.0.0.0:81": syscall.EADDRINUSE}}
	a := newAllocator(100, 104, h.bind)
	_, err := a.Reserve(t.Context(), "a", []Want{
		{Port: web, Hosts: both, First: 80},
		{Port: engine.Port{Number: 81, Proto: engine.TCP}, Hosts: both, First: 81, To4: netip.MustParseAddr("10.0.0.2")},
	})
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.Conflict || e.Reason != engine.ReasonPortBusy || !slices.Equal(e.Args, []string{"0.0.0.0:81", "tcp", "10.0.0.2:81"}) {
		t.Fatalf("err = %+v", err)
	}
	if held, holders := a.Of("a"), a.Holders(); len(held) != 0 || len(holders) != 0 {
		t.Errorf("kept %v of %v", held, holders)
	}
	if _, err := a.Reserve(t.Context(), "b", []Want{{Port: web, Hosts: both, First: 80}}); err != nil {
		t.Errorf("port 80 is free again: %v", err)
	}
}

func TestConflictsAmongOurs(t *testing.T) {
	for _, c := range []struct {
		name         string
		first, other []netip.Addr
		taken        string
	}{
		{"same", []netip.Addr{lo4}, []netip.Addr{lo4}, "127.0.0.1:80"},
		{"a wider one is there", []netip.Addr{any4}, []netip.Addr{lo4}, "0.0.0.0:80"},
		{"a narrower one is there", []netip.Addr{lo4}, []netip.Addr{any4}, "127.0.0.1:80"},
		{"another address", []netip.Addr{lo4}, []netip.Addr{netip.MustParseAddr("127.0.0.2")}, ""},
		{"another family", []netip.Addr{any4}, []netip.Addr{any6}, ""},
		{"families of one want", both, []netip.Addr{lo6}, "[::]:80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAllocator(100, 104, new(host).bind)
			if _, err := a.Reserve(t.Context(), "a", []Want{{Port: web, Hosts: c.first, First: 80}}); err != nil {
				t.Fatal(err)
			}
			_, err := a.Reserve(t.Context(), "b", []Want{{Port: web, Hosts: c.other, First: 80}})
			var e *engine.Error
			switch {
			case c.taken == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.taken != "" && (!errors.As(err, &e) || e.Reason != engine.ReasonPortTaken || !slices.Equal(e.Args, []string{c.taken})):
				t.Errorf("err = %v, want taken %s", err, c.taken)
			}
		})
	}
}

func TestAdoptedPortsAreTaken(t *testing.T) {
	a := newAllocator(100, 104, new(host).bind)
	a.Adopt("a", []engine.PublishedPort{{Port: web, HostIP: any4, HostPort: 100}})
	got, err := a.Reserve(t.Context(), "b", []Want{{Port: web, Hosts: []netip.Addr{any4}}})
	if err != nil || shown(got) != "0.0.0.0:101>tcp" {
		t.Errorf("%q, %v", shown(got), err)
	}
	a.Release("a")
	if _, err := a.Reserve(t.Context(), "c", []Want{{Port: web, Hosts: []netip.Addr{any4}, First: 100}}); err != nil {
		t.Errorf("released: %v", err)
	}
}

func TestHostWithoutIPv6(t *testing.T) {
	h := &host{busy: map[string]error{"tcp [::]:100": errNoFamily, "tcp [::1]:100": errNoFamily}}
	a := newAllocator(100, 100, h.bind)
	got, err := a.Reserve(t.Context(), "a", []Want{{Port: web, Hosts: both, AnyFamily: true}})
	if err != nil || shown(got) != "0.0.0.0:100>tcp" {
		t.Errorf("%q, %v", shown(got), err)
	}
	a.Release("a")
	if _, err := a.Reserve(t.Context(), "a", []Want{{Port: web, Hosts: []netip.Addr{lo6}}}); err == nil {
		t.Error("[::1] was asked for and is not there")
	}
	if _, err := a.Reserve(t.Context(), "a", []Want{{Port: web, Hosts: both}}); err == nil {
		t.Error("[::] was asked for and is not there")
	}
}

// The rest is about the kernel.

func TestSocketsReserveThePort(t *testing.T) {
	a := New(DefaultFirst, DefaultLast, nil)
	got, err := a.Reserve(t.Context(), "a", []Want{{Port: web, Hosts: []netip.Addr{lo4}}, {Port: dns, Hosts: []netip.Addr{lo4}}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.GiveBack("a", got)
	tcp := netip.AddrPortFrom(lo4, got[0].HostPort)
	if l, err := net.Listen("tcp4", tcp.String()); err == nil {
		l.Close()
		t.Errorf("%v is free", tcp)
	}
	if c, err := net.ListenPacket("udp4", netip.AddrPortFrom(lo4, got[1].HostPort).String()); err == nil {
		c.Close()
		t.Errorf("udp port %d is free", got[1].HostPort)
	}
	l, err := net.FileListener(got[0].Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", tcp.String())
	if err != nil {
		t.Fatalf("the socket does not listen: %v", err)
	}
	c.Close()
}

func TestBusyPortOfTheHost(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	for _, at := range []netip.Addr{lo4, any4} {
		_, err = New(DefaultFirst, DefaultLast, nil).Reserve(t.Context(), "a", []Want{{Port: web, Hosts: []netip.Addr{at}, First: port}})
		if !engine.HasReason(err, engine.ReasonPortBusy) {
			t.Errorf("%v: %v", at, err)
		}
	}
}

// A port of udp that another program shares is had beside it when it is asked for by its number. Nobody shares it then any more.
func TestSharedPortOfTheHost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux alone asks both of those who share a port of udp")
	}
	share := func(fd uintptr, may bool) error {
		return syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, boolInt(may))
	}
	sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = share(fd, true) }), err)
	}}
	other, err := sharing.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	port := other.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	a := New(port, port, share)
	one := []Want{{Port: dns, Hosts: []netip.Addr{any4}, First: port}}
	if _, err := New(port, port, nil).Reserve(t.Context(), "a", one); !engine.HasReason(err, engine.ReasonPortBusy) {
		t.Errorf("without a word of sharing: %v", err)
	}
	if _, err := a.Reserve(t.Context(), "a", []Want{{Port: dns, Hosts: []netip.Addr{any4}}}); !engine.HasReason(err, engine.ReasonPortBusy) {
		t.Errorf("chosen: %v", err)
	}
	got, err := a.Reserve(t.Context(), "a", one)
	if err != nil {
		t.Fatal(err)
	}
	defer a.GiveBack("a", got)
	if c, err := sharing.ListenPacket(t.Context(), "udp4", other.LocalAddr().String()); err == nil {
		c.Close()
		t.Error("a third has the port, too")
	}
	if _, err := New(port, port, share).Reserve(t.Context(), "b", one); !engine.HasReason(err, engine.ReasonPortBusy) {
		t.Errorf("another daemon: %v", err)
	}
}

func TestForeignAddress(t *testing.T) {
	_, err := New(DefaultFirst, DefaultLast, nil).Reserve(t.Context(), "a", []Want{{Port: web, Hosts: []netip.Addr{netip.MustParseAddr("203.0.113.77")}, First: 8080, To4: netip.MustParseAddr("10.0.0.2")}})
	if engine.KindOf(err) != engine.Internal || !strings.Contains(err.Error(), "failed to bind host port for 203.0.113.77:8080:10.0.0.2:80/tcp: cannot assign requested address") {
		t.Errorf("err = %v", err)
	}
}

func TestSCTPIsReservedAsFarAsTheKernelCan(t *testing.T) {
	a := New(DefaultFirst, DefaultLast, nil)
	sctp := engine.Port{Number: 9, Proto: engine.SCTP}
	got, err := a.Reserve(t.Context(), "a", []Want{{Port: sctp, Hosts: []netip.Addr{lo4}}})
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	defer a.GiveBack("a", got)
	if _, err := a.Reserve(t.Context(), "b", []Want{{Port: sctp, Hosts: []netip.Addr{lo4}, First: got[0].HostPort}}); !engine.HasReason(err, engine.ReasonPortTaken) {
		t.Errorf("the same port again: %v", err)
	}
}

func BenchmarkReserve(b *testing.B) {
	a := New(DefaultFirst, DefaultLast, nil)
	for b.Loop() {
		got, err := a.Reserve(b.Context(), "a", []Want{{Port: web, Hosts: both}})
		if err != nil {
			b.Fatal(err)
		}
		a.GiveBack("a", got)
	}
}
