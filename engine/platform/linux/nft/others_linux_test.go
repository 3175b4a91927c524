package nft

import (
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

// chainText is how nft lists a chain, without its counters.
func chainText(tb testing.TB, table, chain string) string {
	tb.Helper()
	return nft(tb, "", append(append([]string{"-s", "list", "chain"}, strings.Fields(table)...), chain)...)
}

const forwardDrops = "type filter hook forward priority filter; policy drop;"

// lastly is where our rules must be in the chains of others: in front of what drops the rest, and nowhere else.
var lastly = map[string]struct {
	ruleset, table, chain string
	before, after         string // texts of rules between which ours belong; after empty: at the end
	none                  bool
}{
	"policy":       {ruleset: "table ip filter { chain FORWARD { " + forwardDrops + " ip saddr 192.0.2.1 drop; }; }", table: "ip filter", chain: "FORWARD", before: "192.0.2.1 drop"},
	"both":         {ruleset: "table inet own { chain way { " + forwardDrops + " }; }", table: "inet own", chain: "way", before: "policy drop"},
	"last rule":    {ruleset: "table ip filter { chain FORWARD { type filter hook forward priority filter; ip saddr 192.0.2.1 drop; counter reject with icmp admin-prohibited; }; }", table: "ip filter", chain: "FORWARD", before: "192.0.2.1 drop", after: "reject"},
	"ufw rejects":  {ruleset: "table ip filter { chain ufw-before { tcp dport 25 drop; }; chain ufw-reject { counter log prefix \"x\"; reject; }; chain FORWARD { " + forwardDrops + " jump ufw-before; jump ufw-reject; jump ufw-before; }; }", table: "ip filter", chain: "FORWARD", before: "jump ufw-before", after: "jump ufw-reject"},
	"accepts":      {ruleset: "table ip filter { chain FORWARD { type filter hook forward priority filter; tcp dport 25 drop; }; }", table: "ip filter", chain: "FORWARD", none: true},
	"accepts last": {ruleset: "table ip filter { chain FORWARD { " + forwardDrops + " accept; }; }", table: "ip filter", chain: "FORWARD", none: true},
	"asleep":       {ruleset: "table ip filter { flags dormant; chain FORWARD { " + forwardDrops + " }; }", table: "ip filter", chain: "FORWARD", none: true},
	"output":       {ruleset: "table ip filter { chain OUTPUT { type filter hook output priority filter; policy drop; }; }", table: "ip filter", chain: "OUTPUT", none: true},
}

func TestOthersLetPassLastly(t *testing.T) {
	for name, c := range lastly {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			nft(t, c.ruleset, "-f", "-")
			before := chainText(t, c.table, c.chain)
			f := New(owner, slog.New(slog.DiscardHandler))
			for range 2 {
				if err := f.Apply(t.Context(), cases()["everything"], true); err != nil {
					t.Fatal(err)
				}
			}
			got := chainText(t, c.table, c.chain)
			if c.none {
				if got != before {
					t.Errorf("was\n%s\nis\n%s", before, got)
				}
				return
			}
			for _, direction := range []string{"iifname", "oifname"} {
				rule := direction + ` "` + engine.BridgeName(owner, "") + `*"`
				at := strings.Index(got, rule)
				if strings.Count(got, rule) != 1 || at < strings.Index(got, c.before) || c.after != "" && at > strings.Index(got, c.after) {
					t.Errorf("%s not at its place:\n%s", rule, got)
				}
			}
			if w := f.Warnings(t.Context()); len(w) != 0 {
				t.Errorf("warns: %q", w)
			}
			if err := f.Apply(t.Context(), engine.FirewallRules{}, false); err != nil {
				t.Fatal(err)
			}
			if got := chainText(t, c.table, c.chain); got != before {
				t.Errorf("no network is left, but of the rules\n%s", got)
			}
			if err := f.Apply(t.Context(), cases()["everything"], false); err != nil {
				t.Fatal(err)
			}
			if err := New(owner, slog.New(slog.DiscardHandler)).Cleanup(t.Context()); err != nil { // by another process
				t.Fatal(err)
			}
			if got := chainText(t, c.table, c.chain); got != before {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}

// TestOthersReload: what others changed is seen at the next change of ours, though it changes nothing.
func TestOthersReload(t *testing.T) {
	isolate(t)
	f := New(owner, slog.New(slog.DiscardHandler))
	rules := cases()["everything"]
	n := 0 // rules at a forward chain
	for _, p := range passes(owner, rules) {
		if p.hook == hookForward && p.version == 4 {
			n++
		}
	}
	apply := func() {
		t.Helper()
		if err := f.Apply(t.Context(), rules, false); err != nil {
			t.Fatal(err)
		}
	}
	apply()
	nft(t, "table ip filter { chain FORWARD { "+forwardDrops+" }; }", "-f", "-")
	if got := f.Warnings(t.Context()); len(got) != 1 {
		t.Errorf("before it is seen: %q", got)
	}
	apply()
	had := chainText(t, "ip filter", "FORWARD")
	if strings.Count(had, "accept") != n {
		t.Errorf("made by others:\n%s", had)
	}
	nft(t, "", "flush", "chain", "ip", "filter", "FORWARD")
	apply()
	if got := chainText(t, "ip filter", "FORWARD"); got != had {
		t.Errorf("flushed by others:\n%s", got)
	}
	nft(t, "", "insert", "rule", "ip", "filter", "FORWARD", "drop")
	apply()
	if got := chainText(t, "ip filter", "FORWARD"); strings.LastIndex(got, "accept") > strings.Index(got, "\t\tdrop") || strings.Count(got, "accept") != n {
		t.Errorf("a drop in front:\n%s", got)
	}
	nft(t, "", "flush", "ruleset")
	apply()
	if got := nft(t, "", "list", "tables"); !strings.Contains(got, TableName(owner)) {
		t.Errorf("flushed by others, and not mended:\n%s", got)
	}
}

// TestAnotherOwnersRules stay when this one's go.
func TestAnotherOwnersRules(t *testing.T) {
	isolate(t)
	nft(t, "table ip filter { chain FORWARD { "+forwardDrops+" }; }", "-f", "-")
	mine, other := New(owner, slog.New(slog.DiscardHandler)), New("77777777", slog.New(slog.DiscardHandler))
	rules := cases()["everything"]
	if err := mine.Apply(t.Context(), rules, true); err != nil {
		t.Fatal(err)
	}
	had := chainText(t, "ip filter", "FORWARD")
	if err := other.Apply(t.Context(), rules, true); err != nil {
		t.Fatal(err)
	}
	if err := other.Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := chainText(t, "ip filter", "FORWARD"); got != had {
		t.Errorf("was\n%s\nis\n%s", had, got)
	}
}

// TestIptablesListsOurs: iptables(8) refuses to list a table with rules that it would not have made.
func TestIptablesListsOurs(t *testing.T) {
	isolate(t)
	tool, err := exec.LookPath("iptables-nft")
	if err != nil {
		t.Skip("needs iptables-nft (package iptables)")
	}
	iptables := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	iptables("-P", "FORWARD", "DROP")
	iptables("-P", "INPUT", "DROP")
	iptables("-A", "FORWARD", "-s", "192.0.2.1", "-j", "LOG")
	iptables("-A", "FORWARD", "-s", "192.0.2.1", "-j", "REJECT")
	iptables("-A", "FORWARD", "-j", "LOG")
	iptables("-A", "FORWARD", "-j", "REJECT")
	f := New(owner, slog.New(slog.DiscardHandler))
	if err := f.Apply(t.Context(), cases()["everything"], true); err != nil {
		t.Fatal(err)
	}
	got := iptables("-S")
	prefix := engine.BridgeName(owner, "")
	want := []string{
		"-s 192.0.2.1/32 -j REJECT", "-A FORWARD -j LOG", "-A FORWARD -i " + prefix + "+ -m comment --comment", "-A FORWARD -o " + prefix + "+ -m comment --comment", "-A FORWARD -j REJECT",
	}
	at := -1
	for _, text := range want {
		next := strings.Index(got, text)
		if next <= at {
			t.Errorf("%q is not there, or not in its turn:\n%s", text, got)
		}
		at = next
	}
	for _, proto := range []string{"udp", "tcp"} {
		if !strings.Contains(got, "-A INPUT -i "+prefix+"+ -p "+proto+" -m "+proto+" --dport 53 ") {
			t.Errorf("name queries by %s:\n%s", proto, got)
		}
	}
	t.Log(got)
	iptables("-S", "FORWARD")
}

// TestPortsAlone: ports that come and go by themselves leave what all rules told anew would, also when the table was flushed
// meanwhile.
func TestPortsAlone(t *testing.T) {
	isolate(t)
	f := New(owner, slog.New(slog.DiscardHandler))
	rules := manyPorts(3)
	ports := rules.Ports
	if done, err := f.ApplyPorts(t.Context(), nil, ports); done || err != nil {
		t.Errorf("before anything is known: %v, %v", done, err)
	}
	list := func() string { return sorted(nft(t, "", "-n", "list", "table", "inet", TableName(owner))) }
	apply := func(left ...engine.FirewallPort) string {
		t.Helper()
		rules.Ports = left
		if err := f.Apply(t.Context(), rules, true); err != nil {
			t.Fatal(err)
		}
		return list()
	}
	want := apply(ports[1], ports[2])
	for name, between := range map[string]func(){"as it was": func() {}, "flushed": func() { nft(t, "", "flush", "ruleset") }} {
		apply(ports[0], ports[1])
		between()
		for range 2 { // the second time all is as it is to be
			if done, err := f.ApplyPorts(t.Context(), ports[:1], ports[1:]); !done || err != nil {
				t.Fatalf("%s: %v, %v", name, done, err)
			}
			if got := list(); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			}
		}
	}
}
