package networktest

import (
	"context"
	"net/netip"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
)

// OpenFirewall opens the packet filter for an owner.
type OpenFirewall func(t *testing.T, owner engine.Owner) networks.Firewall

// Abilities are what a platform's packet filter may lack; something else, such as a proxy, must then do it.
type Abilities struct {
	HostToPublished bool // the host's own connections to its addresses reach published ports
	Apart           bool // networks are kept apart, and closed to direct routing
}

// Firewall holds a packet filter to networks.Firewall. The plumber makes the networks that it is tried on.
func Firewall(t *testing.T, m Machine, can Abilities, openPlumber OpenPlumber, open OpenFirewall) {
	tests := map[string]func(*bench){
		"OutboundIsTranslated":   outboundIsTranslated,
		"OutboundUntranslated":   outboundUntranslated,
		"OutboundByChosenSource": outboundByChosenSource,
		"PublishedFromOutside":   publishedFromOutside,
		"PublishedOnOneAddress":  publishedOnOneAddress,
		"PublishedToContainers":  publishedToContainers,
		"PortsComeAndGo":         portsComeAndGo,
		"FlowsFollowThePort":     flowsFollowThePort,
		"ResolverGoesFirst":      resolverGoesFirst,
		"CleanupEndsEverything":  cleanupEndsEverything,
	}
	if can.HostToPublished {
		tests["PublishedFromTheHost"] = publishedFromTheHost
	}
	if can.Apart {
		tests["ClosedToDirectRouting"] = closedToDirectRouting
		tests["GatewayModes"] = gatewayModes
		tests["NetworksAreApart"] = networksAreApart
		tests["Internal"] = internalNetwork
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, machine: m, plumber: openPlumber(t, ours), filter: open(t, ours)}
			t.Cleanup(func() {
				if err := b.filter.Cleanup(context.Background()); err != nil {
					t.Errorf("cleanup: %v", err)
				}
			})
			test(b)
		})
	}
}

// apply brings the rules into force.
func (b *bench) apply(change func(*engine.FirewallRules)) {
	b.Helper()
	change(&b.rules)
	if err := b.filter.Apply(b.Context(), b.rules, false); err != nil {
		b.Fatalf("apply: %v", err)
	}
}

// filtered is the network as a filter sees it: translated outwards, unless a change says otherwise.
func (l lan) filtered(change ...func(*engine.FirewallNetwork)) engine.FirewallNetwork {
	n := engine.FirewallNetwork{
		Network: l.Network, Name: l.Name, Managed: true, Bridge: l.Bridge,
		Subnets: []netip.Prefix{l.subnet4, l.subnet6}, Masquerade4: true, Masquerade6: true,
	}
	for _, f := range change {
		f(&n)
	}
	return n
}

// published is a port of every address of the host, of the target's family.
func (l lan) published(proto engine.Proto, port uint16, to netip.Addr, target uint16) engine.FirewallPort {
	host := netip.IPv4Unspecified()
	if to.Is6() {
		host = netip.IPv6Unspecified()
	}
	return engine.FirewallPort{Network: l.Network, Bridge: l.Bridge, Proto: proto, Host: host, HostPort: port, Target: netip.AddrPortFrom(to, target)}
}

// site is a network with one container, and a neighbour.
func (b *bench) site(change ...func(*engine.FirewallNetwork)) (lan, *box, Neighbour) {
	b.Helper()
	l, n := b.newLAN(1, ours), b.machine.Neighbour(b.T)
	b.apply(func(r *engine.FirewallRules) { r.Networks = append(r.Networks, l.filtered(change...)) })
	x := b.newBox()
	b.attach(x, l.plug(2, "eth0"))
	return l, x, n
}

func outboundIsTranslated(b *bench) {
	l, x, n := b.site()
	b.serve(n.Box, "tcp", ":7000", "out")
	b.serve(n.Box, "udp4", at4(n.Addr4, 7000), "out")
	b.reaches("IPv4", x.Sandbox, "tcp", at4(n.Addr4, 7000), "out", n.Host4.String())
	b.reaches("IPv6", x.Sandbox, "tcp", at4(n.Addr6, 7000), "out", n.Host6.String())
	b.reaches("udp", x.Sandbox, "udp4", at4(n.Addr4, 7000), "out", n.Host4.String())
	b.serve(engine.Sandbox{}, "tcp", ":7001", "host")
	for _, a := range []netip.Addr{l.addr4(1), l.addr6(1)} {
		b.reaches("the host to itself", engine.Sandbox{}, "tcp", at4(a, 7001), "host", a.String())
	}
	b.reaches("the host is not outside", x.Sandbox, "tcp", at4(n.Host4, 7001), "host", l.addr4(2).String())
}

func outboundUntranslated(b *bench) {
	l, x, n := b.site(func(n *engine.FirewallNetwork) { n.Masquerade4, n.Masquerade6 = false, false })
	b.serve(n.Box, "tcp", ":7000", "out")
	b.reaches("IPv4", x.Sandbox, "tcp", at4(n.Addr4, 7000), "out", l.addr4(2).String())
	b.reaches("IPv6", x.Sandbox, "tcp", at4(n.Addr6, 7000), "out", l.addr6(2).String())
}

