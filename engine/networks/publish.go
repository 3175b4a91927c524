package networks

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks/ports"
)

// publication is one port in force.
type publication struct {
	engine.PublishedPort
	network engine.NetworkID
	bridge  string
	target  netip.AddrPort
}

// rule is the publication as the packet filter sees it.
func (p publication) rule(c engine.ContainerID) engine.FirewallPort {
	r := engine.FirewallPort{Container: c, Network: p.network, Bridge: p.bridge, Proto: p.Port.Proto, Host: p.HostIP, HostPort: p.HostPort, Target: p.target}
	if p.HostPort == 0 {
		r.Host = netip.Addr{} // let through, not translated
	}
	return r
}

// portRules are the rules of publications that are not among others.
func portRules(c engine.ContainerID, all, others []publication) []engine.FirewallPort {
	var rules []engine.FirewallPort
	for _, p := range all {
		if !slices.Contains(others, p) {
			rules = append(rules, p.rule(c))
		}
	}
	return rules
}

// exit is an endpoint whose ports are published, for one IP version.
type exit struct {
	network *network
	addr    netip.Addr // of the endpoint
	routed  bool
}

// exits finds where a container's ports are published: where a label says, else at its gateway endpoints, else in the first
// network of an administrator's, which needs no router to be reached. Ports that are published stay where they are as long
// as that endpoint does. The caller holds the lock.
func (s *Service) exits(a engine.Attachment, published []publication, endpoints map[string]engine.Endpoint) (four, six exit) {
	x, _ := readLabels(a.Labels)
	find := func(v6 bool) exit {
		name, chosen := x.mainEndpoint(endpoints, v6)
		if !chosen {
			name = cmp.Or(s.publishedAt(published, endpoints, v6), s.gateway(endpoints, v6), s.administrators(a.Mode, endpoints, v6))
		}
		if name == "" {
			return exit{}
		}
		e := endpoints[name]
		n := s.nets[e.Network]
		if v6 {
			return exit{n, e.IPv6.Addr(), n.opts.mode6 == engine.GatewayRouted}
		}
		return exit{n, e.IPv4.Addr(), n.opts.mode4 == engine.GatewayRouted}
	}
	return find(false), find(true)
}

// administrators is the first endpoint in a network of the driver xc.
func (s *Service) administrators(mode engine.NetworkMode, endpoints map[string]engine.Endpoint, six bool) string {
	for _, name := range networkOrder(mode, endpoints) {
		e := endpoints[name]
		n := s.nets[e.Network]
		if n.Driver == driverXC && !n.Internal && (six && e.IPv6.IsValid() || !six && e.IPv4.IsValid()) {
			return name
		}
	}
	return ""
}

func (s *Service) publishedAt(published []publication, endpoints map[string]engine.Endpoint, six bool) string {
	for _, p := range published {
		for name, e := range endpoints {
			if p.network == e.Network && p.target.Addr().Is6() == six && slices.Contains(endpointAddrs(e), p.target.Addr()) {
				return name
			}
		}
	}
	return ""
}

// bindings is every port that the attachment wants published, with those that -P adds.
func bindings(a engine.Attachment) []engine.PortBinding {
	all := slices.Clone(a.Bindings)
	if !a.PublishAll {
		return all
	}
	for _, p := range a.Exposed {
		if !slices.ContainsFunc(all, func(b engine.PortBinding) bool { return b.Port == p }) {
			all = append(all, engine.PortBinding{Port: p})
		}
	}
	return all
}

// wish is a binding with the host's addresses that it means.
type wish struct {
	ports.Want
	through []publication // in routed networks: let through without a port of the host
}

// wishes expands bindings over the host's addresses. A container without IPv6 is served on the host's IPv6 addresses too, by
// its proxy, also when its IPv4 addresses are routed.
func wishes(all []engine.PortBinding, four, six exit) []wish {
	var out []wish
	for _, b := range all {
		w := wish{Want: ports.Want{Port: b.Port, First: b.HostFirst, Last: b.HostLast, To4: four.addr, To6: six.addr, AnyFamily: !b.HostIP.IsValid()}}
		for _, host := range hosts(b, four, six) {
			e := exitFor(host, four, six)
			switch {
			case e.network == nil || !e.addr.IsValid():
			case e.routed && host.Is4() == e.addr.Is4():
				w.through = append(w.through, publication{
					PublishedPort: engine.PublishedPort{Port: b.Port, HostIP: unspecified(e.addr)},
					network:       e.network.ID, bridge: e.network.Bridge, target: netip.AddrPortFrom(e.addr, b.Port.Number),
				})
			default:
				w.Hosts = append(w.Hosts, host)
			}
		}
		if len(w.Hosts)+len(w.through) > 0 {
			out = append(out, w)
		}
	}
	return out
}

// hosts is the host's addresses that a binding means.
func hosts(b engine.PortBinding, four, six exit) []netip.Addr {
	if b.HostIP.IsValid() {
		return []netip.Addr{b.HostIP.Unmap()}
	}
	for _, e := range []exit{four, six} {
		if e.network != nil && e.network.opts.binding.IsValid() && !e.network.opts.binding.IsUnspecified() {
			return []netip.Addr{e.network.opts.binding}
		}
	}
	return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
}

// exitFor is where the connections to an address of the host go.
func exitFor(host netip.Addr, four, six exit) exit {
	if host.Is6() && six.addr.IsValid() {
		return six
	}
	return four
}

func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// place is where a port of the host leads.
func place(p engine.PublishedPort, four, six exit) publication {
	e := exitFor(p.HostIP, four, six)
	return publication{PublishedPort: p, network: e.network.ID, bridge: e.network.Bridge, target: netip.AddrPortFrom(e.addr, p.Port.Number)}
}

// compare tells which of the ports that are held a container's wishes keep, and what they want beyond.
func compare(held []publication, wished []wish) (keep []engine.PublishedPort, need []ports.Want) {
	free := slices.Clone(held)
	for _, w := range wished {
		var port uint16
		missing := w.Want
		missing.Hosts = nil
		for _, host := range w.Hosts {
			i := slices.IndexFunc(free, func(p publication) bool {
				return satisfies(p.PublishedPort, w.Want, host) && (port == 0 || p.HostPort == port)
			})
			if i < 0 {
				missing.Hosts = append(missing.Hosts, host)
				continue
			}
			port = free[i].HostPort
			keep = append(keep, free[i].PublishedPort)
			free = slices.Delete(free, i, i+1)
		}
		if len(missing.Hosts) == 0 {
			continue
		}
		if port != 0 {
			missing.First, missing.Last = port, port
		}
		need = append(need, missing)
	}
	return keep, need
}

// satisfies reports whether a port that is held is what a wish asks for at one host address.
func satisfies(p engine.PublishedPort, w ports.Want, host netip.Addr) bool {
	if p.Port != w.Port || p.HostIP != host || p.HostPort == 0 {
		return false
	}
	return w.First == 0 || p.HostPort >= w.First && p.HostPort <= max(w.First, w.Last)
}
