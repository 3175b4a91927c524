package pf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Complaint finds in what pfctl(8) wrote to stderr what is an error, whatever its exit code says. That the kernel has no ALTQ is
// none, nor that an anchor to be emptied is not there.
func Complaint(stderr string) string {
	var found []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		switch {
		case line == "", strings.Contains(line, "ALTQ"), strings.Contains(line, "Anchor or Ruleset does not exist"),
			strings.HasPrefix(line, "pf already"), strings.HasPrefix(line, "killed "), strings.HasSuffix(line, "cleared"):
		case strings.HasPrefix(line, "pfctl:"), strings.Contains(line, "error"), strings.HasPrefix(line, "DIOC"), strings.HasPrefix(line, "no IP address found"):
			found = append(found, line)
		}
	}
	return strings.Join(found, "; ")
}

// child is the anchor of one daemon below one of those that pf.conf refers to: several daemons may share those.
func child(anchor string, owner engine.Owner) string { return anchor + "/" + string(owner) }

// entrance is what the anchor itself holds: the way to the daemons'.
func entrance(anchor string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(anchor, "xc-"), "/")
	return kind + "-anchor \"*\"\n"
}

// ended lists the targets of ports that are published no more, or lead elsewhere: connections that were brought there go on
// unless they are ended.
func ended(old, now []engine.FirewallPort) []netip.Addr {
	var gone []netip.Addr
	for _, p := range old {
		stays := slices.ContainsFunc(now, func(q engine.FirewallPort) bool {
			return q.Proto == p.Proto && q.Host == p.Host && q.HostPort == p.HostPort && q.Target == p.Target
		})
		if a := p.Target.Addr(); !stays && p.HostPort != 0 && !slices.Contains(gone, a) {
			gone = append(gone, a)
		}
	}
	return gone
}

// endCommand gives pfctl(8)'s arguments that end the connections to an address, with the states of the interfaces that they came
// in by, which know the published address alone (-M, FreeBSD 13.1).
func endCommand(a netip.Addr) []string {
	from := "0.0.0.0/0"
	if a.Is6() {
		from = "::/0"
	}
	return []string{"-q", "-M", "-k", from, "-k", a.String()}
}

// untold are the networks of administrators whose tables pf cannot hold, with the reasons.
func untold(networks []engine.FirewallNetwork) []string {
	var all []string
	for _, n := range networks {
		if _, err := Table(n.Name); err != nil && !n.Managed {
			all = append(all, fmt.Sprintf("network %s has no table: %v", n.Name, err))
		}
	}
	return all
}
