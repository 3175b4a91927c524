package networktest

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

// dropping are hosts that drop what they do not know, as others make them: the commands, with iptables-nft or nft.
var dropping = map[string][]string{
	"policy": {"iptables-nft -P FORWARD DROP", "iptables-nft -P INPUT DROP", "ip6tables-nft -P FORWARD DROP"},
	"ufw": {
		"iptables-nft -N ufw-before-input", "iptables-nft -N ufw-before-forward", "iptables-nft -N ufw-reject-forward",
		"iptables-nft -A INPUT -j ufw-before-input", "iptables-nft -A ufw-before-input -i lo -j ACCEPT",
		"iptables-nft -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "iptables-nft -P INPUT DROP",
		"iptables-nft -A FORWARD -j ufw-before-forward", "iptables-nft -A FORWARD -j ufw-reject-forward",
		"iptables-nft -A ufw-reject-forward -j REJECT", "iptables-nft -P FORWARD DROP", "ip6tables-nft -P FORWARD DROP",
	},
	"firewalld": {
		"nft add table inet firewalld",
		"nft add chain inet firewalld rejects { }", "nft add rule inet firewalld rejects reject with icmpx admin-prohibited",
		"nft add chain inet firewalld forward { type filter hook forward priority filter + 10; policy accept; }",
		"nft add rule inet firewalld forward ct state { established, related } accept", "nft add rule inet firewalld forward ct status dnat accept",
		"nft add rule inet firewalld forward jump rejects",
		"nft add chain inet firewalld input { type filter hook input priority filter + 10; policy accept; }",
		"nft add rule inet firewalld input ct state { established, related } accept", "nft add rule inet firewalld input iifname lo accept",
		"nft add rule inet firewalld input icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
		"nft add rule inet firewalld input reject with icmpx admin-prohibited",
	},
	"another table": {"nft add table inet own", "nft add chain inet own way { type filter hook forward priority -5; policy drop; }"},
}

// TestHostThatDrops: containers reach out, answer at their ports and find each other on hosts that drop what they do not
// know, and what an administrator drops by a rule of his own stays dropped.
func TestHostThatDrops(t *testing.T) {
	for name, commands := range dropping {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, ours)
			for _, tool := range []string{"iptables-nft", "ip6tables-nft"} {
				if _, err := exec.LookPath(tool); err != nil {
					t.Skipf("needs %s (package iptables)", tool)
				}
			}
			t.Cleanup(func() { run(t, "nft", "flush", "ruleset") })
			for _, c := range commands {
				args := strings.Fields(c)
				if strings.Contains(c, "{") {
					args = append([]string{"nft"}, strings.Join(args[1:], " "))
				}
				run(t, args[0], args[1:]...)
			}
			s.network("front", func(r *engine.NetworkRequest) { r.EnableIPv6 = new(bool); *r.EnableIPv6 = true })
			n := s.machine.Neighbour(t)
			s.serve(n.Box, "tcp", ":7000", "out")
			web := s.run("web", on("front"), publish(binding("", 8080, 80, engine.TCP)))
			mate := s.run("mate", on("front"))
			far := s.run("far", on("bridge"))
			for what, c := range map[string]*instance{"of a network": mate, "of the default network": far} {
				s.reaches(what+", outside", c.Sandbox, "tcp", at4(n.Addr4, 7000), "out", n.Host4.String())
				s.reaches(what+", a published port", c.Sandbox, "tcp", at4(n.Host4, 8080), "web", "")
			}
			s.reaches("outside, IPv6", mate.Sandbox, "tcp", at4(n.Addr6, 7000), "out", n.Host6.String())
			s.reaches("published", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
			s.reaches("published, IPv6", n.Box, "tcp", at4(n.Host6, 8080), "web", n.Addr6.String())
			s.reaches("each other", mate.Sandbox, "tcp", at4(web.addr4("front"), 80), "web", mate.addr4("front").String())
			s.reachesNot("not published", n.Box, "tcp", at4(web.addr4("front"), 80))
			s.reachesNot("another network", far.Sandbox, "tcp", at4(web.addr4("front"), 80))
			same(t, "a name", s.resolve(mate, "web", "A"), "NOERROR "+web.addr4("front").String())
			if w := s.Warnings(t.Context()); len(w) != 0 {
				t.Errorf("warns: %q", w)
			}
			if name == "policy" || name == "ufw" {
				run(t, "iptables-nft", "-I", "FORWARD", "-s", mate.addr4("front").String(), "-j", "DROP")
				run(t, "iptables-nft", "-S", "FORWARD")
				s.reachesNot("an administrator's own drop", mate.Sandbox, "tcp", at4(n.Addr4, 7000))
			}
			s.detach(web)
			s.detach(mate)
			s.detach(far)
			if err := s.filter.Cleanup(t.Context()); err != nil {
				t.Error(err)
			}
			if got := run(t, "nft", "list", "ruleset"); strings.Contains(got, fmt.Sprintf("xc-%s", ours)) {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}