func outboundByChosenSource(b *bench) {
	other := b.machine.Neighbour(b.T)
	_, x, n := b.site(func(n *engine.FirewallNetwork) { n.SNAT4, n.SNAT6 = other.Host4, other.Host6 })
	b.serve(n.Box, "tcp", ":7000", "out")
	b.reaches("IPv4", x.Sandbox, "tcp", at4(n.Addr4, 7000), "out", other.Host4.String())
	b.reaches("IPv6", x.Sandbox, "tcp", at4(n.Addr6, 7000), "out", other.Host6.String())
}

func publishedFromOutside(b *bench) {
	l, x, n := b.site()
	b.serve(x.Sandbox, "tcp", ":80", "web")
	b.serve(x.Sandbox, "udp", ":53", "names")
	b.apply(func(r *engine.FirewallRules) {
		r.Ports = []engine.FirewallPort{
			l.published(engine.TCP, 8080, l.addr4(2), 80), l.published(engine.TCP, 8080, l.addr6(2), 80),
			l.published(engine.UDP, 5353, l.addr4(2), 53), l.published(engine.UDP, 5353, l.addr6(2), 53),
		}
	})
	b.reaches("tcp", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
	b.reaches("tcp, IPv6", n.Box, "tcp", at4(n.Host6, 8080), "web", n.Addr6.String())
	b.reaches("udp", n.Box, "udp", at4(n.Host4, 5353), "names", n.Addr4.String())
	b.reaches("udp, IPv6", n.Box, "udp", at4(n.Host6, 5353), "names", n.Addr6.String())
	b.reachesNot("another protocol", n.Box, "udp", at4(n.Host4, 8080))
	b.reachesNot("another port", n.Box, "tcp", at4(n.Host4, 80))
}

func publishedOnOneAddress(b *bench) {
	l, x, n := b.site()
	other := b.machine.Neighbour(b.T)
	b.serve(x.Sandbox, "tcp", ":80", "web")
	one := l.published(engine.TCP, 8080, l.addr4(2), 80)
	one.Host = n.Host4
	six := l.published(engine.TCP, 8080, l.addr6(2), 80)
	six.Host = n.Host6
	local := l.published(engine.TCP, 8081, l.addr4(2), 80)
	local.Host = netip.MustParseAddr("127.0.0.1")
	b.apply(func(r *engine.FirewallRules) { r.Ports = []engine.FirewallPort{one, six, local} })
	b.reaches("that address", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
	b.reaches("that address, IPv6", n.Box, "tcp", at4(n.Host6, 8080), "web", n.Addr6.String())
	b.reaches("that address from elsewhere", other.Box, "tcp", at4(n.Host4, 8080), "web", other.Addr4.String())
	b.reachesNot("another address", other.Box, "tcp", at4(other.Host4, 8080))
	b.reachesNot("a loopback port from outside", n.Box, "tcp", at4(n.Host4, 8081))
}

func publishedToContainers(b *bench) {
	l, x, n := b.site()
	l2 := b.newLAN(2, ours)
	mate, stranger := b.newBox(), b.newBox()
	b.attach(mate, l.plug(3, "eth0"))
	b.attach(stranger, l2.plug(3, "eth0"))
	b.serve(x.Sandbox, "tcp", ":80", "web")
	b.serve(x.Sandbox, "udp4", "0.0.0.0:80", "web")
	b.apply(func(r *engine.FirewallRules) {
		r.Networks = append(r.Networks, l2.filtered())
		r.Ports = []engine.FirewallPort{
			l.published(engine.TCP, 8080, l.addr4(2), 80), l.published(engine.TCP, 8080, l.addr6(2), 80),
			l.published(engine.UDP, 8080, l.addr4(2), 80),
		}
	})
	for what, from := range map[string]*box{"of the same network": mate, "of another network": stranger, "itself": x} {
		b.reaches("container "+what, from.Sandbox, "tcp", at4(n.Host4, 8080), "web", "")
		b.reaches("container "+what+", IPv6", from.Sandbox, "tcp", at4(n.Host6, 8080), "web", "")
		b.reaches("container "+what+", udp", from.Sandbox, "udp", at4(n.Host4, 8080), "web", "")
	}
}

func publishedFromTheHost(b *bench) {
	l, x, n := b.site()
	b.serve(x.Sandbox, "tcp", ":80", "web")
	b.apply(func(r *engine.FirewallRules) {
		r.Ports = []engine.FirewallPort{l.published(engine.TCP, 8080, l.addr4(2), 80), l.published(engine.TCP, 8080, l.addr6(2), 80)}
	})
	for _, a := range []netip.Addr{n.Host4, n.Host6, l.addr4(1), l.addr6(1)} {
		b.reaches("the host", engine.Sandbox{}, "tcp", at4(a, 8080), "web", "")
	}
	b.reachesNot("loopback is the proxy's", engine.Sandbox{}, "tcp", "127.0.0.1:8080")
}
