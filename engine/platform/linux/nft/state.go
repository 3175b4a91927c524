package nft

import (
	"slices"

	"github.com/xcengine/xc/engine"
)

// state is what a table was made for. Ports are kept as they were given: comparing them is cheaper than rendering thousands
// of them again to find the one that changed.
type state struct {
	base  Contents // of networks and resolvers
	ports map[engine.FirewallPort]bool
	// passes are what chains of others must let through.
	passes []pass
}

func newState(owner engine.Owner, rules engine.FirewallRules) *state {
	s := &state{passes: passes(owner, rules), ports: make(map[engine.FirewallPort]bool, len(rules.Ports))}
	for _, p := range rules.Ports {
		s.ports[p] = true
	}
	rules.Ports = nil
	s.base = Render(rules)
	return s
}

// contents is everything.
func (s *state) contents() Contents {
	all := make(Contents)
	for name, elements := range s.base {
		all[name] = elements // ports and networks share no set
	}
	for name, elements := range renderPorts(s.ports) {
		all[name] = elements
	}
	return all
}

// delta is what leads from one state to another.
type delta struct {
	base       []change
	gone, come map[engine.FirewallPort]bool
}

// since is what leads here from an earlier state.
func (s *state) since(from *state) delta {
	d := delta{base: changes(from.base, s.base), gone: make(map[engine.FirewallPort]bool), come: make(map[engine.FirewallPort]bool)}
	for p := range from.ports {
		if !s.ports[p] {
			d.gone[p] = true
		}
	}
	for p := range s.ports {
		if !from.ports[p] {
			d.come[p] = true
		}
	}
	return d
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
