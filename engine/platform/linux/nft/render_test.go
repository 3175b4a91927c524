package nft

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

var update = flag.Bool("update", false, "write the golden files")

const owner = engine.Owner("0a1b2c3d")

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
func addr(s string) netip.Addr         { return netip.MustParseAddr(s) }

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// cases are rule sets from nothing to one that uses every word.
func cases() map[string]engine.FirewallRules {
	bridge := engine.FirewallNetwork{
		Network: "n1", Name: "bridge", Managed: true, Bridge: "xc0a1b-000001", Subnets: prefixes("172.17.0.0/16"), Masquerade4: true,
	}
	dual := engine.FirewallNetwork{
		Network: "n2", Name: "dual", Managed: true, Bridge: "xc0a1b-000002", Subnets: prefixes("172.18.0.0/16", "fd00:18::/64"),
		Masquerade4: true, Masquerade6: true,
	}
	return map[string]engine.FirewallRules{
		"empty":   {},
		"default": {Networks: []engine.FirewallNetwork{bridge}, Resolvers: []engine.FirewallResolver{{Bridge: bridge.Bridge, Addr: addr("172.17.0.1"), Port: 53}}},
		"everything": {
			Networks: []engine.FirewallNetwork{
				bridge, dual,
				{Network: "n3", Managed: true, Bridge: "inner", Subnets: prefixes("10.0.0.0/24"), Internal: true},
				{Network: "n4", Managed: true, Bridge: "routed", Subnets: prefixes("10.0.1.0/24", "2001:db8:1::/64"), Mode4: engine.GatewayRouted, Mode6: engine.GatewayRouted},
				{Network: "n5", Managed: true, Bridge: "open", Subnets: prefixes("10.0.2.0/24", "2001:db8:2::/64"), Mode4: engine.GatewayNATUnprotected, Mode6: engine.GatewayNATUnprotected, Masquerade4: true},
				{Network: "n6", Managed: true, Bridge: "snat", Subnets: prefixes("10.0.3.0/24", "2001:db8:3::/64"), Masquerade4: true, SNAT4: addr("192.0.2.9"), Masquerade6: true, SNAT6: addr("2001:db8::9")},
				{Network: "n7", Managed: true, Isolated: true, Bridge: "edge", Subnets: prefixes("255.255.255.0/24"), Masquerade4: true},
				{Network: "n8", Managed: false, Bridge: "admins", Subnets: prefixes("192.168.17.0/24"), Addrs: []netip.Addr{addr("192.168.17.1")}},
			},
			Ports: []engine.FirewallPort{
				{Bridge: bridge.Bridge, Proto: engine.TCP, Host: netip.IPv4Unspecified(), HostPort: 8080, Target: addrPort("172.17.0.2:80")},
				{Bridge: bridge.Bridge, Proto: engine.TCP, Host: netip.IPv6Unspecified(), HostPort: 8080, Target: addrPort("172.17.0.2:80")}, // a proxy's
				{Bridge: bridge.Bridge, Proto: engine.TCP, Host: addr("127.0.0.1"), HostPort: 8081, Target: addrPort("172.17.0.2:80")},       // likewise
				{Bridge: bridge.Bridge, Proto: engine.UDP, Host: addr("192.0.2.2"), HostPort: 53, Target: addrPort("172.17.0.2:53")},
				{Bridge: dual.Bridge, Proto: engine.TCP, Host: netip.IPv6Unspecified(), HostPort: 443, Target: addrPort("[fd00:18::2]:8443")},
				{Bridge: dual.Bridge, Proto: engine.SCTP, Host: addr("fd00::2"), HostPort: 65535, Target: addrPort("[fd00:18::2]:1")},
				{Bridge: "routed", Proto: engine.TCP, Target: addrPort("10.0.1.2:80")},
				{Bridge: "routed", Proto: engine.TCP, Target: addrPort("[2001:db8:1::2]:80")},
			},
			Resolvers: []engine.FirewallResolver{
				{Bridge: dual.Bridge, Addr: addr("172.18.0.1"), Port: 53},
				{Bridge: dual.Bridge, Addr: addr("fd00:18::1"), Port: 53},
				{Bridge: "inner", Addr: addr("10.0.0.1"), Port: 40053},
				{Bridge: "routed", Addr: addr("2001:db8:1::1"), Port: 40054},
			},
		},
	}
}

func TestRender(t *testing.T) {
	for name, rules := range cases() {
		t.Run(name, func(t *testing.T) {
			got := Text(owner, Render(rules))
			path := filepath.Join("testdata", name+".nft")
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
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestElementBytes(t *testing.T) {
	port := newElement(mapAny4, []value{protoValue(engine.TCP), portValue(8080)}, addrValue(addr("172.17.0.2")), portValue(80))
	if diff := cmp.Diff([]byte{6, 0, 0, 0, 0x1f, 0x90, 0, 0}, port.key); diff != "" {
		t.Errorf("key (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]byte{172, 17, 0, 2, 0, 80, 0, 0}, port.data); diff != "" {
		t.Errorf("data (-want +got)\n%s", diff)
	}
	own := newElement(setOwn4, []value{prefixValue(netip.MustParsePrefix("10.1.2.0/23")), nameValue("br")})
	if diff := cmp.Diff(append([]byte{10, 1, 3, 255, 'b', 'r'}, make([]byte, 14)...), own.end); diff != "" {
		t.Errorf("end (-want +got)\n%s", diff)
	}
	for _, s := range allSets() {
		key := make([]value, len(s.key))
		for i, f := range s.key {
			key[i] = value{bytes: make([]byte, fieldInfo[f].size)}
		}
		if got := len(concat(key, func(v value) []byte { return v.bytes })); got != s.key.size() {
			t.Errorf("%s: a key has %d bytes, the set's are %d", s.name, got, s.key.size())
		}
	}
}

func TestChangesAreElementsOnly(t *testing.T) {
	all := cases()
	from, to := Render(all["default"]), Render(all["everything"])
	if got := changes(from, from); len(got) != 0 {
		t.Errorf("to itself: %v", got)
	}
	after := all["default"]
	after.Ports = []engine.FirewallPort{{Proto: engine.TCP, Host: netip.IPv4Unspecified(), HostPort: 1, Target: addrPort("172.17.0.2:80")}}
	if got := changes(from, Render(after)); len(got) != 1 || got[0].set.name != "any4" || len(got[0].in) != 1 || len(got[0].remove) != 0 {
		t.Errorf("one published port: %+v", got)
	}
	back := changes(to, from)
	forth := changes(from, to)
	if len(back) != len(forth) {
		t.Errorf("%d sets change on the way there, %d on the way back", len(forth), len(back))
	}
	for i := range back {
		if len(back[i].remove) != len(forth[i].in) {
			t.Errorf("%s: %d added, %d removed again", back[i].set.name, len(forth[i].in), len(back[i].remove))
		}
	}
}
