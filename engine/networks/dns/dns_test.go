package dns

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/xcengine/xc/engine"
)

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

// town is a directory with three networks: front (web, api twice as service), back (db, dual stack) and plain.
func town() *Directory {
	d := NewDirectory()
	d.PutNetwork(Network{ID: "front", Name: "Front"})
	d.PutNetwork(Network{ID: "back", Name: "back"})
	d.PutNetwork(Network{ID: "plain", Name: "bridge", Plain: true})
	d.Put(Client{Container: "web", Forward: true, Places: []Place{
		{Network: "front", Addrs: addrs("127.81.0.2"), Names: []string{"web", "www", "aaaaaaaaaaaa"}, Links: map[string]string{"Shop": "api-1"}},
		{Network: "back", Addrs: addrs("127.82.0.2"), Names: []string{"web", "inner"}},
	}})
	for i := range 2 {
		d.Put(Client{Container: engine.ContainerID(fmt.Sprintf("api-%d", i+1)), Forward: true, Places: []Place{
			{Network: "front", Addrs: addrs(fmt.Sprintf("127.81.0.%d", i+11)), Names: []string{fmt.Sprintf("api-%d", i+1), "api"}},
		}})
	}
	d.Put(Client{Container: "db", Upstreams: addrs("127.89.0.9"), Places: []Place{
		{Network: "back", Addrs: addrs("127.82.0.3", "fd00:82::3"), Names: []string{"db.one"}},
	}})
	d.Put(Client{Container: "old", Forward: true, Places: []Place{{Network: "plain", Addrs: addrs("127.83.0.2"), Names: []string{"old"}}}})
	return d
}

