package nft

import (
	"net/netip"

	"github.com/xcengine/xc/engine"
)

const resolverPort = 53

// Render returns what the sets must hold for the rules.
func Render(rules engine.FirewallRules) Contents {
	c := make(Contents)
	for _, n := range rules.Networks {
		switch {
		case n.Bridge == "":
		case n.Managed:
			c.network(n)
		default:
			c.reflect(n)
		}
	}
	for _, p := range rules.Ports {
		c.port(p)
	}
	for _, r := range rules.Resolvers {
		c.resolver(r)
	}
	return c
}

// family is one of the two IP versions, with its sets.
type family struct {
	open, routed, through, own, masq, snat, addr, any, resolve, redirect set
}

var (
	family4 = family{setOpen4, setRouted4, setThrough4, setOwn4, setMasq4, mapSNAT4, mapAddr4, mapAny4, setResolve4, mapRedirect4}
	family6 = family{setOpen6, setRouted6, setThrough6, setOwn6, setMasq6, mapSNAT6, mapAddr6, mapAny6, setResolve6, mapRedirect6}
)

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return family4
	}
	return family6
}

// reflect makes published ports of a network's containers reach its own containers, too. That is all of an administrator's network:
// everything else is his.
func (c Contents) reflect(n engine.FirewallNetwork) {
	for _, subnet := range n.Subnets {
		c.add(familyOf(subnet.Addr()).own, []value{prefixValue(subnet), nameValue(n.Bridge)})
	}
}

func (c Contents) network(n engine.FirewallNetwork) {
	bridge := nameValue(n.Bridge)
	c.add(setBridges, []value{bridge})
	c.add(setWithin, []value{bridge, bridge})
	if n.Internal {
		c.add(setInternal, []value{bridge})
	}
	if n.Isolated {
		c.add(setIsolated, []value{bridge})
	}
	c.mode(family4, n.Mode4, bridge)
	c.mode(family6, n.Mode6, bridge)
	c.reflect(n)
	for _, subnet := range n.Subnets {
		f := familyOf(subnet.Addr())
		masquerade, host := n.Masquerade4, n.SNAT4
		if subnet.Addr().Is6() {
			masquerade, host = n.Masquerade6, n.SNAT6
		}
		switch {
		case !masquerade:
		case host.IsValid():
			c.add(f.snat, []value{prefixValue(subnet)}, addrValue(host))
		default:
			c.add(f.masq, []value{prefixValue(subnet)})
		}
	}
}

func (c Contents) mode(f family, mode engine.GatewayMode, bridge value) {
	switch mode {
	case engine.GatewayNATUnprotected:
		c.add(f.open, []value{bridge})
	case engine.GatewayRouted:
		c.add(f.routed, []value{bridge})
	}
}

func (c Contents) port(p engine.FirewallPort) {
	f := familyOf(p.Target.Addr())
	target := addrValue(p.Target.Addr())
	proto := protoValue(p.Proto)
	switch {
	case p.HostPort == 0:
		c.add(f.through, []value{target, proto, portValue(p.Target.Port())})
	case p.Host.Is4() != p.Target.Addr().Is4() || p.Host.IsLoopback():
		// Between the IP versions, and on loopback, only a proxy can serve.
	case p.Host.IsUnspecified():
		c.add(f.any, []value{proto, portValue(p.HostPort)}, target, portValue(p.Target.Port()))
	default:
		c.add(f.addr, []value{addrValue(p.Host), proto, portValue(p.HostPort)}, target, portValue(p.Target.Port()))
	}
}

func (c Contents) resolver(r engine.FirewallResolver) {
	f := familyOf(r.Addr)
	for _, proto := range []engine.Proto{engine.UDP, engine.TCP} {
		key := []value{nameValue(r.Bridge), addrValue(r.Addr), protoValue(proto), portValue(resolverPort)}
		if r.Port == resolverPort {
			c.add(f.resolve, key)
		} else {
			c.add(f.redirect, key, addrValue(r.Addr), portValue(r.Port))
		}
	}
}
