package networktest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

func TestPublishedPortFromEverywhere(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	s.network("front")
	web := s.run("web", on("front"), publish(
		binding("", 8080, 80, engine.TCP), binding("127.0.0.1", 8081, 80, engine.TCP), binding("", 8082, 81, engine.UDP), binding("::1", 8083, 80, engine.TCP)))
	s.serve(web.Sandbox, "udp4", "0.0.0.0:81", "names")
	mate, stranger := s.run("mate", on("front")), s.run("stranger", on("bridge"))

	s.reaches("outside", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
	s.reaches("outside, IPv6 by the proxy", n.Box, "tcp", at4(n.Host6, 8080), "web", "")
	s.reaches("outside, udp", n.Box, "udp", at4(n.Host4, 8082), "names", n.Addr4.String())
	for _, at := range []string{at4(n.Host4, 8080), "127.0.0.1:8080", "[::1]:8080", at4(n.Host6, 8080), "127.0.0.1:8081", "[::1]:8083"} {
		s.reaches("the host", engine.Sandbox{}, "tcp", at, "web", "")
	}
	for _, at := range []string{at4(n.Host4, 8082), "127.0.0.1:8082"} {
		s.reaches("the host, udp", engine.Sandbox{}, "udp", at, "names", "")
	}
	for what, c := range map[string]*instance{"mate": mate, "stranger": stranger, "itself": web} {
		s.reaches("container "+what, c.Sandbox, "tcp", at4(n.Host4, 8080), "web", "")
		s.reaches("container "+what+", udp", c.Sandbox, "udp", at4(n.Host4, 8082), "names", "")
	}
	s.reachesNot("loopback port from outside", n.Box, "tcp", at4(n.Host4, 8081))
	s.reachesNot("loopback port from a container", mate.Sandbox, "tcp", at4(n.Host4, 8081))
	same(t, "ports", web.held.Ports, []string{
		"{{80 tcp} 0.0.0.0 8080}", "{{80 tcp} 127.0.0.1 8081}", "{{80 tcp} :: 8080}", "{{80 tcp} ::1 8083}", "{{81 udp} 0.0.0.0 8082}", "{{81 udp} :: 8082}",
	})
	s.detach(web)
	s.reachesNot("after detach", n.Box, "tcp", at4(n.Host4, 8080))
}

func TestConflictsLeaveNothing(t *testing.T) {
	s := newStack(t, ours)
	first := s.run("first", on("bridge"), publish(binding("", 8080, 80, engine.TCP)))
	rules, inv := s.rulesOf(), s.inventory()
	busy, err := net.Listen("tcp", "127.0.0.1:8090")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		port   uint16
		reason engine.Reason
	}{{8080, engine.ReasonPortTaken}, {8090, engine.ReasonPortBusy}} {
		other := s.wish("other", on("bridge"), publish(binding("", 8099, 81, engine.TCP), binding("", c.port, 80, engine.TCP)))
		fails(t, s.attach(other), engine.Conflict, c.reason)
	}
	same(t, "rules", s.rulesOf(), rules)
	same(t, "inventory", s.inventory(), inv)
	if _, err := net.Dial("tcp", "127.0.0.1:8099"); err == nil {
		t.Error("a port of the refused container is still bound")
	}
	d, err := s.Inspect(t.Context(), "bridge")
	if err != nil || len(d.Attached) != 1 || d.Attached[0].Container != first.Container {
		t.Errorf("attached %+v, %v", d.Attached, err)
	}
}

func TestNamesBetweenContainers(t *testing.T) {
	s := newStack(t, ours)
	s.network("front")
	s.network("back")
	s.network("deep", func(r *engine.NetworkRequest) { r.Internal = true })
	web := s.run("web", map[string]engine.EndpointSpec{"front": {Aliases: []string{"www"}}, "back": {Aliases: []string{"inner"}, Links: []string{"db:store"}}})
	api1, api2 := s.run("api-1", map[string]engine.EndpointSpec{"front": {Aliases: []string{"api"}}}), s.run("api-2", map[string]engine.EndpointSpec{"front": {Aliases: []string{"api"}}})
	db := s.run("db", on("back"))
	vault, well := s.run("vault", on("deep")), s.run("well", on("deep"))
	plain := s.run("plain", on("bridge"))
	a := func(addrs ...netip.Addr) string {
		var all []string
		for _, x := range addrs {
			all = append(all, x.String())
		}
		slices.Sort(all)
		return "NOERROR " + strings.Join(all, " ")
	}
	for _, c := range []struct {
		who        *instance
		name, kind string
		want       string
	}{
		{web, "api-1", "A", a(api1.addr4("front"))},
		{web, "api", "A", a(api1.addr4("front"), api2.addr4("front"))},
		{web, "db", "A", a(db.addr4("back"))},
		{web, "store", "A", a(db.addr4("back"))},
		{web, "db.back", "A", a(db.addr4("back"))},
		{web, db.Container.Short(), "A", a(db.addr4("back"))},
		{web, "db", "AAAA", "NOERROR"},
		{api1, "www", "A", a(web.addr4("front"))},
		{api1, "inner", "A", "SERVFAIL"},
		{api1, "db", "A", "SERVFAIL"},
		{api1, reverse(web.addr4("front")), "PTR", "NOERROR web.front."},
		{db, "inner", "A", a(web.addr4("back"))},
		{vault, "well", "A", a(well.addr4("deep"))},
		{vault, "web", "A", "SERVFAIL"},
		{plain, "web", "A", "SERVFAIL"},
		{plain, "plain", "A", "SERVFAIL"},
	} {
		if got := s.resolve(c.who, c.name, c.kind); got != c.want {
			t.Errorf("%s asks for %s %s: %q, want %q", c.who.Name, c.kind, c.name, got, c.want)
		}
	}
	// A server of another network is no way round.
	gw, err := s.Resolver(t.Context(), "back", db.held.Endpoints)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := s.program(api1.Sandbox, "resolve", gw.Servers[0].String(), "db", "A").Output()
	same(t, "asking the other network's server", string(out), "REFUSED")
	api1.Name = "renamed"
	if err := s.attach(api1); err != nil {
		t.Fatal(err)
	}
	same(t, "after rename", s.resolve(web, "renamed", "A"), a(api1.addr4("front")))
	same(t, "the old name", s.resolve(web, "api-1", "A"), "SERVFAIL")
	s.detach(api2)
	same(t, "after one of two stopped", s.resolve(web, "api", "A"), a(api1.addr4("front")))
}

