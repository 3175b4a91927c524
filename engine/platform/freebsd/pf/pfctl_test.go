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
		"killed 2 states from 1 sources and 1 destinations\n":                             "",
		"pfctl: DIOCGETRULES: Invalid argument\n":                                         "pfctl: DIOCGETRULES: Invalid argument",
	} {
		if got := Complaint(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

func TestEnded(t *testing.T) {
	a, b := port(engine.TCP, "0.0.0.0", 8080, "172.17.0.2:80"), port(engine.TCP, "0.0.0.0", 8081, "172.17.0.3:80")
	moved := a
	moved.Target = netip.MustParseAddrPort("172.17.0.9:80")
	for _, tc := range []struct {
		now  []engine.FirewallPort
		want string
	}{{[]engine.FirewallPort{a, b}, ""}, {[]engine.FirewallPort{b}, "172.17.0.2"}, {[]engine.FirewallPort{moved, b}, "172.17.0.2"}, {nil, "172.17.0.2 172.17.0.3"}} {
		var got []string
		for _, addr := range ended([]engine.FirewallPort{a, b}, tc.now) {
			got = append(got, addr.String())
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
	if got := endCommand(netip.MustParseAddr("fd00::2")); !slices.Equal(got, []string{"-q", "-M", "-k", "::/0", "-k", "fd00::2"}) {
		t.Errorf("%q", got)
	}
}
