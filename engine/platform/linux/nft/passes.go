package nft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// pass is what a chain of others that drops by default must let through, for our own chains to decide on: everything from or
// to a bridge of ours, and on its way into the host, name queries.
type pass struct {
	hook    hook
	version int    // of IP
	name    field  // iifname or oifname
	bridge  string // with "*" at its end: all that begin so
	proto   engine.Proto
	port    uint16 // 0: every packet
}

const hookInput hook = "input"

// passes is what the rules need let through. Bridges that are named by us are named alike, so that it hardly ever changes.
func passes(owner engine.Owner, rules engine.FirewallRules) []pass {
	found := make(map[pass]bool) // hundreds of networks need the same few
	for _, n := range rules.Networks {
		if !n.Managed || n.Bridge == "" {
			continue
		}
		for _, s := range n.Subnets {
			for _, name := range []field{iifname, oifname} {
				found[pass{hook: hookForward, version: versionOf(s.Addr().Is4()), name: name, bridge: likeNamed(owner, n.Bridge)}] = true
			}
		}
	}
	for _, r := range rules.Resolvers {
		for _, proto := range []engine.Proto{engine.UDP, engine.TCP} {
			found[pass{hook: hookInput, version: versionOf(r.Addr.Is4()), name: iifname, bridge: likeNamed(owner, r.Bridge), proto: proto, port: r.Port}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b pass) int { return strings.Compare(a.sortKey(), b.sortKey()) })
}

func (p pass) sortKey() string { return fmt.Sprint(p.hook, p.version, p.text()) }

func versionOf(four bool) int {
	if four {
		return 4
	}
	return 6
}

func likeNamed(owner engine.Owner, bridge string) string {
	if prefix := engine.BridgeName(owner, ""); strings.HasPrefix(bridge, prefix) {
		return prefix + "*"
	}
	return bridge
}

func (p pass) text() string {
	text := fieldInfo[p.name].text + " " + p.bridge
	if p.port != 0 {
		text += fmt.Sprintf(" %s dport %d", p.proto, p.port)
	}
	return text
}

// mark is the comment by which a rule is known as this owner's, and for which pass it is.
func (p pass) mark(owner engine.Owner) string { return markOf(owner) + p.text() }

func markOf(owner engine.Owner) string { return TableName(owner) + ": " }

// wantedIn are the marks of what a base chain must let through.
func wantedIn(owner engine.Owner, all []pass, c otherChain) []pass {
	var here []pass
	seen := make(map[string]bool)
	for _, p := range all {
		if p.hook == c.hook && (c.version == 0 || c.version == p.version) && !seen[p.mark(owner)] {
			seen[p.mark(owner)] = true
			here = append(here, p)
		}
	}
	return here
}
