package pf

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

func TestComplaint(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "No ALTQ support in kernel\nALTQ related functions disabled\n": "", "pfctl: Anchor or Ruleset does not exist.\n": "",
		"stdin:1: syntax error\npfctl: Syntax error in config file: pf rules not loaded\n": "stdin:1: syntax error; pfctl: Syntax error in config file: pf rules not loaded",
		"killed 2 states from 1 sources and 1 destinations\n":                              "",
		"pfctl: DIOCGETRULES: Invalid argument\n":                                          "pfctl: DIOCGETRULES: Invalid argument",
	} {
		if got := Complaint(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

func TestAgain(t *testing.T) {
	for said, want := range map[string]bool{
		"pfctl: DIOCADDRULENV: Device busy": true, "pfctl: SIOCGIFGROUP: Device not configured": true,
		"stdin:1: syntax error": false, "pfctl: /dev/pf: Device not configured": false, "": false,
	} {
		if got := Again(said); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}

func TestEnded(t *testing.T) {
	a, b := port(engine.UDP, "0.0.0.0", 8080, "172.17.0.2:80"), port(engine.UDP, "0.0.0.0", 8081, "172.17.0.3:80")
	moved, tcp := a, port(engine.TCP, "0.0.0.0", 8080, "172.17.0.4:80")
	moved.Target = netip.MustParseAddrPort("172.17.0.9:80")
	for _, tc := range []struct {
		now  []engine.FirewallPort
		want string
	}{
		{[]engine.FirewallPort{a, b}, ""},
		{[]engine.FirewallPort{b}, "172.17.0.2:80"},
		{[]engine.FirewallPort{moved, b}, "172.17.0.2:80"},
		{nil, "172.17.0.2:80 172.17.0.3:80"},
	} {
		var got []string
		for _, addr := range ended([]engine.FirewallPort{a, b, tcp}, tc.now) {
			got = append(got, addr.String())
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestStates(t *testing.T) {
	out := `all udp 10.77.1.2:9 (203.0.12.1:9999) <- 203.0.12.2:7777       SINGLE:MULTIPLE
   age 00:00:10, expires in 00:00:20, 1:1 pkts, 29:41 bytes, rule 0
   id: 6e9a046b00000000 creatorid: b48058c6 gateway: 0.0.0.0
   origif: epair1a
all udp 10.77.1.2:99 <- 203.0.12.2:7777       SINGLE:MULTIPLE
   id: 6e9a046b00000001 creatorid: b48058c6 gateway: 0.0.0.0
all tcp 10.77.1.2:9 <- 203.0.12.2:7777       ESTABLISHED:ESTABLISHED
   id: 6e9a046b00000002 creatorid: b48058c6 gateway: 0.0.0.0
all udp 203.0.12.2:7777 -> fd77::2[9]       SINGLE:MULTIPLE
   id: 6e9a046b00000003 creatorid: b48058c6 gateway: 0.0.0.0
`
	got := States(out, []netip.AddrPort{netip.MustParseAddrPort("10.77.1.2:9"), netip.MustParseAddrPort("[fd77::2]:9")})
	if want := []string{"6e9a046b00000000/b48058c6", "6e9a046b00000003/b48058c6"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLost(t *testing.T) {
	tables := Counts("No ALTQ support in kernel\n-pa-r--\txc:network:one\n\tAddresses:   2\n\tCleared:     Fri Nov 27 19:00:00 2026\n" +
		"\tReferences:  [ Anchors: 0                  Rules: 1                  ]\n-pa-r--\txc:network:none\n\tAddresses:   0\n")
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	for _, tc := range []struct {
		load  load
		shows string
		holds string
		lost  bool
	}{
		{load{name: "xc-rdr/a", stdin: "rdr pass …\n"}, "nat", "rdr pass …\n", false},
		{load{name: "xc-rdr/a", stdin: "rdr pass …\n"}, "nat", "\n", true},
		{load{name: "xc-nat/a", stdin: "\n"}, "", "", false},
		{load{name: "xc/a", stdin: "block …\n"}, "rules", "", true},
		{load{name: "xc", stdin: entrance(AnchorFilter)}, "rules", "anchor \"*\" all\n", false},
		{load{name: "table one", table: "xc:network:one", addrs: addrs[:2]}, "", "", false},
		{load{name: "table one", table: "xc:network:one", addrs: addrs[:1]}, "", "", false},
		{load{name: "table none", table: "xc:network:none"}, "", "", false},
		{load{name: "table gone", table: "xc:network:gone", addrs: addrs[:1]}, "", "", true},
	} {
		if got := tc.load.shows(); got != tc.shows {
			t.Errorf("%+v shows %q, want %q", tc.load, got, tc.shows)
		}
		if got := tc.load.lost(tc.holds, tables); got != tc.lost {
			t.Errorf("%+v with %q is lost: %v", tc.load, tc.holds, got)
		}
	}
}
