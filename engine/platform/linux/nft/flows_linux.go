package nft

import (
	"context"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// forgetFlows makes the kernel forget the udp flows to ports of the host. Unlike tcp, a flow has no beginning: a client that
// goes on sending would for ever reach who was there when it first sent.
func (f *Firewall) forgetFlows(ctx context.Context, ports map[uint16]bool) {
	if len(ports) == 0 {
		return
	}
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, portFilter(ports)); err != nil {
			f.log.WarnContext(ctx, "udp flows to changed ports not forgotten", "family", family, "error", err)
		}
	}
}

// portFilter selects udp flows by the port that the client sends to.
type portFilter map[uint16]bool

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (p portFilter) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	return flow.Forward.Protocol == unix.IPPROTO_UDP && p[flow.Forward.DstPort]
}
