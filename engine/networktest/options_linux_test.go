package networktest

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func option(pairs ...string) func(*engine.NetworkRequest) {
	return func(r *engine.NetworkRequest) {
		if r.Options == nil {
			r.Options = make(map[string]string)
		}
		for i := 0; i < len(pairs); i += 2 {
			r.Options[pairs[i]] = pairs[i+1]
		}
	}
}

func subnets(list ...string) func(*engine.NetworkRequest) {
	return func(r *engine.NetworkRequest) {
		for _, s := range list {
			p := netip.MustParsePrefix(s)
			r.Pools = append(r.Pools, engine.Pool{Subnet: p})
			if p.Addr().Is6() {
				yes := true
				r.EnableIPv6 = &yes
			}
		}
	}
}

func TestTwoDaemonsSideBySide(t *testing.T) {
	a, b := newStack(t, ours), newStack(t, theirs)
	n := a.machine.Neighbour(t)
	x := a.run("x", on("bridge"), publish(binding("", 8080, 80, engine.TCP)))
	y := b.run("y", on("bridge"), publish(binding("", 8081, 80, engine.TCP)))
	if x.held.Endpoints["bridge"].IPv4.Masked() == y.held.Endpoints["bridge"].IPv4.Masked() {
		t.Errorf("both have %s", x.held.Endpoints["bridge"].IPv4.Masked())
	}
	a.reaches("the first", n.Box, "tcp", at4(n.Host4, 8080), "x", n.Addr4.String())
	a.reaches("the second", n.Box, "tcp", at4(n.Host4, 8081), "y", n.Addr4.String())
	a.reaches("the second's port from the first's container", x.Sandbox, "tcp", at4(n.Host4, 8081), "y", "")
	a.reachesNot("across", x.Sandbox, "tcp", at4(y.addr4("bridge"), 80))
	fails(t, a.attach(a.wish("z", on("bridge"), publish(binding("", 8081, 80, engine.TCP)))), engine.Conflict, engine.ReasonPortBusy)
	a.detach(x)
	a.close()
	if err := a.plumber.Cleanup(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.filter.Cleanup(t.Context()); err != nil {
		t.Error(err)
	}
	b.reaches("the second, alone", n.Box, "tcp", at4(n.Host4, 8081), "y", n.Addr4.String())
	a.start(nil)
}

func TestEndpointOptions(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	s.network("front", subnets("10.88.0.0/16", "fd88::/64"), option("com.docker.network.driver.mtu", "1400", "com.docker.network.container_iface_prefix", "lan"))
	s.network("back", subnets("10.89.0.0/24"))
	c := s.run("c", map[string]engine.EndpointSpec{
		"front": {
			IPv4: netip.MustParseAddr("10.88.3.4"), IPv6: netip.MustParseAddr("fd88::34"), MAC: "02:00:00:00:00:77",
			LinkLocal: []netip.Addr{netip.MustParseAddr("169.254.3.4")},
		},
		"back": {GwPriority: 1, DriverOpts: map[string]string{
			"com.docker.network.endpoint.ifname": "back0", "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
		}},
	}, func(a *engine.Attachment) { a.Mode = "front" })
	seen := s.interfaces(c.Sandbox)
	same(t, "front", seen["lan0"], "{02:00:00:00:00:77 1400 true [10.88.3.4/16 fd88::34/64]}")
	same(t, "back", seen["back0"], "{02:42:0a:59:00:02 1500 true [10.89.0.2/24]}")
	s.serve(n.Box, "tcp", ":7000", "out")
	same(t, "sysctl", strings.TrimSpace(run(t, "nsenter", "--net="+c.Sandbox.NetNS, "--", "cat", "/proc/sys/net/ipv4/conf/back0/log_martians")), "1")
	same(t, "no IPv6 where the network has none", strings.TrimSpace(run(t, "nsenter", "--net="+c.Sandbox.NetNS, "--", "cat", "/proc/sys/net/ipv6/conf/back0/disable_ipv6")), "1")
	route := run(t, "nsenter", "--net="+c.Sandbox.NetNS, "--", "ip", "route", "show", "default")
	if !strings.HasPrefix(route, "default via 10.89.0.1 dev back0") {
		t.Errorf("default route %q", route)
	}
	s.reaches("IPv4 by the network of higher priority", c.Sandbox, "tcp", at4(n.Addr4, 7000), "out", n.Host4.String())
	s.reaches("IPv6 by the only one that has it", c.Sandbox, "tcp", at4(n.Addr6, 7000), "out", n.Host6.String())
	taken := s.wish("d", map[string]engine.EndpointSpec{"front": {IPv4: netip.MustParseAddr("10.88.3.4")}})
	fails(t, s.attach(taken), engine.Forbidden, engine.ReasonAddressTaken)
	s.detach(c)
	if err := s.attach(taken); err != nil {
		t.Errorf("the address is free again: %v", err)
	}
}

func TestInternalNetworkOfAContainer(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	s.network("deep", func(r *engine.NetworkRequest) { r.Internal = true })
	s.network("apart", option("com.docker.network.bridge.enable_icc", "false"))
	s.serve(n.Box, "tcp", ":7000", "out")
	a, b := s.run("a", on("deep"), publish(binding("", 8080, 80, engine.TCP))), s.run("b", on("deep"))
	same(t, "no default route", run(t, "nsenter", "--net="+a.Sandbox.NetNS, "--", "ip", "route", "show", "default"), "")
	same(t, "no ports", len(a.held.Ports), 0)
	s.reaches("within", b.Sandbox, "tcp", at4(a.addr4("deep"), 80), "a", b.addr4("deep").String())
	s.reachesNot("out", a.Sandbox, "tcp", at4(n.Addr4, 7000))
	x, y := s.run("x", on("apart"), publish(binding("", 8081, 80, engine.TCP))), s.run("y", on("apart"))
	s.reachesNot("without communication between containers", y.Sandbox, "tcp", at4(x.addr4("apart"), 80))
	s.reaches("but for published ports", y.Sandbox, "tcp", at4(n.Host4, 8081), "x", "")
	s.reaches("and outwards", y.Sandbox, "tcp", at4(n.Addr4, 7000), "out", n.Host4.String())
	same(t, "and names", s.resolve(y, "x", "A"), "NOERROR "+x.addr4("apart").String())
}

func TestPublishOptions(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	s.network("bound", option("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"))
	s.network("routed", subnets("10.88.0.0/16", "2001:db8:88::/64"), option("com.docker.network.bridge.gateway_mode_ipv4", "routed", "com.docker.network.bridge.gateway_mode_ipv6", "routed"))
	first := s.run("first", on("bound"), publish(binding("", 8080, 80, engine.TCP)))
	same(t, "bound", first.held.Ports, "[{{80 tcp} 127.0.0.1 8080}]")
	s.reaches("bound, from the host", engine.Sandbox{}, "tcp", "127.0.0.1:8080", "first", "")
	s.reachesNot("bound, from outside", n.Box, "tcp", at4(n.Host4, 8080))
	r := s.run("r", on("routed"), publish(binding("", 8081, 80, engine.TCP)))
	same(t, "routed", r.held.Ports, "[{{80 tcp} 0.0.0.0 0} {{80 tcp} :: 0}]")
	for _, e := range endpointAddresses(r.held.Endpoints["routed"]) {
		s.reaches("routed, directly", n.Box, "tcp", at4(e, 80), "r", n.pick(e).String())
	}
	s.reachesNot("routed, by the host", n.Box, "tcp", at4(n.Host4, 8081))

	ranged := publish(engine.PortBinding{Port: engine.Port{Number: 80, Proto: engine.TCP}, HostFirst: 9000, HostLast: 9001})
	var got []uint16
	for _, name := range []string{"a", "b"} {
		got = append(got, s.run(name, on("bridge"), ranged).held.Ports[0].HostPort)
	}
	same(t, "from a range", got, "[9000 9001]")
	fails(t, s.attach(s.wish("c", on("bridge"), ranged)), engine.Conflict, engine.ReasonPortsTaken)
	all := s.run("all", on("bridge"), publish(binding("", 7070, 81, engine.TCP)), func(a *engine.Attachment) {
		a.PublishAll, a.Exposed = true, []engine.Port{{Number: 80, Proto: engine.TCP}, {Number: 81, Proto: engine.TCP}, {Number: 53, Proto: engine.UDP}}
	})
	ports := all.held.Ports
	if len(ports) != 6 || ports[4].HostPort != 7070 || ports[0].HostPort != ports[1].HostPort || ports[0].HostPort < 32768 || ports[2].HostPort == 0 {
		t.Errorf("-P: %v", ports)
	}
}

// pick is the neighbour's address of the same family.
func (n Neighbour) pick(a netip.Addr) netip.Addr {
	if a.Is4() {
		return n.Addr4
	}
	return n.Addr6
}

func endpointAddresses(e engine.Endpoint) []netip.Addr {
	return []netip.Addr{e.IPv4.Addr(), e.IPv6.Addr()}
}

func TestRemoveAndPrune(t *testing.T) {
	s := newStack(t, ours)
	used, idle := s.network("used"), s.network("idle", func(r *engine.NetworkRequest) { r.Labels = map[string]string{"keep": "no"} })
	s.network("labelled", func(r *engine.NetworkRequest) { r.Labels = map[string]string{"keep": "yes"} })
	c := s.run("c", on("used"))
	err := s.Remove(t.Context(), "used")
	fails(t, err, engine.Forbidden, engine.ReasonHasEndpoints)
	if !strings.Contains(fmt.Sprint(err), c.held.Endpoints["used"].ID) {
		t.Errorf("%v does not name the endpoint", err)
	}
	fails(t, s.Remove(t.Context(), "bridge"), engine.Forbidden, engine.ReasonPredefined)
	fails(t, s.Remove(t.Context(), "nosuch"), engine.NotFound, engine.ReasonNone)
	result, err := s.Prune(t.Context(), engine.PruneQuery{NotLabels: []engine.LabelMatch{{Key: "keep", Value: "yes", HasValue: true}}})
	same(t, "pruned", fmt.Sprint(result.Deleted, err), "[idle] <nil>")
	result, err = s.Prune(t.Context(), engine.PruneQuery{Until: time.Now().Add(-time.Hour)})
	same(t, "pruned of old ones", fmt.Sprint(result.Deleted, err), "[] <nil>")
	for _, name := range s.machine.Interfaces(t) {
		if name == idle.Bridge {
			t.Errorf("bridge %s of a pruned network", name)
		}
	}
	again := s.network("idle", subnets(idle.Pools4[0].Subnet.String()))
	if again.ID == idle.ID {
		t.Error("a network with the id of one that was removed")
	}
	s.detach(c)
	if err := s.Remove(t.Context(), string(used.ID)[:10]); err != nil {
		t.Error(err)
	}
	all, err := s.List(t.Context(), engine.NetworkQuery{})
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	same(t, "left", fmt.Sprint(names, err), "[bridge host idle labelled none] <nil>")
}

func TestHostAndNone(t *testing.T) {
	s := newStack(t, ours)
	s.events.take()
	host := s.wish("h", on("host"), func(a *engine.Attachment) { a.Sandbox = engine.Sandbox{} }, publish(binding("", 8080, 80, engine.TCP)))
	none := s.wish("n", on("none"), publish(binding("", 8080, 80, engine.TCP)))
	for _, c := range []*instance{host, none} {
		if err := s.attach(c); err != nil {
			t.Fatal(err)
		}
		e := c.held.Endpoints[string(c.Mode)]
		if len(c.held.Ports) != 0 || len(e.ID) != 64 || e.IPv4.IsValid() || e.Interface != "" || len(c.held.Endpoints) != 1 {
			t.Errorf("%s: %+v", c.Name, c.held)
		}
	}
	if seen := s.interfaces(none.Sandbox); len(seen) != 1 || !seen["lo"].Up {
		t.Errorf("none: %+v", seen)
	}
	s.detach(host)
	s.detach(none)
	same(t, "events", len(s.events.take()), 4)
}

func TestReload(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	front := s.network("front")
	web, mate := s.run("web", on("front"), publish(binding("", 8080, 80, engine.TCP))), s.run("mate", on("front"))
	run(t, "nft", "flush", "ruleset")
	run(t, "ip", "link", "delete", front.Bridge)
	s.reachesNot("after the damage", n.Box, "tcp", at4(n.Host4, 8080))
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.reaches("outside", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
	s.reaches("container", mate.Sandbox, "tcp", at4(web.addr4("front"), 80), "web", mate.addr4("front").String())
	run(t, "ip", "link", "delete", front.Bridge)
	late := s.run("late", on("front")) // makes the bridge again by itself
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.reaches("container", late.Sandbox, "tcp", at4(web.addr4("front"), 80), "web", late.addr4("front").String())
}

// TestAdministratorsBridge is a network of the driver xc on a bridge that the administrator made.
func TestAdministratorsBridge(t *testing.T) {
	s := newStack(t, ours)
	s.machine.ForeignBridge(t, "admin0")
	run(t, "ip", "address", "add", "192.168.17.254/24", "dev", "admin0")
	req := engine.NetworkRequest{Name: "example", Driver: "xc", Pools: []engine.Pool{{Subnet: netip.MustParsePrefix("192.168.17.0/24")}}}
	_, _, err := s.Create(t.Context(), req)
	fails(t, err, engine.Invalid, engine.ReasonNone)
	req.Options = map[string]string{"bridge": "nosuch0"}
	_, _, err = s.Create(t.Context(), req)
	fails(t, err, engine.NotFound, engine.ReasonNone)
	req.Options = map[string]string{"bridge": "admin0", "default_router": "192.168.17.254"}
	if _, _, err = s.Create(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	n := s.machine.Neighbour(t)
	c := s.run("c", on("example"), publish(binding("", 8080, 80, engine.TCP)))
	d := s.run("d", map[string]engine.EndpointSpec{"example": {IPv4: netip.MustParseAddr("192.168.17.200")}})
	stranger := s.run("stranger", on("bridge"))
	for who, from := range map[string]engine.Sandbox{"outside": n.Box, "the host": {}, "itself": c.Sandbox, "its neighbour": d.Sandbox, "another network": stranger.Sandbox} {
		s.reaches("published, from "+who, from, "tcp", at4(n.Host4, 8080), "c", "")
	}
	s.reaches("each other", d.Sandbox, "tcp", at4(c.addr4("example"), 80), "c", "192.168.17.200")
	same(t, "names, at the administrator's address", s.resolve(d, "c", "A"), "NOERROR "+c.addr4("example").String())
	if rules := s.rulesOf(); strings.Contains(rules, "admin0\"") && !strings.Contains(rules, "resolve4") {
		t.Errorf("rules for the administrator's bridge\n%s", rules)
	}
	s.detach(c)
	s.detach(d)
	s.detach(stranger)
	if err := s.Remove(t.Context(), "example"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("/sys/class/net/admin0"); err != nil && !slices.Contains(s.machine.Interfaces(t), "admin0") {
		t.Errorf("the administrator's bridge is gone: %v", err)
	}
}

// TestGuestOfAdministratorsBridge is a network of the driver bridge on a bridge that the administrator made: what it has there goes
// with it, and nothing else does.
func TestGuestOfAdministratorsBridge(t *testing.T) {
	s := newStack(t, ours)
	s.machine.ForeignBridge(t, "admin0")
	run(t, "ip", "address", "add", "192.168.17.254/24", "dev", "admin0")
	run(t, "ip", "address", "add", "10.9.1.1/24", "dev", "admin0")
	addrs := func() []netip.Prefix { return s.interfaces(engine.Sandbox{})["admin0"].Addrs }
	had := addrs()
	bridge := option("com.docker.network.bridge.name", "admin0")
	for _, subnet := range []string{"10.9.0.0/24", "10.9.1.0/24"} { // of the second, the administrator gave the bridge the gateway's address
		s.network("front", bridge, subnets(subnet))
		c := s.run("c", on("front"))
		s.reaches("the host", engine.Sandbox{}, "tcp", at4(c.addr4("front"), 80), "c", "")
		if has := addrs(); !slices.Contains(has, netip.PrefixFrom(netip.MustParsePrefix(subnet).Addr().Next(), 24)) {
			t.Errorf("%s: the bridge has %v", subnet, has)
		}
		s.detach(c)
		s.close()
		s.start(nil)
		if err := s.Remove(t.Context(), "front"); err != nil {
			t.Error(err)
		}
		if has := addrs(); !slices.Equal(has, had) {
			t.Errorf("%s: the bridge had %v and has %v", subnet, had, has)
		}
	}
	s.network("front", bridge, subnets("10.9.0.0/24"))
	s.close()
	if err := os.Remove(filepath.Join(s.dir, "xc.db")); err != nil { // as after a removal that was killed
		t.Fatal(err)
	}
	s.start(nil)
	if has := addrs(); !slices.Equal(has, had) {
		t.Errorf("after the next daemon's start: the bridge had %v and has %v", had, has)
	}
}

// TestAdministratorsInterface is an interface that moves into a container, and back: at its end, after a failure, and when the
// container ended while no daemon watched.
func TestAdministratorsInterface(t *testing.T) {
	s := newStack(t, ours)
	run(t, "ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
	peer := s.machine.Sandbox(t)
	t.Cleanup(func() { run(t, "ip", "link", "delete", "lan0") }) // before the peer, with which it would go in its own time
	run(t, "ip", "link", "set", "lan1", "netns", peer.NetNS)
	inPeer := func(args ...string) {
		run(t, "nsenter", append([]string{"--net=" + peer.NetNS, "--", "ip"}, args...)...)
	}
	inPeer("address", "add", "192.168.8.1/24", "dev", "lan1")
	inPeer("link", "set", "lan1", "up")
	s.serve(peer, "tcp", ":80", "peer")
	run(t, "ip", "address", "add", "192.168.8.99/24", "dev", "lan0")
	run(t, "ip", "address", "add", "fd08::99/64", "dev", "lan0", "nodad")
	run(t, "ip", "link", "set", "lan0", "up")
	had := s.interfaces(engine.Sandbox{})["lan0"]
	home := func(when string) {
		t.Helper()
		got := s.interfaces(engine.Sandbox{})["lan0"]
		same := cmp.Comparer(func(x, y netip.Prefix) bool { return x == y })
		if diff := cmp.Diff(had, got, same); diff != "" {
			t.Errorf("%s: the administrator's interface (-before +after)\n%s", when, diff)
		}
	}
	wish := func(name string) *instance {
		return s.wish(name, on("bridge"), func(a *engine.Attachment) { a.Labels = map[string]string{"xc.ip": "lan0|192.168.8.7/24,fd08::7/64"} })
	}
	c := wish("c")
	if err := s.attach(c); err != nil {
		t.Fatal(err)
	}
	seen := s.interfaces(c.Sandbox)
	if i := seen["lan0"]; !i.Up || len(i.Addrs) != 2 || !slices.Contains(i.Addrs, netip.MustParsePrefix("192.168.8.7/24")) || !slices.Contains(i.Addrs, netip.MustParsePrefix("fd08::7/64")) {
		t.Errorf("inside: %+v", i)
	}
	s.reaches("by the interface", c.Sandbox, "tcp", "192.168.8.1:80", "peer", "192.168.8.7")
	if err := s.attach(c); err != nil {
		t.Errorf("again: %v", err)
	}
	fails(t, s.attach(wish("d")), engine.Conflict, engine.ReasonNone)
	s.detach(c)
	home("detached")
	if err := s.attach(c); err != nil {
		t.Fatal(err)
	}
	s.close() // and the container ends, its sandbox still there
	s.start([]*instance{c})
	s.detach(c)
	home("detached by the next daemon")
	if err := s.attach(c); err != nil {
		t.Fatal(err)
	}
	s.close() // and the container is forgotten
	s.start(nil)
	home("taken back by the next daemon")
	broken := s.wish("e", on("bridge"), func(a *engine.Attachment) { a.Labels = map[string]string{"xc.ip": "lan0", "xc.ip.2": "nosuch0"} })
	fails(t, s.attach(broken), engine.NotFound, engine.ReasonNone)
	home("after a failure")
	for _, name := range []string{"lo", s.segmentOf("bridge")} {
		broken.Labels = map[string]string{"xc.ip": name}
		if err := s.attach(broken); err == nil {
			t.Errorf("%s was lent", name)
		}
	}
	home("after refusals")
}

func (s *stack) segmentOf(network string) string {
	s.Helper()
	d, err := s.Inspect(s.Context(), network)
	if err != nil {
		s.Fatal(err)
	}
	return d.Bridge
}
