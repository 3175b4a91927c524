package jail

import (
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

var update = flag.Bool("update", false, "write the golden files anew")

// show renders a list as text: flags bare, integers as numbers, everything else quoted.
func show(l iov.List) string {
	var b strings.Builder
	for _, p := range l {
		switch {
		case p.Value == nil:
			fmt.Fprintln(&b, p.Name)
		case strings.HasSuffix(p.Name, ".addr"):
			fmt.Fprintf(&b, "%s = %v\n", p.Name, p.Value)
		case len(p.Value) == 4 && p.Value[3] != 0 || len(p.Value) == 4 && p.Value[1] == 0:
			fmt.Fprintf(&b, "%s = %d\n", p.Name, int32(binary.NativeEndian.Uint32(p.Value)))
		default:
			fmt.Fprintf(&b, "%s = %q\n", p.Name, p.Value)
		}
	}
	return b.String()
}

func TestParams(t *testing.T) {
	level := 2
	for name, c := range map[string]Config{
		"vnet": {
			Name: "xc-0a1b2c3d4e5f", Root: "/xc/roots/0a1b", Hostname: "0a1b2c3d4e5f", VNET: true, EnforceStatfs: 1,
		},
		"shared": {
			Name: "xc-0a1b2c3d4e5f", Root: "/xc/roots/0a1b", Hostname: "web", Domain: "example.org", EnforceStatfs: 1,
			Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.1.0.3"), netip.MustParseAddr("2001:db8::2")},
		},
		"host": {Name: "xc-0a1b2c3d4e5f", Root: "/r", Hostname: "h", InheritNet: true, EnforceStatfs: 2},
		"none": {Name: "xc-0a1b2c3d4e5f", Root: "/r", Hostname: "h", EnforceStatfs: 2},
		"linux": {
			Name: "xc-0a1b2c3d4e5f", Root: "/r", Hostname: "h", VNET: true, EnforceStatfs: 1, Linux: true, LinuxRelease: "5.15.0",
		},
		"full": {
			Name: "xc-0a1b2c3d4e5f", Root: "/r", Hostname: "h", VNET: true, ChildrenMax: 4, EnforceStatfs: 1, Securelevel: &level,
			OSRelease: "13.2-RELEASE", OSRelDate: 1302001, Allow: []string{"mlock", "mount", "mount.zfs", "chflags"}, SysVShm: "inherit", SysVMsg: "disable",
			Params: map[string]string{"allow.nfsd": "true", "allow.raw_sockets": "0", "devfs_ruleset": "5", "host.hostuuid": "x y", "sysvsem": "inherit"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Params(c)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".golden", show(l))
		})
	}
}

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
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestRawParametersAreChecked(t *testing.T) {
	for name, value := range map[string]string{
		"path": "/", "name": "x", "vnet": "inherit", "jid": "1", "persist": "false", "exec.start": "/bin/sh", "mount.devfs": "true",
		"securelevel": "high", "allow.mlock": "maybe", "sysvshm": "some", "ip4.addr": "10.0.0.1,::1", "Allow.mlock": "1", "": "x",
		"a b": "c", "host.hostuuid": "a\x00b",
	} {
		if l, err := Params(Config{Name: "xc-0a1b2c3d4e5f", Root: "/r", Params: map[string]string{name: value}}); err == nil {
			t.Errorf("%s=%s was taken: %s", name, value, show(l))
		}
	}
}

func TestOwnName(t *testing.T) {
	for name, want := range map[string]string{
		"xc-0a1b2c3d4e5f": "0a1b2c3d4e5f", "xc-0a1b2c3d4e5": "", "web": "", "xc-0a1b2c3d4e5g": "", "0a1b2c3d4e5f": "", "xc-0a1b2c3d4e5f.x": "",
	} {
		if id, ok := OwnName(name); id != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", name, id, ok)
		}
	}
}

func TestLeftName(t *testing.T) {
	const own = "xc-0a1b2c3d4e5f"
	if left := LeftName(own, 12); !IsLeft(left) {
		t.Errorf("%s is not one that was left", left)
	}
	for _, name := range []string{own, own + "-", own + "-0", own + "-x", own + "x-12", "web-12", own + "-12." + own, ""} {
		if IsLeft(name) {
			t.Errorf("%q is taken for one that was left", name)
		}
	}
}

func TestAddresses(t *testing.T) {
	l := Addresses([]netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")})
	if got, want := show(l), "ip4.addr = [10 0 0 5 10 0 0 6]\nip6.addr = []\n"; got != want && got != strings.Replace(want, "ip6.addr = []", "ip6.addr", 1) {
		t.Errorf("%q", got)
	}
}
