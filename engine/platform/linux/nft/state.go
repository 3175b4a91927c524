package nft

import "github.com/xcengine/xc/engine"

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

// changes is what leads here from an earlier state.
func (s *state) changes(from *state) []change {
	gone, come := s.portChanges(from)
	return append(changes(from.base, s.base), changes(renderPorts(gone), renderPorts(come))...)
}

func (s *state) portChanges(from *state) (gone, come map[engine.FirewallPort]bool) {
	gone, come = make(map[engine.FirewallPort]bool), make(map[engine.FirewallPort]bool)
	for p := range from.ports {
		if !s.ports[p] {
			gone[p] = true
		}
	}
	for p := range s.ports {
		if !from.ports[p] {
			come[p] = true
		}
	}
	return gone, come
}

// udpChanges is the host's udp ports that lead elsewhere than before. Nothing is known of what came before nil.
func (s *state) udpChanges(from *state) map[uint16]bool {
	if from == nil {
		return nil
	}
	ports := make(map[uint16]bool)
	gone, come := s.portChanges(from)
	for _, set := range []map[engine.FirewallPort]bool{gone, come} {
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
