package networks

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks/dns"
)

// listen makes the resolver serve a network at its gateway, if the host has an address in it. In the default network it
// only forwards, and only on hosts whose own name servers no container can reach.
func (s *Service) listen(n *network) {
	s.names.PutNetwork(dns.Network{ID: n.ID, Name: n.Name, Plain: !n.embedded()})
	at := n.gatewayOnHost()
	if !at.IsValid() || n.Predefined && len(s.reachable()) > 0 {
		return
	}
	if _, err := s.resolver.Listen(n.ID, at); err != nil {
		s.Log.Warn("names are not answered in a network", "network", n.Name, "error", err)
		return
	}
	s.mu.Lock()
	n.listens = at
	s.mu.Unlock()
}

// deaf ends what listen began.
func (s *Service) deaf(n *network) {
	s.mu.Lock()
	at := n.listens
	n.listens = netip.Addr{}
	s.mu.Unlock()
	if at.IsValid() {
		s.resolver.Stop(at)
	}
	s.names.RemoveNetwork(n.ID)
}

// gatewayOnHost is the host's address in the network: of IPv4, else of IPv6.
func (n *network) gatewayOnHost() netip.Addr {
	for _, a := range n.segment().Addrs {
		return a.Addr()
	}
	if n.Driver == driverXC {
		return n.opts.router4 // which the administrator may have given to the bridge
	}
	return netip.Addr{}
}

// dnsNames is what the resolver answers for an endpoint, as dockerd has it: name, aliases, short id, host name. In the
// networks that always are there are none.
func (n *network) dnsNames(a engine.Attachment, spec engine.EndpointSpec) []string {
	if !n.embedded() {
		return nil
	}
	var names []string
	add := func(list ...string) {
		for _, name := range list {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	add(a.Name)
	add(spec.Aliases...)
	add(a.Container.Short(), a.Hostname)
	return names
}

// register tells the resolver what a container has.
func (s *Service) register(b *box) {
	s.mu.Lock()
	c := dns.Client{Container: b.id}
	outside := false
	for _, name := range b.order() {
		e := b.endpoints[name]
		n := s.nets[e.Network]
		if n == nil || !n.bridged() {
			continue
		}
		outside = outside || !n.Internal
		c.Places = append(c.Places, dns.Place{Network: e.Network, Addrs: endpointAddrs(e), Names: e.DNSNames, Links: links(e.Spec.Links)})
	}
	c.Forward = outside
	for _, a := range b.attachment.DNS {
		// A loopback address is the container's own, which the daemon cannot ask.
		if !a.IsLoopback() && (outside || s.within(a, c.Places)) {
			c.Upstreams = append(c.Upstreams, a)
		}
	}
	s.mu.Unlock()
	if len(c.Places) == 0 {
		s.names.Remove(b.id)
		return
	}
	s.names.Put(c)
}

// within reports whether an address belongs to one of the networks. The caller holds the lock.
func (s *Service) within(a netip.Addr, places []dns.Place) bool {
	return slices.ContainsFunc(places, func(p dns.Place) bool {
		n := s.nets[p.Network]
		return n != nil && n.pool(a.Is6(), a) != nil
	})
}

// links reads "container[:alias]".
func links(list []string) map[string]string {
	m := make(map[string]string, len(list))
	for _, l := range list {
		target, alias, ok := strings.Cut(l, ":")
		if !ok {
			alias = target
		}
		m[alias] = target
	}
	return m
}

func endpointAddrs(e engine.Endpoint) []netip.Addr {
	var all []netip.Addr
	for _, p := range []netip.Prefix{e.IPv4, e.IPv6} {
		if p.IsValid() {
			all = append(all, p.Addr())
		}
	}
	return all
}

// reachable is the host's name servers that containers can ask.
func (s *Service) reachable() []netip.Addr {
	servers := notLoopback(s.host.Conf().Servers)
	if len(servers) == 0 {
		servers = notLoopback(s.upstream.Conf().Servers)
	}
	return servers
}

func notLoopback(all []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool { return a.IsLoopback() || a.Zone() != "" })
}

// Resolver says what a container's resolv.conf names when the user gave nothing else, and what "host-gateway" means.
func (s *Service) Resolver(ctx context.Context, mode engine.NetworkMode, endpoints map[string]engine.Endpoint) (engine.Resolver, error) {
	conf := s.host.Conf()
	r := engine.Resolver{Search: slices.Clone(conf.Search), Options: slices.Clone(conf.Options), HostGateway: s.hostGateway()}
	if mode == nameHost {
		r.Servers = slices.Clone(conf.Servers)
		return r, nil
	}
	if at, ok := s.listener(mode, endpoints, (*network).embedded); ok {
		r.Servers, r.Embedded = []netip.Addr{at}, true
		if !slices.ContainsFunc(r.Options, func(o string) bool { return strings.HasPrefix(o, "ndots:") }) {
			r.Options = append(r.Options, "ndots:0")
		}
		return r, nil
	}
	if r.Servers = s.reachable(); len(r.Servers) > 0 {
		return r, nil
	}
	if err := s.forwardByDefault(ctx); err != nil {
		return r, err
	}
	if at, ok := s.listener(mode, endpoints, func(n *network) bool { return n.Predefined }); ok {
		r.Servers = []netip.Addr{at}
	}
	return r, nil
}

// listener is where the resolver serves the first of a container's networks of a certain kind.
func (s *Service) listener(mode engine.NetworkMode, endpoints map[string]engine.Endpoint, kind func(*network) bool) (netip.Addr, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range networkOrder(mode, endpoints) {
		n := s.nets[endpoints[name].Network]
		if n == nil {
			n = s.named(name)
		}
		if n != nil && n.listens.IsValid() && kind(n) {
			return n.listens, true
		}
	}
	return netip.Addr{}, false
}

// forwardByDefault makes the resolver serve the default network, if it does not yet: the host's resolv.conf may have come to
// name loopback addresses only after the daemon's start.
func (s *Service) forwardByDefault(ctx context.Context) error {
	s.mu.Lock()
	n := s.named(nameBridge)
	silent := n != nil && !n.listens.IsValid()
	s.mu.Unlock()
	if !silent || len(s.host.Conf().Servers) == 0 {
		return nil
	}
	s.listen(n)
	return s.filtering.sync(ctx)
}

// hostGateway is the host's address in the default network.
func (s *Service) hostGateway() netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.named(nameBridge); n != nil {
		for _, p := range n.pools {
			return p.Gateway
		}
	}
	return netip.Addr{}
}
