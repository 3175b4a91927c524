package nft

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// isolate moves the test into a network namespace of its own, which ends with the test's thread.
func isolate(tb testing.TB) {
	tb.Helper()
	if os.Getuid() != 0 {
		tb.Skip("needs root: it makes a network namespace")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		tb.Skip("needs nft (package nftables)")
	}
	runtime.LockOSThread() // not unlocked: the thread is not fit for others any more
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		tb.Skipf("cannot make a network namespace: %v", err)
	}
}

func nft(tb testing.TB, stdin string, args ...string) string {
	tb.Helper()
	cmd := exec.Command("nft", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("nft %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

var space = regexp.MustCompile(`\s+`)

// sorted brings a listing into a form in which the order of elements and nft's spelling of it do not matter.
func sorted(listing string) string {
	listing = regexp.MustCompile(`elements = \{([^}]*)\}`).ReplaceAllStringFunc(listing, func(s string) string {
		body := space.ReplaceAllString(strings.TrimSuffix(strings.TrimPrefix(s, "elements = {"), "}"), " ")
		parts := strings.Split(body, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		sortStrings(parts)
		return "elements = { " + strings.Join(parts, ", ") + " }"
	})
	var lines []string
	for line := range strings.Lines(listing) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func sortStrings(s []string) {
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

// TestKernelHasWhatTextSays holds the two renderings of everything, ours for people and ours for the kernel, against each
// other: the kernel's table is listed by nft, and so is the table that nft itself makes of our text.
func TestKernelHasWhatTextSays(t *testing.T) {
	isolate(t)
	for name, rules := range cases() {
		t.Run(name, func(t *testing.T) {
			f := New(owner, slog.New(slog.DiscardHandler))
			if err := f.Apply(t.Context(), rules, true); err != nil {
				t.Fatal(err)
			}
			ours := nft(t, "", "-n", "list", "table", "inet", TableName(owner))
			if err := f.Cleanup(t.Context()); err != nil {
				t.Fatal(err)
			}
			nft(t, Text(owner, Render(rules)), "-f", "-")
			theirs := nft(t, "", "-n", "list", "table", "inet", TableName(owner))
			nft(t, "", "delete", "table", "inet", TableName(owner))
			if diff := cmp.Diff(sorted(theirs), sorted(ours)); diff != "" {
				t.Errorf("(-by nft from text +by Apply)\n%s", diff)
			}
		})
	}
}

const foreign = `table inet others {
	set s {
		type ipv4_addr
		elements = { 10.9.9.9 }
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr @s counter packets 0 bytes 0 accept
	}
}
`

func TestEveryChangeInPlace(t *testing.T) {
	isolate(t)
	nft(t, foreign, "-f", "-")
	f := New(owner, slog.New(slog.DiscardHandler))
	all := cases()
	list := func() string { return sorted(nft(t, "", "-n", "list", "table", "inet", TableName(owner))) }
	fresh := make(map[string]string)
	for name, rules := range all {
		if err := f.Apply(t.Context(), rules, true); err != nil {
			t.Fatal(err)
		}
		fresh[name] = list()
	}
	for from := range all {
		for to := range all {
			for _, name := range []string{from, to} {
				if err := f.Apply(t.Context(), all[name], false); err != nil {
					t.Fatalf("to %s: %v", name, err)
				}
			}
			if diff := cmp.Diff(fresh[to], list()); diff != "" {
				t.Errorf("from %s to %s (-made anew +changed)\n%s", from, to, diff)
			}
		}
	}
	if got := nft(t, "", "list", "table", "inet", "others"); got != foreign {
		t.Errorf("the table of others was changed:\n%s", got)
	}
	if err := f.Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Cleanup(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
	if got := nft(t, "", "list", "ruleset"); got != foreign {
		t.Errorf("left behind:\n%s", got)
	}
}

func TestPortGoesToAnotherContainer(t *testing.T) {
	isolate(t)
	f := New(owner, slog.New(slog.DiscardHandler))
	for _, target := range []string{"172.17.0.2:80", "172.17.0.3:8080"} {
		port := engine.FirewallPort{Proto: engine.TCP, Host: netip.IPv4Unspecified(), HostPort: 8080, Target: addrPort(target)}
		if err := f.Apply(t.Context(), engine.FirewallRules{Ports: []engine.FirewallPort{port}}, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := nft(t, "", "-n", "list", "map", "inet", TableName(owner), "any4"); !strings.Contains(got, "elements = { 6 . 8080 : 172.17.0.3 . 8080 }") {
		t.Errorf("got %s", got)
	}
}

func TestFlushedRulesetIsMended(t *testing.T) {
	isolate(t)
	f := New(owner, slog.New(slog.DiscardHandler))
	rules := cases()["everything"]
	if err := f.Apply(t.Context(), rules, false); err != nil {
		t.Fatal(err)
	}
	want := sorted(nft(t, "", "-n", "list", "ruleset"))
	nft(t, "", "flush", "ruleset")
	if err := f.Apply(t.Context(), rules, true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, sorted(nft(t, "", "-n", "list", "ruleset"))); diff != "" {
		t.Errorf("asserted (-want +got)\n%s", diff)
	}
	nft(t, "", "flush", "ruleset")
	less := rules
	less.Ports = rules.Ports[1:]
	for _, r := range []engine.FirewallRules{less, rules} { // the next change finds out
		if err := f.Apply(t.Context(), r, false); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, sorted(nft(t, "", "-n", "list", "ruleset"))); diff != "" {
		t.Errorf("at the next change (-want +got)\n%s", diff)
	}
}

// What others take away comes back without a change of ours, and when nobody takes anything more, nothing is done.
func TestMend(t *testing.T) {
	isolate(t)
	f, beside := New(owner, slog.New(slog.DiscardHandler)), New("77777777", slog.New(slog.DiscardHandler))
	if err := f.Mend(t.Context()); err != nil {
		t.Errorf("before anything was applied: %v", err)
	}
	for _, each := range []*Firewall{f, beside} {
		if err := each.Apply(t.Context(), cases()["everything"], true); err != nil {
			t.Fatal(err)
		}
	}
	mend := func() string {
		t.Helper()
		for _, each := range []*Firewall{f, beside, f, beside} {
			if err := each.Mend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return sorted(nft(t, "", "-n", "list", "ruleset"))
	}
	want := mend()
	dropping := "table ip filter { chain FORWARD { " + forwardDrops + " }; }"
	nft(t, dropping, "-f", "-")
	passing := mend()
	if got := f.Warnings(t.Context()); passing == want || len(got) != 0 {
		t.Errorf("a chain that drops came: %q\n%s", got, passing)
	}
	nft(t, "", "flush", "chain", "ip", "filter", "FORWARD")
	if diff := cmp.Diff(passing, mend()); diff != "" {
		t.Errorf("the chain was flushed (-before +after)\n%s", diff)
	}
	nft(t, "", "flush", "ruleset")
	if diff := cmp.Diff(want, mend()); diff != "" {
		t.Errorf("everything was flushed (-before +after)\n%s", diff)
	}
	before, err := f.query.generation()
	if err != nil {
		t.Fatal(err)
	}
	mend()
	if after, err := f.query.generation(); err != nil || after != before {
		t.Errorf("%d changes while there was nothing to mend, %v", after-before, err)
	}
}

// Tables of the older iptables cannot be changed by nftables: they are told.
func TestWarningsOfLegacyTables(t *testing.T) {
	for _, l := range legacyFamilies {
		t.Run(l.tool, func(t *testing.T) {
			if _, err := exec.LookPath(l.tool); err != nil {
				t.Skip("needs " + l.tool)
			}
			isolate(t)
			legacy := func(args ...string) {
				t.Helper()
				if out, err := exec.Command(l.tool, args...).CombinedOutput(); err != nil {
					t.Skipf("%s %v: %v\n%s", l.tool, args, err, out)
				}
			}
			f := New(owner, slog.New(slog.DiscardHandler))
			legacy("-A", "FORWARD", "-p", "tcp", "--dport", "25", "-j", "DROP")
			if got := f.Warnings(t.Context()); len(got) != 0 {
				t.Errorf("with the policy ACCEPT: %q", got)
			}
			ours := engine.BridgeName(owner, "") + "+"
			steps := []struct {
				tells bool
				rules [][]string // each in place of what was there
			}{
				{true, [][]string{{"-P", "FORWARD", "DROP"}}},
				{false, [][]string{{"-P", "FORWARD", "DROP"}, {"-A", "FORWARD", "-j", "ACCEPT"}}},
				{true, [][]string{{"-A", "FORWARD", "-i", "eth7", "-j", "ACCEPT"}, {"-A", "FORWARD", "-j", "DROP"}}},
				{true, [][]string{{"-A", "FORWARD", "-j", "REJECT"}}},
				{true, [][]string{{"-A", "FORWARD", "-m", "comment", "--comment", "the rest", "-j", "DROP"}}},
				{false, [][]string{{"-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"}}},
				{false, [][]string{{"-A", "FORWARD", "-i", "eth7", "-j", "DROP"}}},
				{true, [][]string{{"-N", "rest"}, {"-A", "rest", "-j", "DROP"}, {"-A", "FORWARD", "-j", "rest"}}},
				{true, [][]string{{"-N", "rest"}, {"-A", "rest", "-j", "DROP"}, {"-A", "FORWARD", "-g", "rest"}}},
				{false, [][]string{{"-N", "rest"}, {"-A", "rest", "-i", "eth7", "-j", "DROP"}, {"-A", "FORWARD", "-j", "rest"}}},
				{true, [][]string{{"-P", "FORWARD", "DROP"}, {"-N", "rest"}, {"-A", "rest", "-j", "RETURN"}, {"-A", "rest", "-j", "ACCEPT"}, {"-A", "FORWARD", "-j", "rest"}}},
				{true, [][]string{{"-A", "FORWARD", "-i", ours, "-j", "ACCEPT"}, {"-A", "FORWARD", "-j", "DROP"}}},
				{false, [][]string{{"-A", "FORWARD", "-i", ours, "-j", "ACCEPT"}, {"-A", "FORWARD", "-o", ours, "-j", "ACCEPT"}, {"-A", "FORWARD", "-j", "DROP"}}},
				{true, [][]string{{"-A", "FORWARD", "-i", ours, "-p", "tcp", "-j", "ACCEPT"}, {"-A", "FORWARD", "-o", ours, "-j", "ACCEPT"}, {"-A", "FORWARD", "-j", "DROP"}}},
				{true, [][]string{{"-A", "FORWARD", "-j", "DROP"}, {"-A", "FORWARD", "-i", ours, "-j", "ACCEPT"}, {"-A", "FORWARD", "-o", ours, "-j", "ACCEPT"}}},
			}
			for _, step := range steps {
				legacy("-P", "FORWARD", "ACCEPT")
				legacy("-F")
				legacy("-X")
				for _, rule := range step.rules {
					legacy(rule...)
				}
				got := f.Warnings(t.Context())
				if tells := len(got) == 1 && strings.Contains(got[0], "chain FORWARD of "+l.tool+" drops"); tells != step.tells || !tells && len(got) > 0 {
					t.Errorf("%q: %q, want a warning: %v", step.rules, got, step.tells)
				}
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	isolate(t)
	f := New(owner, slog.New(slog.DiscardHandler))
	if err := f.Apply(t.Context(), cases()["everything"], true); err != nil {
		t.Fatal(err)
	}
	if got := f.Warnings(t.Context()); len(got) != 0 {
		t.Errorf("on a host with no other rules: %q", got)
	}
	nft(t, "table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; }; chain INPUT { type filter hook input priority filter; policy drop; }; }", "-f", "-")
	got := strings.Join(f.Warnings(t.Context()), "\n")
	if !strings.Contains(got, "chain FORWARD of table ip filter drops") || !strings.Contains(got, "chain INPUT of table ip filter drops") {
		t.Errorf("got %q", got)
	}
	if err := f.Apply(t.Context(), cases()["everything"], true); err != nil {
		t.Fatal(err)
	}
	if got := f.Warnings(t.Context()); len(got) != 0 {
		t.Errorf("mended: %q", got)
	}
}

// TestOwnedTable: the table of a program that keeps others off, as firewalld's, stays as it is, and is told.
func TestOwnedTable(t *testing.T) {
	isolate(t)
	program := exec.CommandContext(t.Context(), "nft", "-i")
	stdin, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); program.Wait() })
	fmt.Fprintln(stdin, "add table inet firewalld { flags owner; chain filter_FORWARD { type filter hook forward priority filter; policy drop; }; }")
	for end := time.Now().Add(10 * time.Second); !strings.Contains(nft(t, "", "list", "ruleset"), "filter_FORWARD"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Skip("no tables with an owner")
		}
	}
	f := New(owner, slog.New(slog.DiscardHandler))
	if err := f.Apply(t.Context(), cases()["everything"], true); err != nil {
		t.Fatal(err)
	}
	want := " --add-interface=" + engine.BridgeName(owner, "") + "+; firewall-cmd --reload"
	if got := f.Warnings(t.Context()); len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("got %q", got)
	}
}

func manyPorts(n int) engine.FirewallRules {
	rules := cases()["default"]
	for i := range n {
		rules.Ports = append(rules.Ports, engine.FirewallPort{
			Proto: engine.TCP, Host: netip.IPv4Unspecified(), HostPort: uint16(10000 + i),
			Target: netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 17, byte(i >> 8), byte(i)}), 80),
		})
	}
	return rules
}

func TestThousandsOfPorts(t *testing.T) {
	isolate(t)
	f := New(owner, slog.New(slog.DiscardHandler))
	const n = 5000
	if err := f.Apply(t.Context(), manyPorts(n), true); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(nft(t, "", "-n", "list", "map", "inet", TableName(owner), "any4"), " : 172."); got != n {
		t.Errorf("%d ports of %d", got, n)
	}
	if err := f.Apply(t.Context(), manyPorts(0), false); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkPublish is one more port, and its end, beside n others.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 200, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			benchmarkOneMore(b, manyPorts(n), manyPorts(n+1))
		})
	}
}

// benchmarkOneMore goes from few rules to more and back.
func benchmarkOneMore(b *testing.B, few, more engine.FirewallRules) {
	isolate(b)
	f := New(owner, slog.New(slog.DiscardHandler))
	if err := f.Apply(b.Context(), few, true); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for _, r := range []engine.FirewallRules{more, few} {
			if err := f.Apply(b.Context(), r, false); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkReplace(b *testing.B) {
	isolate(b)
	f := New(owner, slog.New(slog.DiscardHandler))
	rules := manyPorts(500)
	for b.Loop() {
		if err := f.Apply(b.Context(), rules, true); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNetwork is one more network, and its end, beside n others.
func BenchmarkNetwork(b *testing.B) {
	for _, n := range []int{0, 50, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			benchmarkOneMore(b, manyNetworks(n), manyNetworks(n+1))
		})
	}
}

func manyNetworks(n int) engine.FirewallRules {
	var rules engine.FirewallRules
	for i := range n {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(100 + i/256), byte(i)}), 24)
		bridge := engine.BridgeName(owner, engine.NetworkID(fmt.Sprintf("%06x", i)))
		rules.Networks = append(rules.Networks, engine.FirewallNetwork{Network: engine.NetworkID(bridge), Managed: true, Bridge: bridge, Subnets: []netip.Prefix{subnet}, Masquerade4: true})
		rules.Resolvers = append(rules.Resolvers, engine.FirewallResolver{Bridge: bridge, Addr: subnet.Addr().Next(), Port: 53})
	}
	return rules
}