func TestJudge(t *testing.T) {
	d := town()
	for _, c := range []struct {
		name, network, src, ask string
		qtype                   uint16
		want                    string
	}{
		{"a name of the network", "front", "127.81.0.2", "api-1.", dns.TypeA, "127.81.0.11"},
		{"case does not matter", "front", "127.81.0.2", "API-1.", dns.TypeA, "127.81.0.11"},
		{"an alias", "front", "127.81.0.11", "www.", dns.TypeA, "127.81.0.2"},
		{"the short id", "front", "127.81.0.11", "aaaaaaaaaaaa.", dns.TypeA, "127.81.0.2"},
		{"oneself", "front", "127.81.0.11", "api-1.", dns.TypeA, "127.81.0.11"},
		{"a service", "front", "127.81.0.2", "api.", dns.TypeA, "127.81.0.11 127.81.0.12"},
		{"qualified by the network", "front", "127.81.0.2", "api-2.front.", dns.TypeA, "127.81.0.12"},
		{"qualified by another network", "front", "127.81.0.2", "api-2.back.", dns.TypeA, "forward"},
		{"a name of the other network one is in", "front", "127.81.0.2", "db.one.", dns.TypeA, "127.82.0.3"},
		{"the same, qualified", "front", "127.81.0.2", "db.one.back.", dns.TypeA, "127.82.0.3"},
		{"the first network wins", "back", "127.82.0.2", "web.", dns.TypeA, "127.81.0.2"},
		{"a name of a network one is not in", "front", "127.81.0.11", "db.one.", dns.TypeA, "forward"},
		{"an alias of another network", "back", "127.82.0.3", "inner.", dns.TypeA, "127.82.0.2"},
		{"a link", "front", "127.81.0.2", "shop.", dns.TypeA, "127.81.0.11"},
		{"a link of somebody else", "front", "127.81.0.11", "shop.", dns.TypeA, "forward"},
		{"IPv6", "back", "127.82.0.2", "db.one.", dns.TypeAAAA, "fd00:82::3"},
		{"no IPv6", "front", "127.81.0.2", "api.", dns.TypeAAAA, "nothing"},
		{"a type that names of ours have not", "front", "127.81.0.2", "api.", dns.TypeHTTPS, "nothing"},
		{"an unknown name", "front", "127.81.0.2", "example.com.", dns.TypeA, "forward"},
		{"an unknown name, own servers", "back", "127.82.0.3", "example.com.", dns.TypeA, "forward to [127.89.0.9]"},
		{"a pointer", "front", "127.81.0.2", "11.0.81.127.in-addr.arpa.", dns.TypePTR, "api-1.front."},
		{"a pointer of IPv6", "back", "127.82.0.2", "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.8.0.0.0.0.d.f.ip6.arpa.", dns.TypePTR, "db.one.back."},
		{"a pointer of a network one is not in", "front", "127.81.0.11", "3.0.82.127.in-addr.arpa.", dns.TypePTR, "forward"},
		{"a pointer to elsewhere", "front", "127.81.0.2", "1.1.1.1.in-addr.arpa.", dns.TypePTR, "forward"},
		{"the default bridge has no names", "plain", "127.83.0.2", "old.", dns.TypeA, "forward"},
		{"a stranger", "front", "127.82.0.3", "web.", dns.TypeA, "REFUSED"},
		{"the host knows names", "front", "127.81.0.1", "web.", dns.TypeA, "127.81.0.2"},
		{"the host's other queries", "front", "127.81.0.1", "example.com.", dns.TypeA, "REFUSED"},
		{"an unknown network", "gone", "127.81.0.2", "web.", dns.TypeA, "REFUSED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			query := new(dns.Msg).SetQuestion(c.ask, c.qtype)
			v := d.judge(engine.NetworkID(c.network), netip.MustParseAddr(c.src), netip.MustParseAddr("127.81.0.1"), query)
			if got := shown(v); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func shown(v verdict) string {
	switch {
	case v.reply == nil && len(v.upstreams) > 0:
		return fmt.Sprint("forward to ", v.upstreams)
	case v.reply == nil && v.forward:
		return "forward"
	case v.reply == nil:
		return "neither answered nor forwarded"
	case v.reply.Rcode != dns.RcodeSuccess:
		return dns.RcodeToString[v.reply.Rcode]
	}
	return answers(v.reply)
}

func answers(m *dns.Msg) string {
	var all []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			all = append(all, rr.A.String())
		case *dns.AAAA:
			all = append(all, rr.AAAA.String())
		case *dns.PTR:
			all = append(all, rr.Ptr)
		case *dns.TXT:
			all = append(all, rr.Txt...)
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestMalformedQuestions(t *testing.T) {
	d := town()
	none, two, notify := new(dns.Msg), new(dns.Msg).SetQuestion("web.", dns.TypeA), new(dns.Msg).SetNotify("web.")
	two.Question = append(two.Question, two.Question[0])
	for want, m := range map[int]*dns.Msg{dns.RcodeFormatError: none, dns.RcodeNotImplemented: notify} {
		if v := d.judge("front", netip.MustParseAddr("127.81.0.2"), netip.MustParseAddr("127.81.0.1"), m); v.reply == nil || v.reply.Rcode != want {
			t.Errorf("%v: %+v", dns.RcodeToString[want], v)
		}
	}
	if v := d.judge("front", netip.MustParseAddr("127.81.0.2"), netip.MustParseAddr("127.81.0.1"), two); v.reply == nil || v.reply.Rcode != dns.RcodeFormatError {
		t.Errorf("two questions: %+v", v)
	}
}

func TestRotation(t *testing.T) {
	d := town()
	first := map[string]int{}
	for range 200 {
		v := d.judge("front", netip.MustParseAddr("127.81.0.2"), netip.MustParseAddr("127.81.0.1"), new(dns.Msg).SetQuestion("api.", dns.TypeA))
		first[v.reply.Answer[0].(*dns.A).A.String()]++
	}
	if first["127.81.0.11"] < 50 || first["127.81.0.12"] < 50 {
		t.Errorf("not shared evenly: %v", first)
	}
}

func TestDirectoryForgets(t *testing.T) {
	d := town()
	ask := func(name string) string {
		return shown(d.judge("front", netip.MustParseAddr("127.81.0.2"), netip.MustParseAddr("127.81.0.1"), new(dns.Msg).SetQuestion(name, dns.TypeA)))
	}
	d.Remove("api-1")
	if got := ask("api."); got != "127.81.0.12" {
		t.Errorf("after one of two went: %q", got)
	}
	d.Put(Client{Container: "api-2", Places: []Place{{Network: "front", Addrs: addrs("127.81.0.13"), Names: []string{"renamed"}}}})
	if got := ask("api.") + ", " + ask("renamed."); got != "forward, 127.81.0.13" {
		t.Errorf("after renaming: %q", got)
	}
	d.RemoveNetwork("front")
	if got := ask("renamed."); got != "REFUSED" {
		t.Errorf("after the network went: %q", got)
	}
	d.Remove("api-2")
	d.Remove("web")
	for id, z := range d.zones {
		for name, records := range z.names {
			if slices.ContainsFunc(records, func(r *record) bool { return r.container == "web" }) {
				t.Errorf("%s still names web %q", id, name)
			}
		}
	}
}

func TestParseConf(t *testing.T) {
	got := ParseConf("# made by hand\nnameserver 192.0.2.1\nnameserver ::1 # local\nnameserver bad\nnameserver fe80::1%eth0\nnameserver 192.0.2.4\n" +
		"domain first.example\nsearch a.example b.example\noptions ndots:2 timeout:1\noptions rotate\n;options no\nnameserver\n")
	want := Conf{
		Servers: append(addrs("192.0.2.1", "::1"), netip.MustParseAddr("fe80::1%eth0")),
		Search:  []string{"a.example", "b.example"}, Options: []string{"ndots:2", "timeout:1", "rotate"},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzParseConf(f *testing.F) {
	f.Add("nameserver 1.2.3.4\nsearch .\noptions")
	f.Fuzz(func(t *testing.T, text string) {
		if c := ParseConf(text); len(c.Servers) > maxServers {
			t.Errorf("%d servers", len(c.Servers))
		}
	})
}

func FuzzParseReverse(f *testing.F) {
	f.Add("2.0.17.172.in-addr.arpa.")
	f.Add("3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.8.0.0.0.0.d.f.ip6.arpa")
	f.Fuzz(func(t *testing.T, name string) {
		a, ok := parseReverse(name)
		if !ok {
			return
		}
		back, err := dns.ReverseAddr(a.String())
		if err != nil {
			t.Fatal(err)
		}
		if again, ok := parseReverse(back); !ok || again != a {
			t.Errorf("%q gave %v, which is %q", name, a, back)
		}
	})
}

// The rest needs sockets on addresses of 127/8, which Linux has all of and FreeBSD only the first.

func listen(t testing.TB, hostConf string) *Server {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.81.0.1:0")
	if err != nil {
		t.Skipf("this host has not all of 127/8: %v", err)
	}
	c.Close()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte(hostConf), 0o644); err != nil {
		t.Fatal(err)
	}
	s := NewServer(town(), NewHostConf(path), slog.New(slog.DiscardHandler))
	s.vacated = true // the tests' port is any
	t.Cleanup(s.Close)
	for network, at := range map[engine.NetworkID]string{"front": "127.81.0.1", "back": "127.82.0.1"} {
		if _, err := s.Listen(network, netip.MustParseAddr(at)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// ask sends a query as the container with address src would.
func ask(t *testing.T, s *Server, proto, src, at string, query *dns.Msg) *dns.Msg {
	t.Helper()
	reply, err := tryAsk(s, proto, src, at, query)
	if err != nil {
		t.Fatalf("%s %s from %s at %s: %v", proto, query.Question[0].Name, src, at, err)
	}
	return reply
}

func tryAsk(s *Server, proto, src, at string, query *dns.Msg) (*dns.Msg, error) {
	var local net.Addr = &net.UDPAddr{IP: net.ParseIP(src)}
	if proto == "tcp" {
		local = &net.TCPAddr{IP: net.ParseIP(src)}
	}
	c := dns.Client{Net: proto, Timeout: 10 * time.Second, Dialer: &net.Dialer{LocalAddr: local}}
	addr := netip.MustParseAddr(at)
	reply, _, err := c.Exchange(query, netip.AddrPortFrom(addr, s.Port(addr)).String())
	return reply, err
}

// upstream is a name server for example.org on addr; every query is counted.
func upstream(t *testing.T, port *uint16, addr string, answer dns.HandlerFunc) *atomic.Int64 {
	t.Helper()
	udp, tcp, err := bindBoth(netip.AddrPortFrom(netip.MustParseAddr(addr), *port))
	if err != nil {
		t.Fatal(err)
	}
	*port = udp.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	var count atomic.Int64
	h := dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		count.Add(1)
		answer(w, m)
	})
	for _, server := range []*dns.Server{{PacketConn: udp, Handler: h}, {Listener: tcp, Handler: h}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		done := make(chan struct{})
		go func() { defer close(done); server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { server.Shutdown(); <-done })
	}
	return &count
}

func says(text string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, m *dns.Msg) {
		reply := new(dns.Msg).SetReply(m)
		reply.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{text}}}
		if w.RemoteAddr().Network() == "udp" {
			reply.Truncate(replySize(m))
		}
		w.WriteMsg(reply)
	}
}

func txt(name string) *dns.Msg { return new(dns.Msg).SetQuestion(name, dns.TypeTXT) }

func TestServeBothProtocols(t *testing.T) {
	s := listen(t, "")
	for _, proto := range []string{"udp", "tcp"} {
		query := new(dns.Msg).SetQuestion("api.", dns.TypeA)
		query.SetEdns0(1232, false)
		reply := ask(t, s, proto, "127.81.0.2", "127.81.0.1", query)
		if got := answers(reply); got != "127.81.0.11 127.81.0.12" || !reply.RecursionAvailable || reply.IsEdns0() == nil || reply.Answer[0].Header().Ttl != ttl {
			t.Errorf("%s: %v", proto, reply)
		}
		if reply := ask(t, s, proto, "127.82.0.3", "127.81.0.1", new(dns.Msg).SetQuestion("api.", dns.TypeA)); reply.Rcode != dns.RcodeRefused {
			t.Errorf("%s: a stranger got %v", proto, reply)
		}
	}
}

func TestForwardToTheRightServers(t *testing.T) {
	s := listen(t, "nameserver 127.89.0.1\n")
	hosts := upstream(t, &s.forward.port, "127.89.0.1", says("host's"))
	own := upstream(t, &s.forward.port, "127.89.0.9", says("own"))
	for _, proto := range []string{"udp", "tcp"} {
		if got := answers(ask(t, s, proto, "127.81.0.2", "127.81.0.1", txt("example.org."))); got != "host's" {
			t.Errorf("%s: %s", proto, got)
		}
		if got := answers(ask(t, s, proto, "127.82.0.3", "127.82.0.1", txt("example.org."))); got != "own" {
			t.Errorf("%s: %s", proto, got)
		}
	}
	if hosts.Load() != 2 || own.Load() != 2 {
		t.Errorf("host's server was asked %d times, the container's own %d times; want 2 and 2", hosts.Load(), own.Load())
	}
}

func TestForwardFailures(t *testing.T) {
	s := listen(t, "nameserver 127.89.0.1\nnameserver 127.89.0.2\nnameserver 127.89.0.3\n")
	upstream(t, &s.forward.port, "127.89.0.1", func(w dns.ResponseWriter, m *dns.Msg) { w.WriteMsg(rcode(m, dns.RcodeServerFailure)) })
	upstream(t, &s.forward.port, "127.89.0.2", func(w dns.ResponseWriter, m *dns.Msg) {
		reply := new(dns.Msg).SetReply(txt("other.example."))
		reply.Id = m.Id
		w.WriteMsg(reply)
	})
	third := upstream(t, &s.forward.port, "127.89.0.3", func(w dns.ResponseWriter, m *dns.Msg) {
		if m.Question[0].Name == "missing.example." {
			w.WriteMsg(rcode(m, dns.RcodeNameError))
			return
		}
		says("third")(w, m)
	})
	if got := answers(ask(t, s, "udp", "127.81.0.2", "127.81.0.1", txt("example.org."))); got != "third" {
		t.Errorf("a failing server and one that answers something else are passed over: %s", got)
	}
	if reply := ask(t, s, "udp", "127.81.0.2", "127.81.0.1", txt("missing.example.")); reply.Rcode != dns.RcodeNameError || third.Load() != 2 {
		t.Errorf("NXDOMAIN is an answer: %v after %d", reply, third.Load())
	}
	s.dir.Put(Client{Container: "web", Places: []Place{{Network: "front", Addrs: addrs("127.81.0.2"), Names: []string{"web"}}}})
	if reply := ask(t, s, "udp", "127.81.0.2", "127.81.0.1", txt("example.org.")); reply.Rcode != dns.RcodeServerFailure || third.Load() != 2 {
		t.Errorf("who may not ask outside: %v after %d", reply, third.Load())
	}
}

func TestSilentServerTimesOut(t *testing.T) {
	s := listen(t, "nameserver 127.89.0.1\nnameserver 127.89.0.2\n")
	upstream(t, &s.forward.port, "127.89.0.1", func(dns.ResponseWriter, *dns.Msg) {})
	upstream(t, &s.forward.port, "127.89.0.2", says("second"))
	s.forward.wait = 300 * time.Millisecond
	start := time.Now()
	if got := answers(ask(t, s, "udp", "127.81.0.2", "127.81.0.1", txt("example.org."))); got != "second" {
		t.Errorf("got %s", got)
	}
	if took := time.Since(start); took < s.forward.wait || took > s.forward.wait+time.Second {
		t.Errorf("took %v", took)
	}
}

func TestTruncation(t *testing.T) {
	s := listen(t, "nameserver 127.89.0.1\n")
	long := strings.Repeat("x", 255)
	upstream(t, &s.forward.port, "127.89.0.1", func(w dns.ResponseWriter, m *dns.Msg) {
		reply := new(dns.Msg).SetReply(m) // as long as it is, whatever the client can take
		for range 4 {
			reply.Answer = append(reply.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{long}})
		}
		w.WriteMsg(reply)
	})
	udp := ask(t, s, "udp", "127.81.0.2", "127.81.0.1", txt("example.org."))
	if !udp.Truncated || wireLen(udp) > dns.MinMsgSize {
		t.Errorf("udp: truncated=%v, %d bytes", udp.Truncated, wireLen(udp))
	}
	large := txt("example.org.")
	large.SetEdns0(4096, false)
	c := dns.Client{Net: "udp", UDPSize: 4096, Dialer: &net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP("127.81.0.2")}}}
	at := netip.MustParseAddr("127.81.0.1")
	reply, _, err := c.Exchange(large, netip.AddrPortFrom(at, s.Port(at)).String())
	if err != nil || reply.Truncated || len(reply.Answer) != 4 {
		t.Errorf("udp with EDNS: %v, %v", reply, err)
	}
	if tcp := ask(t, s, "tcp", "127.81.0.2", "127.81.0.1", txt("example.org.")); tcp.Truncated || len(tcp.Answer) != 4 {
		t.Errorf("tcp: %v", tcp)
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("10.1.2.%d", i+1))
	}
	s.dir.Put(Client{Container: "many", Places: []Place{{Network: "front", Addrs: addrs(many...), Names: []string{"many"}}}})
	query := new(dns.Msg).SetQuestion("many.", dns.TypeA)
	if udp := ask(t, s, "udp", "127.81.0.2", "127.81.0.1", query); !udp.Truncated || wireLen(udp) > dns.MinMsgSize {
		t.Errorf("local over udp: truncated=%v, %d bytes", udp.Truncated, wireLen(udp))
	}
	if tcp := ask(t, s, "tcp", "127.81.0.2", "127.81.0.1", query); len(tcp.Answer) != 100 {
		t.Errorf("local over tcp: %d answers", len(tcp.Answer))
	}
}

