package ifconfig

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNamesAreChecked(t *testing.T) {
	for _, s := range []string{"", "0em", "em 0", "em0;reboot", "a-name-of-16-byte", "-a", "em0\n", "epair0a destroy"} {
		if err := checkName(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	for _, s := range []string{"em0", "xc0a1b-22c3d4", "igb1.10", "bridge0"} {
		if err := checkName(s); err != nil {
			t.Error(err)
		}
	}
	if n := hostName("0123456789abcdef", "fedcba9876543210"); len(n) > nameMax || checkName(n) != nil {
		t.Errorf("%q", n)
	}
}

func TestMarks(t *testing.T) {
	for _, m := range []Mark{
		{Owner: "0a1b2c3d", Network: strings.Repeat("ba987654", 8)},
		{Owner: "0a1b2c3d", Container: "0123456789ab", Network: "ba9876543210"},
		{Owner: "0a1b2c3d", Container: "0123456789ab", Network: "ba9876543210", Inside: "eth0"},
	} {
		if got, ok := ParseMark(m.String()); !ok || got != m {
			t.Errorf("%v came back as %v, %v", m, got, ok)
		}
	}
	for _, s := range []string{
		"", "xc", "my xc:0a1b2c3d:ba9876543210", "xc:0a1b2c3d", "xc:0a1b2c3d::ba9876543210", "xc:0a1b2c3g:ba9876543210", "xc:0a1b2c3d:short", "xc:0a1b2c3d:ba9876543210",
		"xc:0a1b2c3d:0123456789ab:ba9876543210:a b", "xc:0a1b2c3d::ba9876543210:x", "xc:0a1b2c3d:0123456789ab:ba9876543210:x:y",
	} {
		if m, ok := ParseMark(s); ok {
			t.Errorf("%q was taken for %+v", s, m)
		}
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add("xc:0a1b2c3d:0123456789ab:ba9876543210:eth0")
	f.Fuzz(func(t *testing.T, s string) {
		if m, ok := ParseMark(s); ok && m.String() != s {
			t.Errorf("%q came back as %q", s, m)
		}
	})
}

// The numbers are those that FreeBSD's own headers give (amd64).
func TestNumbers(t *testing.T) {
	for name, tc := range map[string]struct{ got, want uint }{
		"SIOCAIFADDR": {siocAIFAddr, 0x8044692b}, "SIOCAIFADDR_IN6": {siocAIFAddr6, 0x8088691b}, "SIOCDIFADDR": {siocDIFAddr, 0x80206919},
		"SIOCDIFADDR_IN6": {siocDIFAddr6, 0x81206919}, "SIOCIFCREATE2": {siocIFCreate2, 0xc020697c}, "SIOCIFDESTROY": {siocIFDestroy, 0x80206979},
		"SIOCSIFNAME": {siocSIFName, 0x80206928}, "SIOCSIFVNET": {siocSIFVNET, 0xc020695a}, "SIOCSIFRVNET": {siocSIFRVNET, 0xc020695b}, "SIOCSDRVSPEC": {siocSDrvSpec, 0x8028697b},
		"SIOCGDRVSPEC": {siocGDrvSpec, 0xc028697b}, "SIOCAIFGROUP": {siocAIFGroup, 0x80286987}, "SIOCGIFGMEMB": {siocGIFGMemb, 0xc028698a},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is %#x, want %#x", name, tc.got, tc.want)
		}
	}
}

func TestAddition(t *testing.T) {
	b := addition("eth0", netip.MustParsePrefix("172.17.0.2/16"), false)
	want := append([]byte("eth0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 16, 2, 0, 0, 172, 17, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)
	want = append(want, 16, 2, 0, 0, 172, 17, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 16, 2, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	if diff := cmp.Diff(want, b); diff != "" {
		t.Error(diff)
	}
	b = addition("a-name-that-is-too-long", netip.MustParsePrefix("fd00::2/64"), false)
	switch {
	case len(b) != alias6Size, b[15] != 0, !bytes.Equal(b[16:32], []byte{28, 28, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0}), b[31] != 0, b[39] != 2,
		!bytes.Equal(b[72:88], []byte{28, 28, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}),
		binary.NativeEndian.Uint32(b[100:]) != flagNoDAD, binary.NativeEndian.Uint32(b[120:]) != lifetimeInfinite:
		t.Errorf("%v", b)
	}
}

func TestHardware(t *testing.T) {
	b := hardware("e", net.HardwareAddr{2, 0x42, 1, 2, 3, 4})
	if !bytes.Equal(b[16:24], []byte{6, 6, 2, 0x42, 1, 2, 3, 4}) {
		t.Errorf("%v", b)
	}
}

func TestFreeName(t *testing.T) {
	all := []seen{{Name: "lo0"}, {Name: "eth0"}, {Name: "eth1"}, {Name: "wan"}}
	for _, tc := range []struct{ wanted, present, want string }{
		{"eth0", "epair3b", "eth2"}, {"eth0", "eth0", "eth0"}, {"eth5", "epair3b", "eth5"}, {"wan", "epair3b", "wan1"}, {"", "epair3b", "eth2"},
	} {
		if got := freeName(tc.wanted, tc.present, all); got != tc.want {
			t.Errorf("%q for %q became %q, want %q", tc.wanted, tc.present, got, tc.want)
		}
	}
}

func TestCounters(t *testing.T) {
	b := make([]byte, 200)
	for i, off := range []int{24, 32, 40, 48, 64, 72, 96, 104} {
		binary.NativeEndian.PutUint64(b[56+off:], uint64(i+1))
	}
	rx, tx, ok := counters(b)
	// What came to the host's end, the jail sent.
	if !ok || rx != [4]uint64{6, 3, 4, 8} || tx != [4]uint64{5, 1, 2, 7} {
		t.Errorf("%v %v %v", rx, tx, ok)
	}
	if _, _, ok := counters(b[:100]); ok {
		t.Error("taken from too little")
	}
}
