package pf

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
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

// Again reports whether pfctl(8) failed for what others did meanwhile and may do better another time: somebody else loaded
// rules, or an interface went while it looked at all of them. Nothing was changed then. It tells by its words alone.
func Again(said string) bool {
	return strings.Contains(said, "Device busy") || strings.Contains(said, "SIOCGIF") && strings.Contains(said, "Device not configured")
}

// load is one thing that must hold.
type load struct {
	name  string   // of the anchor, or of the network whose table it is
	args  []string // of pfctl(8), which makes it hold
	stdin string
	table string       // its name; empty for an anchor
	addrs []netip.Addr // what the table has then
}

// shows is the kind of rules of an anchor that pfctl(8) shows, as the argument of -s; empty for what has none.
func (l load) shows() string {
	switch top, _, _ := strings.Cut(l.name, "/"); {
	case l.table != "", strings.TrimSpace(l.stdin) == "":
		return ""
	case top == AnchorFilter:
		return "rules"
	}
	return "nat"
}

// lost reports whether what was loaded is gone: holds is what the anchor shows, tables what the tables do. One that has other
// addresses is not: daemons whose networks have the same name share their tables.
func (l load) lost(holds string, tables map[string]int) bool {
	if l.table != "" {
		return len(l.addrs) > 0 && tables[l.table] == 0
	}
	return l.shows() != "" && strings.TrimSpace(holds) == ""
}

// Counts reads "pfctl -vv -s Tables": how many addresses each table has.
func Counts(out string) map[string]int {
	counts, table := map[string]int{}, ""
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && strings.HasPrefix(line, "-"), len(f) > 1 && strings.HasPrefix(line, "c"):
			table = f[1]
		case len(f) == 2 && f[0] == "Addresses:":
			if n, err := strconv.Atoi(f[1]); err == nil {
				counts[table] = n
			}
		}
	}
	return counts
}

// child is the anchor of one daemon below one of those that pf.conf refers to: several daemons may share those.
func child(anchor string, owner engine.Owner) string { return anchor + "/" + string(owner) }

// entrance is what the anchor itself holds: the way to the daemons'.
func entrance(anchor string) string {
	return map[string]string{AnchorRdr: "rdr-", AnchorNat: "nat-"}[anchor] + "anchor \"*\"\n"
}

// ended lists where published udp ports led that are published no more, or lead elsewhere: a client that goes on sending from
// one port keeps its state alive, and would be brought to the old place for ever. Connections of tcp end by themselves.
func ended(old, now []engine.FirewallPort) []netip.AddrPort {
	var gone []netip.AddrPort
	for _, p := range old {
		stays := slices.ContainsFunc(now, func(q engine.FirewallPort) bool {
			return q.Proto == p.Proto && q.Host == p.Host && q.HostPort == p.HostPort && q.Target == p.Target
		})
		if !stays && p.Proto == engine.UDP && p.HostPort != 0 && !slices.Contains(gone, p.Target) {
			gone = append(gone, p.Target)
		}
	}
	return gone
}

// States finds the udp states of targets in what "pfctl -s state -vv" prints, as "id/creator" (pfctl(8), -k id). Killing by
// addresses would not do: of what was translated it knows the published address alone, and with it all that goes there.
func States(out string, targets []netip.AddrPort) []string {
	var ids []string
	ours := false
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case len(f) > 2 && line[0] != ' ':
			ours = f[1] == "udp" && slices.ContainsFunc(targets, func(t netip.AddrPort) bool { return slices.Contains(f, endpoint(t)) })
		case ours && len(f) >= 4 && f[0] == "id:" && f[2] == "creatorid:":
			ids = append(ids, f[1]+"/"+f[3])
		}
	}
	return ids
}

// endpoint is an address with a port as pfctl(8) prints it.
func endpoint(t netip.AddrPort) string {
	if t.Addr().Is6() {
		return fmt.Sprintf("%s[%d]", t.Addr(), t.Port())
	}
	return t.String()
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