func wireLen(m *dns.Msg) int {
	m.Compress = true
	return m.Len()
}

// TestNoLoop builds the worst case: the container's own server is a program that asks us again.
func TestNoLoop(t *testing.T) {
	s := listen(t, "nameserver 127.81.0.1\n") // our own address
	if reply := ask(t, s, "udp", "127.81.0.2", "127.81.0.1", txt("example.org.")); reply.Rcode != dns.RcodeServerFailure {
		t.Errorf("asked itself: %v", reply)
	}
	s.forward.wait = 300 * time.Millisecond
	count := upstream(t, &s.forward.port, "127.89.0.9", func(w dns.ResponseWriter, m *dns.Msg) {
		reply, err := tryAsk(s, "udp", "127.82.0.3", "127.82.0.1", m)
		if err != nil {
			return
		}
		reply.Id = m.Id
		w.WriteMsg(reply)
	})
	reply := ask(t, s, "udp", "127.82.0.3", "127.82.0.1", txt("example.org."))
	if reply.Rcode != dns.RcodeServerFailure || count.Load() > rounds {
		t.Errorf("%v after %d queries; want a failure after at most %d", dns.RcodeToString[reply.Rcode], count.Load(), rounds)
	}
}

func TestPort53Taken(t *testing.T) {
	d := town()
	s := NewServer(d, NewHostConf("/nonexistent"), slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	gw := netip.MustParseAddr("127.81.0.1")
	other, err := net.ListenPacket("udp4", "127.81.0.1:53")
	if err != nil {
		t.Skipf("cannot take port 53 here: %v", err)
	}
	port, err := s.Listen("front", gw)
	if err != nil || port == 53 || port == 0 {
		t.Fatalf("port %d, %v", port, err)
	}
	if got := answers(ask(t, s, "udp", "127.81.0.2", "127.81.0.1", new(dns.Msg).SetQuestion("web.", dns.TypeA))); got != "127.81.0.2" {
		t.Errorf("got %s", got)
	}
	s.Stop(gw)
	other.Close()
	if port, err = s.Listen("front", gw); err != nil || port != 53 {
		t.Fatalf("port %d, %v", port, err)
	}
	if moved, err := s.Vacate(); err != nil || !moved || s.Port(gw) == 53 {
		t.Errorf("moved=%v, %v, port %d", moved, err, s.Port(gw))
	}
	if got := answers(ask(t, s, "tcp", "127.81.0.2", "127.81.0.1", new(dns.Msg).SetQuestion("web.", dns.TypeA))); got != "127.81.0.2" {
		t.Errorf("after moving: %s", got)
	}
	if moved, err := s.Vacate(); err != nil || moved {
		t.Errorf("again: moved=%v, %v", moved, err)
	}
}

// manyClients and eachAsks are the load that a busy network makes.
const manyClients, eachAsks = 20, 250

// askMany sends queries by one socket, each when the one before is answered. It returns at the first that is lost or wrong.
func askMany(s *Server, n int) error {
	local := &net.UDPAddr{IP: net.ParseIP("127.81.0.2")}
	at := netip.MustParseAddr("127.81.0.1")
	c := dns.Client{Timeout: 10 * time.Second, Dialer: &net.Dialer{LocalAddr: local}}
	conn, err := c.Dial(netip.AddrPortFrom(at, s.Port(at)).String())
	if err != nil {
		return err
	}
	defer conn.Close()
	for range n {
		reply, _, err := c.ExchangeWithConn(new(dns.Msg).SetQuestion("api-1.", dns.TypeA), conn)
		if err != nil {
			return err
		}
		if got := answers(reply); got != "127.81.0.11" {
			return fmt.Errorf("answer %s", got)
		}
	}
	return nil
}

// TestManyQueries: of the queries of many clients at once, none is lost. BenchmarkQueries tells how many a second there can be.
func TestManyQueries(t *testing.T) {
	s := listen(t, "")
	errs := make(chan error, manyClients)
	for range manyClients {
		go func() { errs <- askMany(s, eachAsks) }()
	}
	for range manyClients {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkQueries(b *testing.B) {
	s := listen(b, "")
	n := 0
	for b.Loop() {
		errs := make(chan error, manyClients)
		for range manyClients {
			go func() { errs <- askMany(s, eachAsks) }()
		}
		for range manyClients {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
		n += manyClients * eachAsks
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "queries/s")
}

func BenchmarkJudge(b *testing.B) {
	d := NewDirectory()
	d.PutNetwork(Network{ID: "n", Name: "n"})
	for i := range 1000 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		d.Put(Client{Container: engine.ContainerID(fmt.Sprint(i)), Places: []Place{{Network: "n", Addrs: []netip.Addr{a}, Names: []string{fmt.Sprint("c", i)}}}})
	}
	query, src, at := new(dns.Msg).SetQuestion("c500.", dns.TypeA), netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.0.1")
	for b.Loop() {
		if v := d.judge("n", src, at, query); v.reply == nil {
			b.Fatal("no answer")
		}
	}
}
