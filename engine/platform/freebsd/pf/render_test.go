package pf

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func port(proto engine.Proto, host string, hostPort uint16, target string) engine.FirewallPort {
	return engine.FirewallPort{Network: "n1", Bridge: "xc0", Proto: proto, Host: netip.MustParseAddr(host), HostPort: hostPort, Target: netip.MustParseAddrPort(target)}
}

func state() engine.FirewallRules {
	return engine.FirewallRules{
		Networks: []engine.FirewallNetwork{
			{Network: "n1", Name: "bridge", Managed: true, Bridge: "xc0", Subnets: []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("fd00:17::/64")}, Masquerade4: true, Masquerade6: true},
			{Network: "n2", Name: "inside", Managed: true, Internal: true, Bridge: "xc1", Subnets: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")}, Masquerade4: true},
			{Network: "n3", Name: "fixed", Managed: true, Bridge: "xc2", Subnets: []netip.Prefix{netip.MustParsePrefix("10.8.0.0/24")}, Masquerade4: true, SNAT4: netip.MustParseAddr("192.0.2.9")},
			{Network: "n5", Name: "routed", Managed: true, Bridge: "xc3", Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24")}, Mode4: engine.GatewayRouted},
			{Network: "n6", Name: "open", Managed: true, Bridge: "xc4", Subnets: []netip.Prefix{netip.MustParsePrefix("10.6.0.0/24")}, Mode4: engine.GatewayNATUnprotected, Masquerade4: true},
			{Network: "n4", Name: "example", Bridge: "em1", Subnets: []netip.Prefix{netip.MustParsePrefix("192.168.17.0/24")}},
		},
		Ports: []engine.FirewallPort{
			port(engine.TCP, "0.0.0.0", 8080, "172.17.0.2:80"), port(engine.UDP, "0.0.0.0", 53, "172.17.0.3:53"),
			port(engine.TCP, "::", 8080, "[fd00:17::2]:80"), port(engine.TCP, "192.0.2.1", 8080, "172.17.0.4:80"),
			port(engine.TCP, "::", 8081, "172.17.0.2:80"),
			port(engine.TCP, "127.0.0.1", 9000, "172.17.0.2:90"), port(engine.TCP, "0.0.0.0", 0, "172.17.0.2:91"),
		},
		Resolvers: []engine.FirewallResolver{
			{Bridge: "xc0", Addr: netip.MustParseAddr("172.17.0.1"), Port: 53}, {Bridge: "xc0", Addr: netip.MustParseAddr("fd00:17::1"), Port: 5300},
		},
	}
}

func TestRender(t *testing.T) {
	for name, host := range map[string]Host{
		"any":      {External: []External{{"igb0", true, true}}},
		"external": {External: []External{{"igb0", true, true}, {"igb1.10", true, false}}, OnlyExternal: true},
	} {
		rdr, err := RenderRdr(state(), host)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".rdr.golden", rdr)
		nat, err := RenderNat(state(), host)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".nat.golden", nat)
		filter, err := RenderFilter(state(), host)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".filter.golden", filter)
	}
}

func TestNothingBecomesSyntax(t *testing.T) {
	evil := "igb0 -> 1.2.3.4\npass all"
	if s, err := RenderRdr(state(), Host{External: []External{{evil, true, true}}, OnlyExternal: true}); err == nil {
		t.Errorf("rdr: %s", s)
	}
	if s, err := RenderNat(state(), Host{External: []External{{evil, true, true}}}); err == nil {
		t.Errorf("nat: %s", s)
	}
	if s, err := RenderFilter(state(), Host{External: []External{{evil, true, true}}}); err == nil {
		t.Errorf("filter: %s", s)
	}
	bad := state()
	bad.Networks[0].Bridge = "xc0 xc1"
	if s, err := RenderFilter(bad, Host{}); err == nil {
		t.Errorf("bridge: %s", s)
	}
	if s, err := RenderNat(bad, Host{External: []External{{"igb0", true, true}}}); err == nil {
		t.Errorf("bridge: %s", s)
	}
	if s, err := RenderRdr(engine.FirewallRules{Ports: []engine.FirewallPort{{Proto: engine.TCP, HostPort: 1}}}, Host{}); err == nil {
		t.Errorf("no addresses: %s", s)
	}
}

// The kernel's sizes on amd64 and arm64 (sys/net/pfvar.h).
func TestTableRequests(t *testing.T) {
	if a, b, c := unsafe.Sizeof(tableSpec{}), unsafe.Sizeof(tableAddr{}), unsafe.Sizeof(tableRequest{}); a != 1064 || b != 20 || c != 1104 {
		t.Errorf("sizes %d, %d, %d; the kernel's are 1064, 20, 1104", a, b, c)
	}
	got := tableAddrs([]netip.Addr{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("10.0.0.9")})
	want := []tableAddr{
		{Addr: [16]byte{10, 0, 0, 9}, Family: 2, Bits: 32},
		{Addr: [16]byte{0: 0xfd, 15: 1}, Family: 28, Bits: 128},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tableAddr{})); diff != "" {
		t.Error(diff)
	}
	if s := newTableSpec("xc:network:a"); string(bytes.TrimRight(s.Name[:], "\x00")) != "xc:network:a" || s.Anchor != [anchorSize]byte{} {
		t.Errorf("%+v", s)
	}
}

func TestTables(t *testing.T) {
	args, stdin, err := TableCommand("example", []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::1")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(args, " "), "-q -t xc:network:example -T replace -f -"; got != want {
		t.Errorf("arguments %q, want %q", got, want)
	}
	if want := "10.0.0.2\n10.0.0.9\nfd00::1\n"; stdin != want {
		t.Errorf("stdin %q, want %q", stdin, want)
	}
	for _, name := range []string{"a-name-that-is-too-long-for-pf", "a b", "x>y", "x\ny"} {
		if table, err := Table(name); err == nil {
			t.Errorf("%q gave %q", name, table)
		}
	}
}

func TestWhatPfctlSays(t *testing.T) {
	if !Enabled("No ALTQ support in kernel\nStatus: Enabled for 0 days 00:01:02           Debug: Urgent\n") {
		t.Error("enabled is not seen")
	}
	for _, info := range []string{"Status: Disabled                              Debug: Urgent\n", "", "pfctl: /dev/pf: No such file or directory\n"} {
		if Enabled(info) {
			t.Errorf("%q was taken for enabled", info)
		}
	}
	for _, c := range []struct {
		nat, rules string
		want       []string
	}{
		{"nat on igb0 from <xc:network:example> to any -> (igb0)\nrdr-anchor \"xc-rdr\" all\n", "pass all\nanchor \"xcx\" all\n", []string{`nat-anchor "xc-nat"`, `anchor "xc"`}},
		{"nat-anchor \"xc-nat\" all\nrdr-anchor \"xc-rdr\" all\n", "anchor \"xc\" all\n", nil},
		{"nat-anchor \"xc-nat\" all\n", "anchor \"*\" all\n", []string{`rdr-anchor "xc-rdr"`}},
	} {
		got := Missing(c.nat, c.rules)
		for i, line := range got {
			if len(got) != len(c.want) || !strings.Contains(line, "lacks the line "+c.want[i]+" ") {
				t.Errorf("missing: %q, want %q", got, c.want)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("missing: %q, want %q", got, c.want)
		}
	}
}
