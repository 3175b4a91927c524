package networktest

import (
	"fmt"
	"net/netip"

	"github.com/xcengine/xc/engine"
)

func portsComeAndGo(b *bench) {
	l, x, n := b.site()
	b.serve(x.Sandbox, "tcp", ":80", "web")
	b.serve(x.Sandbox, "tcp", ":81", "admin")
	at := at4(n.Host4, 8080)
	set := func(ports ...engine.FirewallPort) {
		b.Helper()
		b.apply(func(r *engine.FirewallRules) { r.Ports = ports })
	}
	b.reachesNot("nothing published", n.Box, "tcp", at)
	set(l.published(engine.TCP, 8080, l.addr4(2), 80))
	b.reaches("published", n.Box, "tcp", at, "web", n.Addr4.String())
	set(l.published(engine.TCP, 8080, l.addr4(2), 81))
	b.reaches("led elsewhere", n.Box, "tcp", at, "admin", n.Addr4.String())
	set(l.published(engine.TCP, 8080, l.addr4(2), 80), l.published(engine.TCP, 8081, l.addr4(2), 81))
	b.reaches("one more", n.Box, "tcp", at4(n.Host4, 8081), "admin", n.Addr4.String())
	set()
	b.reachesNot("withdrawn", n.Box, "tcp", at)
	if err := b.filter.Apply(b.Context(), b.rules, true); err != nil {
		b.Errorf("assert: %v", err)
	}
	b.reachesNot("asserted", n.Box, "tcp", at)
}

// flowsFollowThePort: a udp client that goes on sending from one port reaches who has the published port now.
func flowsFollowThePort(b *bench) {
	l, x, n := b.site()
	y := b.newBox()
	b.attach(y, l.plug(3, "eth0"))
	b.serve(x.Sandbox, "udp4", "0.0.0.0:9", "x")
	b.serve(y.Sandbox, "udp4", "0.0.0.0:9", "y")
	for i, to := range []byte{2, 3, 2} {
		b.apply(func(r *engine.FirewallRules) {
			r.Ports = []engine.FirewallPort{l.published(engine.UDP, 9999, l.addr4(to), 9)}
		})
		want := map[byte]string{2: "x", 3: "y"}[to]
		got, err := b.program(n.Box, "ask", fmt.Sprintf("udp4@%s", at4(n.Addr4, 7777)), at4(n.Host4, 9999), patience.String()).Output()
		if err != nil || string(got) != want+" "+n.Addr4.String() {
			b.Errorf("round %d: %q, %v; want %s", i, got, err, want)
		}
	}
}

// resolverGoesFirst: port 53 may be published by a container, and still the gateway answers names.
func resolverGoesFirst(b *bench) {
	l, x, n := b.site()
	b.serve(x.Sandbox, "udp", ":53", "container")
	b.serve(x.Sandbox, "tcp", ":53", "container")
	ask := func(what, v4, v6 string) {
		b.Helper()
		for _, proto := range []string{"udp", "tcp"} {
			b.reaches(what, x.Sandbox, proto, at4(l.addr4(1), 53), v4, l.addr4(2).String())
			b.reaches(what+", IPv6", x.Sandbox, proto, at4(l.addr6(1), 53), v6, l.addr6(2).String())
			b.reaches(what+", from outside", n.Box, proto, at4(n.Host4, 53), "container", n.Addr4.String())
		}
	}
	for _, port := range []uint16{53, 5300} {
		for _, a := range []netip.Addr{l.addr4(1), l.addr6(1)} {
			name := fmt.Sprint("resolver", port)
			b.serve(engine.Sandbox{}, "udp", at4(a, port), name)
			b.serve(engine.Sandbox{}, "tcp", at4(a, port), name)
		}
		b.apply(func(r *engine.FirewallRules) {
			r.Ports = []engine.FirewallPort{
				l.published(engine.UDP, 53, l.addr4(2), 53), l.published(engine.UDP, 53, l.addr6(2), 53),
				l.published(engine.TCP, 53, l.addr4(2), 53), l.published(engine.TCP, 53, l.addr6(2), 53),
			}
			r.Resolvers = []engine.FirewallResolver{
				{Bridge: l.Bridge, Addr: l.addr4(1), Port: port}, {Bridge: l.Bridge, Addr: l.addr6(1), Port: port},
			}
		})
		ask(fmt.Sprint("resolver at port ", port), fmt.Sprint("resolver", port), fmt.Sprint("resolver", port))
	}
}

func closedToDirectRouting(b *bench) {
	l, x, n := b.site()
	b.serve(x.Sandbox, "tcp", ":80", "web")
	b.apply(func(r *engine.FirewallRules) {
		r.Ports = []engine.FirewallPort{l.published(engine.TCP, 8080, l.addr4(2), 80)}
	})
	b.reachesNot("a container's address from outside", n.Box, "tcp", at4(l.addr4(2), 80))
	b.reachesNot("a container's address from outside, IPv6", n.Box, "tcp", at4(l.addr6(2), 80))
	b.reaches("the host goes everywhere", engine.Sandbox{}, "tcp", at4(l.addr4(2), 80), "web", "")
}

