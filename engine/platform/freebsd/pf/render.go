package pf

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// The anchors that the administrator refers to. The last two may be left out by who translates and filters himself.
const (
	AnchorRdr    = "xc-rdr"
	AnchorNat    = "xc-nat"
	AnchorFilter = "xc"
)

// tablePrefix begins the tables' names; pf allows 31 bytes (net/pfvar.h: PF_TABLE_NAME_SIZE).
const (
	tablePrefix = "xc:network:"
	tableMax    = 31
)

// Host is what rules must know of the host.
type Host struct {
	External []External // interfaces that face outwards
	// OnlyExternal redirects published ports on External alone (the configuration named ext_ifs).
	OnlyExternal bool
}

// External is an interface that faces outwards, with the families it has addresses of.
type External struct {
	Name       string
	IPv4, IPv6 bool
}

// notLoopback keeps the host's own connections, which come in by lo0, for the proxy: pf would not translate the answer back.
const notLoopback = "on ! lo0 "

// validInterface is what an interface's name may be made of (net/if.h: IFNAMSIZ is 16 with the NUL).
var validInterface = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,14}$`)

func checkInterface(name string) error {
	if !validInterface.MatchString(name) {
		return fmt.Errorf("pf: %q is not the name of an interface", name)
	}
	return nil
}

// RenderRdr gives the content of AnchorRdr: resolvers, which no published port may take the queries of, then one rule for each
// published port, the more specific address first, because the first translation rule that fits decides.
func RenderRdr(rules engine.FirewallRules, host Host) (string, error) {
	sorted := slices.Clone(rules.Ports)
	slices.SortFunc(sorted, func(a, b engine.FirewallPort) int {
		return cmp.Or(boolFirst(!a.Host.IsUnspecified(), !b.Host.IsUnspecified()), a.Host.Compare(b.Host),
			cmp.Compare(a.HostPort, b.HostPort), cmp.Compare(a.Proto, b.Proto))
	})
	var b strings.Builder
	for _, r := range rules.Resolvers {
		line, err := resolver(r)
		if err != nil {
			return "", err
		}
		b.WriteString(line)
	}
	for _, p := range sorted {
		if !translated(p) {
			continue
		}
		family, err := familyOf(p.Host, p.Target.Addr())
		if err != nil {
			return "", err
		}
		to := "self"
		if !p.Host.IsUnspecified() {
			to = p.Host.String()
		}
		on, err := places(host, rules.Networks)
		if err != nil {
			return "", err
		}
		for _, where := range on {
			fmt.Fprintf(&b, "rdr %s%s proto %s from any to %s port %d -> %s port %d\n", where, family, p.Proto, to, p.HostPort, p.Target.Addr(), p.Target.Port())
		}
	}
	return b.String(), nil
}

// places says where published ports are redirected. What internal networks send is redirected without being passed, so that
// AnchorFilter sees where it wants to go; left alone, it would get there by the proxy.
func places(host Host, networks []engine.FirewallNetwork) ([]string, error) {
	var on []string
	for _, n := range networks {
		if !n.Internal || !n.Managed {
			continue
		}
		if err := checkInterface(n.Bridge); err != nil {
			return nil, err
		}
		on = append(on, "on "+n.Bridge+" ")
	}
	if !host.OnlyExternal {
		return append(on, "pass "+notLoopback), nil
	}
	for _, i := range host.External {
		if err := checkInterface(i.Name); err != nil {
			return nil, err
		}
		on = append(on, "pass on "+i.Name+" ")
	}
	return on, nil
}

// resolver keeps name queries to a gateway from other rules, or brings them to another port.
func resolver(r engine.FirewallResolver) (string, error) {
	if err := checkInterface(r.Bridge); err != nil {
		return "", err
	}
	family, err := familyOf(r.Addr, r.Addr)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, proto := range []engine.Proto{engine.TCP, engine.UDP} {
		if r.Port == 53 {
			fmt.Fprintf(&b, "no rdr on %s %s proto %s from any to %s port 53\n", r.Bridge, family, proto, r.Addr)
			continue
		}
		fmt.Fprintf(&b, "rdr pass on %s %s proto %s from any to %s port 53 -> %s port %d\n", r.Bridge, family, proto, r.Addr, r.Addr, r.Port)
	}
	return b.String(), nil
}

// translated reports whether a port is pf's: it is not when it is routed, nor when only the proxy can serve it, on a loopback
// address or from one family to the other.
func translated(p engine.FirewallPort) bool {
	return p.HostPort != 0 && !p.Host.IsLoopback() && (!p.Host.IsValid() || !p.Target.IsValid() || p.Host.Is4() == p.Target.Addr().Is4())
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func familyOf(host, target netip.Addr) (string, error) {
	switch {
	case !target.IsValid() || !host.IsValid() || host.Is4() != target.Is4():
		return "", fmt.Errorf("pf: a port of %v cannot lead to %v", host, target)
	case target.Is4():
		return "inet", nil
	}
	return "inet6", nil
}

// RenderNat gives the content of AnchorNat: what leaves by an outward interface gets its address; what a container sends to
// a published port of the host comes back to the host, so that the answer passes it.
func RenderNat(rules engine.FirewallRules, host Host) (string, error) {
	var b strings.Builder
	for _, n := range rules.Networks {
		if !n.Managed || n.Internal {
			continue
		}
		if err := checkInterface(n.Bridge); err != nil {
			return "", err
		}
		for _, subnet := range n.Subnets {
			family, masquerade, snat := "inet", n.Masquerade4, n.SNAT4
			if subnet.Addr().Is6() {
				family, masquerade, snat = "inet6", n.Masquerade6, n.SNAT6
			}
			if !masquerade {
				continue
			}
			for _, ext := range host.External {
				if err := checkInterface(ext.Name); err != nil {
					return "", err
				}
				to := "(" + ext.Name + ":0)"
				switch {
				case snat.IsValid():
					to = snat.String()
				case !has(ext, subnet):
					continue // it has no address to lend
				}
				fmt.Fprintf(&b, "nat on %s %s from %s to ! %s -> %s\n", ext.Name, family, subnet, subnet, to)
			}
		}
	}
	for _, p := range rules.Ports {
		line, err := reflection(p, rules.Networks)
		if err != nil {
			return "", err
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

// reflection lets containers of the target's own network reach it by the host's address.
func reflection(p engine.FirewallPort, networks []engine.FirewallNetwork) (string, error) {
	i := slices.IndexFunc(networks, func(n engine.FirewallNetwork) bool { return n.Network == p.Network })
	if i < 0 || !networks[i].Managed || !translated(p) {
		return "", nil
	}
	n := networks[i]
	family, err := familyOf(p.Host, p.Target.Addr())
	if err != nil {
		return "", err
	}
	for _, subnet := range n.Subnets {
		if subnet.Contains(p.Target.Addr()) {
			return fmt.Sprintf("nat on %s %s proto %s from %s to %s port %d -> (%s:0)\n", n.Bridge, family, p.Proto, subnet, p.Target.Addr(), p.Target.Port(), n.Bridge), nil
		}
	}
	return "", nil
}

// Table gives the name of a network's table. Names that pf cannot hold are an error.
func Table(network string) (string, error) {
	name := tablePrefix + network
	if len(name) > tableMax {
		return "", fmt.Errorf("pf: the table %s would have more than %d bytes; networks that pf.conf refers to need a name of at most %d", name, tableMax, tableMax-len(tablePrefix))
	}
	if strings.Trim(network, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "" {
		return "", fmt.Errorf("pf: %q holds what a table's name cannot", network)
	}
	return name, nil
}

// TableCommand gives pfctl(8)'s arguments that make a network's table hold exactly these addresses. The addresses go in by
// stdin.
func TableCommand(network string, addrs []netip.Addr) (args []string, stdin string, err error) {
	name, err := Table(network)
	if err != nil {
		return nil, "", err
	}
	var b strings.Builder
	for _, a := range slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare) {
		fmt.Fprintln(&b, a)
	}
	return []string{"-q", "-t", name, "-T", "replace", "-f", "-"}, b.String(), nil
}

// Anchor is a line that pf.conf has to have.
type Anchor struct {
	Kind, Name string
	where      string // it stands
	without    string // what is so
}

// Line is the line.
func (a Anchor) Line() string { return fmt.Sprintf("%s %q", a.Kind, a.Name) }

// Anchors are the lines of pf.conf in the order in which they must stand.
var Anchors = []Anchor{
	{"nat-anchor", AnchorNat, "before any pass or block rule", "containers have no outbound translation but your own"},
	{"rdr-anchor", AnchorRdr, "before any pass or block rule", "published ports are served by the proxy alone"},
	{"anchor", AnchorFilter, "before your own pass and block rules", "networks are not kept apart from each other, and internal ones are only not translated"},
}

// Lacking reads the main ruleset ("pfctl -s nat", "pfctl -s rules") and gives the anchors that it does not refer to.
func Lacking(mainNat, mainRules string) []Anchor {
	return slices.DeleteFunc(slices.Clone(Anchors), func(a Anchor) bool { return refers(mainNat+"\n"+mainRules, a.Kind, a.Name) })
}

// Missing says of what Lacking gives what it means and how it is mended.
func Missing(mainNat, mainRules string) []string {
	var missing []string
	for _, a := range Lacking(mainNat, mainRules) {
		missing = append(missing, fmt.Sprintf("%s: /etc/pf.conf lacks the line %s (%s; then: service pf reload)", a.without, a.Line(), a.where))
	}
	return missing
}

// refers reports whether a ruleset has a way to an anchor, also one for some packets only or by a wildcard.
func refers(ruleset, kind, name string) bool {
	for line := range strings.Lines(ruleset) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == kind && slices.Contains([]string{name, "*"}, strings.Trim(f[1], `"`)) {
			return true
		}
	}
	return false
}

// ErrDisabled says that pf is loaded and off, or not loaded.
var ErrDisabled = errors.New("pf is not enabled: published ports are served by the proxy alone, and containers have no outbound translation (service pf enable; service pf start)")

// Enabled reads "pfctl -s info".
func Enabled(info string) bool {
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, "Status:") {
			return strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(line, "Status:")), "Enabled")
		}
	}
	return false
}