func reverse(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", b[3], b[2], b[1], b[0])
}

// TestUpstreams: names of the world are asked of the host's servers, wherever they are, or of the container's own.
func TestUpstreams(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	s.nameServer(engine.Sandbox{}, "127.0.0.53", "192.0.2.53")
	s.nameServer(n.Box, n.Addr4.String(), "192.0.2.99")
	s.network("front")
	s.network("deep", func(r *engine.NetworkRequest) { r.Internal = true })
	own := func(a *engine.Attachment) { a.DNS = []netip.Addr{n.Addr4} }
	same(t, "the host's", s.resolve(s.run("a", on("front")), "example.org", "A"), "NOERROR 192.0.2.53")
	same(t, "own", s.resolve(s.run("b", on("front"), own), "example.org", "A"), "NOERROR 192.0.2.99")
	same(t, "default network, of a host whose servers are on loopback", s.resolve(s.run("c", on("bridge")), "example.org", "A"), "NOERROR 192.0.2.53")
	same(t, "internal", s.resolve(s.run("d", on("deep")), "example.org", "A"), "SERVFAIL")
	same(t, "internal, own", s.resolve(s.run("e", on("deep"), own), "example.org", "A"), "SERVFAIL")
	within := s.run("ns", on("deep"))
	s.nameServer(within.Sandbox, "0.0.0.0", "192.0.2.7")
	local := func(a *engine.Attachment) { a.DNS = []netip.Addr{within.addr4("deep")} }
	same(t, "internal, a server of its own network", s.resolve(s.run("f", on("deep"), local), "example.org", "A"), "NOERROR 192.0.2.7")
}

// nameServer answers every query with one address.
func (s *stack) nameServer(box engine.Sandbox, at, answer string) {
	s.Helper()
	s.server(box, "nameserver", net.JoinHostPort(at, "53"), answer)
}

func TestHostsResolvConf(t *testing.T) {
	s := newStack(t, ours)
	front := s.network("front")
	user, plain := s.run("user", on("front")), s.run("plain", on("bridge"))
	bridge, err := s.Inspect(t.Context(), "bridge")
	if err != nil {
		t.Fatal(err)
	}
	show := func(c *instance, mode engine.NetworkMode) string {
		r, err := s.Resolver(t.Context(), mode, c.held.Endpoints)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r.Servers, r.Search, r.Options, r.Embedded, r.HostGateway)
	}
	gw := bridge.Pools4[0].Gateway
	same(t, "user network", show(user, "front"), fmt.Sprintf("[%s] [lan.example] [ndots:0] true %s", front.Pools4[0].Gateway, gw))
	same(t, "default network", show(plain, "bridge"), fmt.Sprintf("[%s] [lan.example] [] false %s", gw, gw))
	same(t, "host network", show(plain, "host"), fmt.Sprintf("[127.0.0.53] [lan.example] [] false %s", gw))
	if err := os.WriteFile(s.conf, []byte("nameserver 127.0.0.1\nnameserver 192.0.2.1\noptions ndots:2 edns0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.close()
	s.start([]*instance{user, plain})
	same(t, "user network", show(user, "front"), fmt.Sprintf("[%s] [] [ndots:2 edns0] true %s", front.Pools4[0].Gateway, gw))
	same(t, "default network", show(plain, "bridge"), fmt.Sprintf("[192.0.2.1] [] [ndots:2 edns0] false %s", gw))
	if err := os.WriteFile(s.conf, []byte("nameserver 127.0.0.53 # changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // the file is not looked at more often
	same(t, "default network, once no server of the host's can be reached", show(plain, "bridge"), fmt.Sprintf("[%s] [] [] false %s", gw, gw))
}

func TestPortIsWherePort53Was(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	s.network("front")
	a := s.run("a", on("front"))
	same(t, "before", s.resolve(a, "a", "A"), "NOERROR "+a.addr4("front").String())
	hole := s.run("hole", on("front"), publish(binding("", 53, 53, engine.UDP), binding("", 53, 53, engine.TCP)))
	s.serve(hole.Sandbox, "udp4", "0.0.0.0:53", "hole")
	s.reaches("the published port", n.Box, "udp", at4(n.Host4, 53), "hole", n.Addr4.String())
	s.reaches("the published port on loopback", engine.Sandbox{}, "udp", "127.0.0.1:53", "hole", "")
	same(t, "while a container has port 53", s.resolve(a, "hole", "A"), "NOERROR "+hole.addr4("front").String())
	s.close()
	s.start([]*instance{a, hole})
	same(t, "after a restart", s.resolve(a, "hole", "A"), "NOERROR "+hole.addr4("front").String())
	s.reaches("the published port, after a restart", n.Box, "udp", at4(n.Host4, 53), "hole", n.Addr4.String())
}
