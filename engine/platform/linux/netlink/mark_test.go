package netlink

import (
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
