package networks

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
)

// filtering brings the packet filter to what the service wants. All who ask while one change is under way are served by
// the next one together.
type filtering struct {
	firewall Firewall
	rules    func() engine.FirewallRules

	turn  sync.Mutex // held while the filter is changed
	doubt bool       // the last change failed: the filter is told everything at the next one

	mu   sync.Mutex
	next *round // who waits for the next change; nil: nobody
}

// round is one change of the filter, and those who wait for it.
type round struct {
	done chan struct{}
	err  error
	// whole: more than ports is to change. Ports are given out to one container at a time, and given up when the filter knows,
	// so the order in which containers' changes come does not matter.
	whole      bool
	gone, come []engine.FirewallPort
}

func newFiltering(f Firewall, rules func() engine.FirewallRules) *filtering {
	return &filtering{firewall: f, rules: rules}
}

// sync returns when rules hold that were made after it was called. The change is finished also when ctx ends meanwhile.
func (f *filtering) sync(ctx context.Context) error {
	return f.join(ctx, func(r *round) { r.whole = true })
}

// ports is sync when nothing but these ports differs. Addresses of endpoints may, if the filter takes ports alone.
func (f *filtering) ports(ctx context.Context, gone, come []engine.FirewallPort) error {
	return f.join(ctx, func(r *round) { r.gone, r.come = append(r.gone, gone...), append(r.come, come...) })
}

func (f *filtering) join(ctx context.Context, want func(*round)) error {
	f.mu.Lock()
	r := f.next
	leader := r == nil
	if leader {
		r = &round{done: make(chan struct{})}
		f.next = r
	}
	want(r)
	f.mu.Unlock()
	if !leader {
		<-r.done
		return r.err
	}
	f.turn.Lock()
	f.mu.Lock()
	f.next = nil // who comes now may have changed what rules() is about to read, or not: he waits for another round
	f.mu.Unlock()
	r.err = f.apply(context.WithoutCancel(ctx), r)
	f.doubt = r.err != nil
	f.turn.Unlock()
	close(r.done)
	return r.err
}

func (f *filtering) apply(ctx context.Context, r *round) error {
	if few, ok := f.firewall.(PortFilter); ok && !r.whole && !f.doubt {
		if done, err := few.ApplyPorts(ctx, r.gone, r.come); done {
			return err
		}
	}
	return f.firewall.Apply(ctx, f.rules(), false)
}

// assert states all rules anew, relying on nothing.
func (f *filtering) assert(ctx context.Context) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	return f.firewall.Apply(context.WithoutCancel(ctx), f.rules(), true)
}

// rules is everything that the packet filter must do now.
func (s *Service) rules() engine.FirewallRules {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rules engine.FirewallRules
	rules.Ports = make([]engine.FirewallPort, 0, 2*len(s.boxes)) // commonly one port each, in two IP versions
	addrs := make(map[engine.NetworkID][]netip.Addr)
	for _, b := range s.boxes {
		for _, e := range b.endpoints {
			for _, p := range [2]netip.Prefix{e.IPv4, e.IPv6} {
				if p.IsValid() {
					addrs[e.Network] = append(addrs[e.Network], p.Addr())
				}
			}
		}
		for _, p := range b.published {
			rules.Ports = append(rules.Ports, p.rule(b.id))
		}
	}
	for _, n := range s.nets {
		if !n.bridged() || n.removing {
			continue
		}
		rules.Networks = append(rules.Networks, n.rule(addrs[n.ID]))
		if n.listens.IsValid() {
			rules.Resolvers = append(rules.Resolvers, engine.FirewallResolver{Bridge: n.Bridge, Addr: n.listens, Port: s.resolver.Port(n.listens)})
		}
	}
	slices.SortFunc(rules.Networks, func(a, b engine.FirewallNetwork) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(rules.Resolvers, func(a, b engine.FirewallResolver) int { return a.Addr.Compare(b.Addr) })
	return rules
}

// rule is the network as the packet filter sees it.
func (n *network) rule(addrs []netip.Addr) engine.FirewallNetwork {
	slices.SortFunc(addrs, netip.Addr.Compare)
	r := engine.FirewallNetwork{
		Addrs: addrs, Network: n.ID, Name: n.Name, Managed: n.Driver == driverBridge, Bridge: n.Bridge, Internal: n.Internal, Isolated: !n.opts.icc,
		Mode4: n.opts.mode4, Mode6: n.opts.mode6, SNAT4: n.opts.host4, SNAT6: n.opts.host6,
	}
	translates := r.Managed && n.opts.masquerade && !n.Internal
	r.Masquerade4 = translates && n.opts.mode4 != engine.GatewayRouted
	r.Masquerade6 = translates && n.opts.mode6 != engine.GatewayRouted
	for _, p := range n.pools {
		r.Subnets = append(r.Subnets, p.Subnet)
	}
	return r
}
