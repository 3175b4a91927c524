package nft

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/xcengine/xc/engine"
)

// Warnings names what keeps our rules from having effect: no nftables in the kernel, or chains of others that drop what
// they do not know and were not made to let through what is ours.
func (f *Firewall) Warnings(context.Context) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.conn(); err != nil {
		return []string{fmt.Sprintf("WARNING: packet filter (nftables) cannot be reached: %v", err)}
	}
	tables, err := f.others()
	if err != nil {
		return []string{fmt.Sprintf("WARNING: packet filter (nftables) does not answer: %v", err)}
	}
	var all []pass
	if f.applied != nil {
		all = f.applied.passes
	}
	var out []string
	for _, t := range tables {
		for _, c := range t.chains {
			if lacking := t.amend(f.owner, c, all).add; len(lacking) > 0 {
				out = append(out, t.warning(c, lacking))
			}
		}
	}
	return append(out, legacyWarnings(engine.BridgeName(f.owner, ""))...)
}

func (t kernelTable) warning(c otherChain, lacking []pass) string {
	breaks := "containers reach outside, and published ports are reached, only as far as it lets them"
	if c.hook == hookInput {
		breaks = "names are answered to containers only if it lets their queries to the gateways pass"
	}
	text := fmt.Sprintf("WARNING: chain %s of table %s %s drops what it does not accept itself: %s", c.name, familyName(t.table.Family), t.name, breaks)
	switch {
	case t.name == "firewalld":
		var add []string
		for _, p := range lacking {
			add = append(add, " --add-interface="+strings.Replace(p.bridge, "*", "+", 1))
		}
		slices.Sort(add)
		return text + " (firewall-cmd --permanent --zone=trusted" + strings.Join(slices.Compact(add), "") + "; firewall-cmd --reload)"
	case t.owned:
		return text + " (only the program that made the table can change it)"
	}
	return text + " (xc network reload)"
}

func familyName(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	case nftables.TableFamilyINet:
		return "inet"
	}
	return fmt.Sprint(byte(f))
}