func gatewayModes(b *bench) {
	l, x, n := b.site()
	for _, port := range []string{"80", "81"} {
		b.serve(x.Sandbox, "tcp", ":"+port, "web"+port)
	}
	set := func(mode engine.GatewayMode, ports ...engine.FirewallPort) {
		b.Helper()
		b.apply(func(r *engine.FirewallRules) {
			r.Networks = []engine.FirewallNetwork{l.filtered(func(n *engine.FirewallNetwork) {
				n.Mode4, n.Mode6 = mode, mode
				n.Masquerade4, n.Masquerade6 = mode != engine.GatewayRouted, mode != engine.GatewayRouted
			})}
			r.Ports = ports
		})
	}
	through := func(a netip.Addr) engine.FirewallPort {
		return engine.FirewallPort{Network: l.Network, Bridge: l.Bridge, Proto: engine.TCP, Target: netip.AddrPortFrom(a, 80)}
	}
	set(engine.GatewayRouted, through(l.addr4(2)), through(l.addr6(2)))
	for _, a := range []netip.Addr{l.addr4(2), l.addr6(2)} {
		b.reaches("routed, published", n.Box, "tcp", at4(a, 80), "web80", "")
		b.reachesNot("routed, not published", n.Box, "tcp", at4(a, 81))
	}
	set(engine.GatewayNATUnprotected)
	for _, a := range []netip.Addr{l.addr4(2), l.addr6(2)} {
		b.reaches("unprotected", n.Box, "tcp", at4(a, 81), "web81", "")
	}
	b.serve(n.Box, "tcp", ":7000", "out")
	b.reaches("unprotected, outwards", x.Sandbox, "tcp", at4(n.Addr4, 7000), "out", n.Host4.String())
	set(engine.GatewayNAT)
	b.reachesNot("nat again", n.Box, "tcp", at4(l.addr4(2), 81))
}

func networksAreApart(b *bench) {
	l, x, _ := b.site()
	l2 := b.newLAN(2, ours)
	y, mate := b.newBox(), b.newBox()
	b.attach(y, l2.plug(2, "eth0"))
	b.attach(mate, l.plug(3, "eth0"))
	for _, mode := range []engine.GatewayMode{engine.GatewayNAT, engine.GatewayNATUnprotected} {
		b.apply(func(r *engine.FirewallRules) {
			r.Networks = []engine.FirewallNetwork{l.filtered(), l2.filtered(func(n *engine.FirewallNetwork) { n.Mode4, n.Mode6 = mode, mode })}
		})
		if mode == engine.GatewayNAT {
			b.serve(y.Sandbox, "tcp", ":80", "y")
			b.serve(x.Sandbox, "tcp", ":80", "x")
		}
		b.reachesNot("another network", x.Sandbox, "tcp", at4(l2.addr4(2), 80))
		b.reachesNot("another network, IPv6", x.Sandbox, "tcp", at4(l2.addr6(2), 80))
	}
	b.reaches("the same network", mate.Sandbox, "tcp", at4(l.addr4(2), 80), "x", l.addr4(3).String())
}

func internalNetwork(b *bench) {
	l, x, n := b.site(func(n *engine.FirewallNetwork) { n.Internal, n.Masquerade4, n.Masquerade6 = true, false, false })
	open := b.newLAN(2, ours)
	mate, y := b.newBox(), b.newBox()
	b.attach(mate, l.plug(3, "eth0"))
	b.attach(y, open.plug(2, "eth0"))
	b.serve(x.Sandbox, "tcp", ":80", "x")
	b.serve(y.Sandbox, "tcp", ":80", "y")
	b.serve(n.Box, "tcp", ":7000", "out")
	b.apply(func(r *engine.FirewallRules) {
		r.Networks = append(r.Networks, open.filtered())
		r.Ports = []engine.FirewallPort{open.published(engine.TCP, 8080, open.addr4(2), 80)}
	})
	// Its endpoints have a default route here, which Docker's have not: the filter alone must hold.
	b.reachesNot("outwards", x.Sandbox, "tcp", at4(n.Addr4, 7000))
	b.reachesNot("outwards, IPv6", x.Sandbox, "tcp", at4(n.Addr6, 7000))
	b.reachesNot("inwards", n.Box, "tcp", at4(l.addr4(2), 80))
	b.reachesNot("to another network", x.Sandbox, "tcp", at4(open.addr4(2), 80))
	b.reachesNot("from another network", y.Sandbox, "tcp", at4(l.addr4(2), 80))
	b.reachesNot("to another network's published port", x.Sandbox, "tcp", at4(l.addr4(1), 8080))
	b.reaches("within", mate.Sandbox, "tcp", at4(l.addr4(2), 80), "x", l.addr4(3).String())
	b.reaches("from the host", engine.Sandbox{}, "tcp", at4(l.addr4(2), 80), "x", "")
}

func cleanupEndsEverything(b *bench) {
	l, x, n := b.site()
	b.serve(x.Sandbox, "tcp", ":80", "web")
	b.apply(func(r *engine.FirewallRules) {
		r.Ports = []engine.FirewallPort{l.published(engine.TCP, 8080, l.addr4(2), 80)}
	})
	b.reaches("before", n.Box, "tcp", at4(n.Host4, 8080), "web", "")
	for range 2 {
		if err := b.filter.Cleanup(b.Context()); err != nil {
			b.Errorf("cleanup: %v", err)
		}
	}
	b.reachesNot("after", n.Box, "tcp", at4(n.Host4, 8080))
	b.apply(func(*engine.FirewallRules) {})
	b.reaches("applied again", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
}
