package nft

import (
	"maps"
	"reflect"
	"slices"

	"github.com/xcengine/xc/engine"
)

// state is what a table was made for. Its parts are kept as they were given: comparing them is cheaper than rendering
// thousands of them again to find the one that changed.
type state struct {
	networks  map[networkKey]engine.FirewallNetwork
	resolvers map[engine.FirewallResolver]bool
	ports     map[engine.FirewallPort]bool
	// passes are what chains of others must let through.
	passes []pass
}

// networkKey is what no two networks share. Nor do they share elements: each has its bridge and its subnets alone.
type networkKey struct {
	network engine.NetworkID
	bridge  string
}

func newState(owner engine.Owner, rules engine.FirewallRules) *state {
	s := &state{
		networks:  make(map[networkKey]engine.FirewallNetwork, len(rules.Networks)),
		resolvers: make(map[engine.FirewallResolver]bool, len(rules.Resolvers)),
		ports:     make(map[engine.FirewallPort]bool, len(rules.Ports)),
		passes:    passes(owner, rules),
	}
	for _, n := range rules.Networks {
		s.networks[networkKey{n.Network, n.Bridge}] = n
	}
	for _, r := range rules.Resolvers {
		s.resolvers[r] = true
	}
	for _, p := range rules.Ports {
		s.ports[p] = true
	}
	return s
}

// contents is everything.
func (s *state) contents() Contents {
	return Render(engine.FirewallRules{
		Networks: slices.Collect(maps.Values(s.networks)), Resolvers: slices.Collect(maps.Keys(s.resolvers)), Ports: slices.Collect(maps.Keys(s.ports)),
	})
}

// delta is what leads from one state to another.
type delta struct {
	base       []change // of networks and resolvers
	gone, come map[engine.FirewallPort]bool
}

// since is what leads here from an earlier state.
func (s *state) since(from *state) delta {
	return delta{
		base: changes(Render(from.without(s)), Render(s.without(from))),
		gone: beyond(from.ports, s.ports), come: beyond(s.ports, from.ports),
	}
}

// without is the networks and resolvers that another state has not, or not so.
func (s *state) without(other *state) engine.FirewallRules {
	var rules engine.FirewallRules
	for key, n := range s.networks {
		if o, ok := other.networks[key]; !ok || !sameRules(n, o) {
			rules.Networks = append(rules.Networks, n)
		}
	}
	rules.Resolvers = slices.Collect(maps.Keys(beyond(s.resolvers, other.resolvers)))
	return rules
}

// sameRules reports whether two networks get the same elements. Addresses of endpoints are in none.
func sameRules(a, b engine.FirewallNetwork) bool {
	a.Name, a.Addrs, b.Name, b.Addrs = "", nil, "", nil
	return slices.Equal(a.Subnets, b.Subnets) && reflect.DeepEqual(a, b)
}

// beyond is what a has and b has not.
func beyond[T comparable](a, b map[T]bool) map[T]bool {
	left := make(map[T]bool)
	for x := range a {
		if !b[x] {
			left[x] = true
		}
	}
	return left
}

// portDelta is a change of ports alone, but for those that are as they are to be.
func (s *state) portDelta(gone, come []engine.FirewallPort) delta {
	d := delta{gone: make(map[engine.FirewallPort]bool), come: make(map[engine.FirewallPort]bool)}
	for _, p := range gone {
		if s.ports[p] {
			d.gone[p] = true
		}
	}
	for _, p := range come {
		if !s.ports[p] {
			d.come[p] = true
		}
	}
	return d
}

// move changes the ports by a delta.
func (s *state) move(gone, come map[engine.FirewallPort]bool) {
	for p := range gone {
		delete(s.ports, p)
	}
	for p := range come {
		s.ports[p] = true
	}
}

func (d delta) changes() []change {
	return append(slices.Clip(d.base), changes(renderPorts(d.gone), renderPorts(d.come))...)
}

// udp is the host's udp ports that lead elsewhere than before.
func (d delta) udp() map[uint16]bool {
	ports := make(map[uint16]bool)
	for _, set := range []map[engine.FirewallPort]bool{d.gone, d.come} {
		for p := range set {
			if p.Proto == engine.UDP && p.HostPort != 0 {
				ports[p.HostPort] = true
			}
		}
	}
	return ports
}

func renderPorts(ports map[engine.FirewallPort]bool) Contents {
	c := make(Contents)
	for p := range ports {
		c.port(p)
	}
	return c
}
