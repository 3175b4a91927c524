package ifconfig

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func name(t *testing.T, s string) Name {
	t.Helper()
	n, err := ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestArguments(t *testing.T) {
	br, a := name(t, "xc0a1b-22"), name(t, "epair3a")
	mark := Mark{Owner: "0a1b2c3d", Container: "0123456789ab", Network: "ba9876543210"}
	for want, got := range map[string][]string{
		"bridge create": Create("bridge"),
		"bridge7 name xc0a1b-22 group xc descr xc:0a1b2c3d:ba9876543210":            Setup(name(t, "bridge7"), br, Mark{Owner: "0a1b2c3d", Network: "ba9876543210"}),
		"epair3a name epair3a group xc descr xc:0a1b2c3d:0123456789ab:ba9876543210": Setup(a, a, mark),
		"epair3a ether 02:42:ac:11:00:02 mtu 1400 up":                               Up(a, 1400, "02:42:ac:11:00:02"),
		"epair3a up":                              Up(a, 0, ""),
		"xc0a1b-22 addm epair3a":                  AddMember(br, a, false),
		"xc0a1b-22 addm epair3a private epair3a":  AddMember(br, a, true),
		"xc0a1b-22 deletem epair3a":               DelMember(br, a),
		"xc0a1b-22 inet 172.17.0.1/16 alias":      AddAddr(br, netip.MustParsePrefix("172.17.0.1/16")),
		"xc0a1b-22 inet6 fd00::1/64 no_dad alias": AddAddr(br, netip.MustParsePrefix("fd00::1/64")),
		"epair3a inet 10.0.0.5/32 alias":          AddHostAddr(a, netip.MustParseAddr("10.0.0.5")),
		"epair3a inet 10.0.0.5 -alias":            DelAddr(a, netip.MustParseAddr("10.0.0.5")),
		"epair3a vnet xc-0123456789ab":            ToJail(a, "xc-0123456789ab"),
		"epair3a -vnet xc-0123456789ab":           FromJail(a, "xc-0123456789ab"),
		"epair3a destroy":                         Destroy(a),
	} {
		if strings.Join(got, " ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNamesAreChecked(t *testing.T) {
	for _, s := range []string{"", "0em", "em 0", "em0;reboot", "a-name-of-16-byte", "-a", "em0\n", "epair0a destroy"} {
		if n, err := ParseName(s); err == nil {
			t.Errorf("%q was taken for %v", s, n)
		}
	}
}

func TestMarks(t *testing.T) {
	for _, m := range []Mark{{Owner: "0a1b2c3d", Network: "ba9876543210"}, {Owner: "0a1b2c3d", Container: "0123456789ab", Network: "ba9876543210"}} {
		if got, ok := ParseMark(m.String()); !ok || got != m {
			t.Errorf("%v came back as %v, %v", m, got, ok)
		}
	}
	for _, s := range []string{"", "xc", "my xc:0a1b2c3d:ba9876543210", "xc:0a1b2c3d", "xc:0a1b2c3d::ba9876543210", "xc:0a1b2c3g:ba9876543210", "xc:0a1b2c3d:short", "xc:0a1b2c3d:0123456789ab:ba9876543210:x"} {
		if m, ok := ParseMark(s); ok {
			t.Errorf("%q was taken for %v", s, m)
		}
	}
}

const output = `em0: flags=8863<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500
	options=481009b<RXCSUM,TXCSUM,VLAN_MTU>
	ether 52:54:00:12:34:56
	inet 10.0.2.15/24 broadcast 10.0.2.255
	inet6 fe80::5054:ff:fe12:3456%em0/64 scopeid 0x1
	media: Ethernet autoselect (1000baseT <full-duplex>)
	status: active
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> metric 0 mtu 16384
	inet 127.0.0.1/8
	groups: lo
xc0a1b-22: flags=8803<BROADCAST,SIMPLEX,MULTICAST> metric 0 mtu 1500
	description: xc:0a1b2c3d:ba9876543210
	ether 58:9c:fc:10:ff:aa
	inet 172.17.0.1/16 broadcast 172.17.255.255
	id 00:00:00:00:00:00 priority 32768 hellotime 2 fwddelay 15
	member: epair3a flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>
	        ifmaxaddr 0 port 5 priority 128 path cost 2000
	groups: bridge xc
`

func TestParse(t *testing.T) {
	got := Parse(output)
	if len(got) != 3 {
		t.Fatalf("%d interfaces", len(got))
	}
	if !got[0].Up || got[0].Ether != "52:54:00:12:34:56" || len(got[0].Addrs) != 2 || got[0].Addrs[1] != netip.MustParsePrefix("fe80::5054:ff:fe12:3456/64") {
		t.Errorf("em0: %+v", got[0])
	}
	b := got[2]
	if b.Up || b.Descr != "xc:0a1b2c3d:ba9876543210" || b.Addrs[0] != netip.MustParsePrefix("172.17.0.1/16") {
		t.Errorf("bridge: %+v", b)
	}
	if diff := cmp.Diff([]string{"epair3a"}, b.Members); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"bridge", "xc"}, b.Groups); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(output)
	f.Fuzz(func(t *testing.T, out string) {
		for _, i := range Parse(out) {
			if strings.ContainsAny(i.Name, "\n") {
				t.Errorf("name %q", i.Name)
			}
		}
	})
}
