package pf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// RenderFilter gives the content of AnchorFilter, which keeps networks apart from each other and from outside. It only takes
// away, but for the way to published ports: what the administrator blocks stays blocked, and a host whose pf.conf does not
// refer to the anchor works, with open doors.
//
// What goes to a published port is passed where it comes in (rdr pass) without a look at filter rules, so only what was
// aimed at a container itself meets these. It has to have a state where it goes out to the container, else the answer would
// meet them too.
//
// Jails that share the host's stack talk to each other by lo0; there a packet's source says whose it is.
func RenderFilter(rules engine.FirewallRules, host Host) (string, error) {
	var tables, pass, block strings.Builder
	for _, p := range rules.Ports {
		line, err := passPublished(p, rules.Networks)
		if err != nil {
			return "", err
		}
		pass.WriteString(line)
	}
	for _, n := range rules.Networks {
		if !n.Managed || len(n.Subnets) == 0 {
			continue
		}
		if err := checkInterface(n.Bridge); err != nil {
			return "", err
		}
		closed := forbidden(n, rules.Networks)
		if len(closed) > 0 {
			fmt.Fprintf(&tables, "table <%s> const { %s }\n", n.Bridge, strings.Join(closed, " "))
			fmt.Fprintf(&block, "block drop in quick on %s from any to <%s>\n", n.Bridge, n.Bridge)
			for _, s := range n.Subnets {
				fmt.Fprintf(&block, "block drop in quick on lo0 from %s to <%s>\n", s, n.Bridge)
			}
		}
		if n.Internal {
			fmt.Fprintf(&block, "block drop out quick on %s from <%s> to any\n", n.Bridge, n.Bridge)
		}
		lines, err := blockOutside(n, host)
		if err != nil {
			return "", err
		}
		block.WriteString(lines)
	}
	return tables.String() + pass.String() + block.String(), nil
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

// passPublished keeps a state of what goes to a published port where it goes out to the container.
func passPublished(p engine.FirewallPort, networks []engine.FirewallNetwork) (string, error) {
	i := slices.IndexFunc(networks, func(n engine.FirewallNetwork) bool { return n.Network == p.Network })
	if i < 0 || !networks[i].Managed || !translated(p) {
		return "", nil
	}
	family, err := familyOf(p.Host, p.Target.Addr())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("pass out quick on %s %s proto %s from any to %s port %d\n", networks[i].Bridge, family, p.Proto, p.Target.Addr(), p.Target.Port()), nil
}

// blockOutside keeps others from reaching containers by routing to their addresses, where the network says so. Of a network that
// is not translated the answers to its containers come so, too: it stays open.
func blockOutside(n engine.FirewallNetwork, host Host) (string, error) {
	var b strings.Builder
	for _, subnet := range n.Subnets {
		mode, masquerade := n.Mode4, n.Masquerade4
		if subnet.Addr().Is6() {
			mode, masquerade = n.Mode6, n.Masquerade6
		}
		if n.Internal || !masquerade || mode != "" && mode != engine.GatewayNAT {
			continue
		}
		for _, ext := range host.External {
			if err := checkInterface(ext.Name); err != nil {
				return "", err
			}
			if has(ext, subnet) {
				fmt.Fprintf(&b, "block drop in quick on %s from any to %s\n", ext.Name, subnet)
			}
		}
	}
	return b.String(), nil
}

// has reports whether an interface has addresses of a subnet's family.
func has(ext External, subnet netip.Prefix) bool {
	if subnet.Addr().Is6() {
		return ext.IPv6
	}
	return ext.IPv4
}
