package sysctl

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFind(t *testing.T) {
	if _, err := Find("net.ipv4.ip_forward"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a name of Linux: %v", err)
	}
	for name, own := range map[string]bool{"net.inet.ip.ttl": true, "kern.maxfiles": false, "kern.ostype": false} {
		v, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Refusal(Setting{name, "60"}, true); (err == nil) != own {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSet(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const name = "net.inet.ip.ttl"
	before, err := unix.SysctlUint32(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Set(Setting{name, strconv.FormatUint(uint64(before), 10)}); err != nil {
			t.Error(err)
		}
	})
	if err := Set(Setting{name, "77"}); err != nil {
		t.Fatal(err)
	}
	if now, err := unix.SysctlUint32(name); err != nil || now != 77 {
		t.Errorf("%d %v", now, err)
	}
}

func TestBelow(t *testing.T) {
	for node, want := range map[string]string{"security.jail.param.allow": "security.jail.param.allow.mount.", "kern.ipc": "kern.ipc.maxsockbuf"} {
		if got, err := Below(node); err != nil || !slices.Contains(got, want) {
			t.Errorf("%s: %q %v", node, got, err)
		}
	}
	if got, err := Below("kern.ostype"); err != nil || len(got) > 0 {
		t.Errorf("below a variable: %q %v", got, err)
	}
	if got, err := Below("nosuch.node"); err != nil || len(got) > 0 {
		t.Errorf("below nothing: %q %v", got, err)
	}
}
