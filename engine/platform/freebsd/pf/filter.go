package pf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// RenderFilter gives the content of AnchorFilter, which keeps networks apart from each other and from outside. What the
// administrator blocks stays blocked, but for the way to published ports, and a host whose pf.conf does not refer to the
// anchor works, with open doors.
//
// What goes to a published port is passed where it comes in (rdr pass) without a look at filter rules, so only what was
// aimed at a container itself meets these. It has to have a state where it goes out to the container, else the answer would
// meet them too; so must what containers send outwards under their own addresses.
//
// Jails that share the host's stack talk to each other by lo0; there a packet's source says whose it is.
func RenderFilter(rules engine.FirewallRules, host Host) (string, error) {
	var f filter
	for _, n := range rules.Networks {
		if !n.Managed || len(n.Subnets) == 0 {
			continue
		}
		if err := checkInterface(n.Bridge); err != nil {
			return "", err
		}
		f.inside(n, rules.Networks)
		if err := f.outside(n, host); err != nil {
			return "", err
		}
	}
	for _, p := range rules.Ports {
		if err := f.port(p, rules.Networks); err != nil {
			return "", err
		}
	}
	return f.tables.String() + f.internal.String() + f.pass.String() + f.block.String(), nil
}

// filter is the anchor's content in the order of its parts: every rule but those for states is quick.
type filter struct{ tables, internal, pass, block strings.Builder }

// inside closes the ways from a network to others.
func (f *filter) inside(n engine.FirewallNetwork, all []engine.FirewallNetwork) {
	rules := &f.block
	if n.Internal {
		rules = &f.internal
	}
	if closed := forbidden(n, all); len(closed) > 0 {
		fmt.Fprintf(&f.tables, "table <%s> const { %s }\n", n.Bridge, strings.Join(closed, " "))
		fmt.Fprintf(rules, "block drop in quick on %s from any to <%s>\n", n.Bridge, n.Bridge)
		for _, s := range n.Subnets {
			fmt.Fprintf(rules, "block drop in quick on lo0 from %s to <%s>\n", s, n.Bridge)
		}
	}
	if n.Internal {
		fmt.Fprintf(rules, "block drop out quick on %s from <%s> to any\n", n.Bridge, n.Bridge)
	}
}

// neighbourly is what an interface needs to hear beside its own subnets, of either family.
var neighbourly = []string{"!224.0.0.0/4", "!255.255.255.255", "!fe80::/10", "!ff00::/8"}

// forbidden is where a network's containers may not send: to other networks; from an internal one nowhere but to their own.
// The most specific entry of a table decides, so the negated ones are exceptions.
func forbidden(n engine.FirewallNetwork, all []engine.FirewallNetwork) []string {
	var list []string
	if n.Internal {
		list = append(list, "0.0.0.0/0", "::/0")
		for _, s := range n.Subnets {
			list = append(list, "!"+s.String())
		}
		return append(list, neighbourly...)
	}
	for _, other := range all {
		if !other.Managed || other.Network == n.Network {
			continue
		}
		for _, s := range other.Subnets {
			list = append(list, s.String())
		}
	}
	slices.Sort(list)
	return list
}

// port opens the way to a published port: of one that is translated only the last step, the first is rdr's.
func (f *filter) port(p engine.FirewallPort, networks []engine.FirewallNetwork) error {
	i := slices.IndexFunc(networks, func(n engine.FirewallNetwork) bool { return n.Network == p.Network })
	routed := p.HostPort == 0
	if i < 0 || !networks[i].Managed || !routed && !translated(p) {
		return nil
	}
	where, host := "out quick on "+networks[i].Bridge, p.Host
	if routed {
		where, host = "quick", p.Target.Addr()
	}
	family, err := familyOf(host, p.Target.Addr())
	if err != nil {
		return err
	}
	fmt.Fprintf(&f.pass, "pass %s %s proto %s from any to %s port %d\n", where, family, p.Proto, p.Target.Addr(), p.Target.Port())
	return nil
}

// outside keeps others from reaching containers by routing to their addresses, where the network says so.
func (f *filter) outside(n engine.FirewallNetwork, host Host) error {
	for _, subnet := range n.Subnets {
		mode, masquerade, icmp := n.Mode4, n.Masquerade4, "inet proto icmp"
		if subnet.Addr().Is6() {
			mode, masquerade, icmp = n.Mode6, n.Masquerade6, "inet6 proto icmp6"
		}
		if n.Internal || mode == engine.GatewayNATUnprotected {
			continue
		}
		for _, ext := range host.External {
			if err := checkInterface(ext.Name); err != nil {
				return err
			}
			if !has(ext, subnet) {
				continue
			}
			if mode == engine.GatewayRouted {
				fmt.Fprintf(&f.pass, "pass in quick on %s %s from any to %s\n", ext.Name, icmp, subnet)
			}
			if !masquerade { // for the state alone: rules of the administrator's that come later decide
				fmt.Fprintf(&f.pass, "pass out on %s from %s to any\n", ext.Name, subnet)
			}
			fmt.Fprintf(&f.block, "block drop in quick on %s from any to %s\n", ext.Name, subnet)
		}
	}
	return nil
}

// has reports whether an interface has addresses of a subnet's family.
func has(ext External, subnet netip.Prefix) bool {
	if subnet.Addr().Is6() {
		return ext.IPv6
	}
	return ext.IPv4
}
