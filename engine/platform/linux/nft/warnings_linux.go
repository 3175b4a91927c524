package nft

import (
	"context"
	"fmt"

	"github.com/google/nftables"
)

// Warnings names what keeps our rules from having effect: no nftables in the kernel, or chains of others that drop what
// they do not know.
func (f *Firewall) Warnings(context.Context) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	conn, err := f.conn()
	if err != nil {
		return []string{fmt.Sprintf("WARNING: packet filter (nftables) cannot be reached: %v", err)}
	}
	all, err := conn.ListChains()
	if err != nil {
		f.disconnect() // unread answers may wait on it
		return []string{fmt.Sprintf("WARNING: packet filter (nftables) does not answer: %v", err)}
	}
	var out []string
	for _, c := range all {
		if c.Table.Name == TableName(f.owner) || c.Policy == nil || *c.Policy != nftables.ChainPolicyDrop || c.Hooknum == nil {
			continue
		}
		switch *c.Hooknum {
		case *nftables.ChainHookForward:
			out = append(out, fmt.Sprintf("WARNING: chain %s of table %s %s drops what it does not accept itself: containers reach outside, and published ports are reached, only as far as it lets them",
				c.Name, familyName(c.Table.Family), c.Table.Name))
		case *nftables.ChainHookInput:
			out = append(out, fmt.Sprintf("WARNING: chain %s of table %s %s drops what it does not accept itself: names are answered to containers only if it lets their queries to the gateways pass",
				c.Name, familyName(c.Table.Family), c.Table.Name))
		}
	}
	return out
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
