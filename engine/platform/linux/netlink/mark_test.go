package netlink

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
)

const (
	owner     = engine.Owner("0a1b2c3d")
	other     = engine.Owner("99999999")
	container = engine.ContainerID("c0ffee000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	network   = engine.NetworkID("decade000000bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
)

func TestMarks(t *testing.T) {
	if m, ok := parseMark(bridgeMark(owner, network), owner); !ok || m != (mark{network: network}) {
		t.Errorf("bridge: %+v, %v", m, ok)
	}
	if m, ok := parseMark(pairMark(owner, container, network), owner); !ok || m != (mark{"c0ffee000000", "decade000000"}) {
		t.Errorf("pair: %+v, %v", m, ok)
	}
	if n, ok := parseInside(insideMark(network)); !ok || n != "decade000000" {
		t.Errorf("inside: %v, %v", n, ok)
	}
	for _, alias := range []string{"", "xc:", "xc:0a1b2c3d", "xc:0a1b2c3d:", "xc:0a1b2c3d::", "xc:0a1b2c3d:a:", bridgeMark(other, network), "eth0"} {
		if m, ok := parseMark(alias, owner); ok {
			t.Errorf("%q was taken for ours: %+v", alias, m)
		}
	}
	if n, ok := parseInside(bridgeMark(owner, network)); ok {
		t.Errorf("a bridge's mark was taken for %v inside", n)
	}
}

func TestNames(t *testing.T) {
	for _, prefix := range []string{pairPrefix, deadPrefix} {
		name := randomName(prefix, owner)
		if len(name) != 15 || !oursByName(name, owner) || oursByName(name, other) || name == randomName(prefix, owner) {
			t.Errorf("%q", name)
		}
	}
	for _, name := range []string{"eth0", "docker0", "xv0a1b", "xv0a1b-123", "veth12345678"} {
		if oursByName(name, owner) {
			t.Errorf("%q was taken for ours", name)
		}
	}
	if len(bridgeMark(owner, network)) > 255 || strings.Contains(pairMark(owner, container, network), " ") {
		t.Error("marks do not fit an alias")
	}
	if deadGroup(owner) == deadGroup(other) || deadGroup(owner) < 1<<31 {
		t.Errorf("groups %x, %x", deadGroup(owner), deadGroup(other))
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add("xc:0a1b2c3d:a:b")
	f.Fuzz(func(t *testing.T, alias string) {
		if m, ok := parseMark(alias, owner); ok && m.network == "" {
			t.Errorf("%q is a mark without a network", alias)
		}
	})
}

func TestAnnounced(t *testing.T) {
	var a announcements
	for i, c := range []struct {
		mac, addr string
		want      bool
	}{
		{"02:42:ac:11:00:02", "172.17.0.2/16", false},
		{"02:00:00:00:00:77", "172.17.0.2/16", true},
		{"02:42:ac:11:00:02", "172.17.0.2/16", true}, // the last holder had another
		{"02:42:ac:11:00:02", "172.17.0.2/16", false},
		{"", "172.17.0.3/16", true},
		{"02:42:00:00:00:02", "fd00::2/64", false},
	} {
		p := engine.Plug{Bridge: "br0", MAC: c.mac, Addrs: []netip.Prefix{netip.MustParsePrefix(c.addr)}}
		if got := a.need(p); got != c.want {
			t.Errorf("%d: %+v: %v", i, p, got)
		}
	}
}

func TestSysctlPath(t *testing.T) {
	for key, want := range map[string]string{
		"net.ipv4.conf.IFNAME.log_martians": "ipv4/conf/eth0/log_martians", "net.ipv6.conf.ifname.accept_ra": "ipv6/conf/eth0/accept_ra",
		"net.ipv4.ip_forward": "", "kernel.conf.x.IFNAME.y": "", "net.ipv4.conf.eth1.log_martians": "", "net.../../etc.conf.IFNAME.x": "", "": "",
	} {
		if got, ok := sysctlPath(key, "eth0"); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", key, got, ok)
		}
	}
}
