package engine

import "strings"

// Labels of containers that say of the network what Docker has no word for. Those of an image do not count: they reach into
// the host.
const (
	// LabelIP puts addresses of an interface of the host's to the container's use: "IF|ADDR[/BITS],…", or "IF" alone. The
	// interface itself moves into a private network stack; on the host's stack the addresses are added to it. Further ones
	// are LabelIP + "." + anything.
	LabelIP = "xc.ip"
	// LabelMainAddress chooses the address that ports are published at and XC_MAIN_IP tells: "network/NAME" or "ipaddr/ADDR".
	LabelMainAddress = "xc.main-address"
	// LabelNetGroup names networks of the container, separated by commas, in which its hosts file has everyone who says so
	// of the same network, and theirs have it.
	LabelNetGroup = "xc.net-group"
)

// NetGroups lists the networks that LabelNetGroup names.
func NetGroups(labels map[string]string) []string {
	var groups []string
	for name := range strings.SplitSeq(labels[LabelNetGroup], ",") {
		if name = strings.TrimSpace(name); name != "" {
			groups = append(groups, name)
		}
	}
	return groups
}
