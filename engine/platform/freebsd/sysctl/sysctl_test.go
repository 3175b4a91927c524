package sysctl

import (
	"bytes"
	"strings"
	"testing"
)

func TestEncode(t *testing.T) {
	for _, tc := range []struct {
		kind  uint32
		value string
		want  []byte // nil: refused
	}{
		{2, "-2", []byte{0xfe, 0xff, 0xff, 0xff}},
		{2, "0x10", []byte{16, 0, 0, 0}},
		{2, "2147483648", nil},
		{6, "4294967295", []byte{0xff, 0xff, 0xff, 0xff}},
		{6, "-1", nil},
		{7, "-1", bytes.Repeat([]byte{0xff}, 8)},
		{9, "18446744073709551615", bytes.Repeat([]byte{0xff}, 8)},
		{0xa, "255", []byte{255}},
		{0xa, "256", nil},
		{0xd, "-32768", []byte{0, 0x80}},
		{3, "a text", []byte("a text")},
		{2, "many", nil},
		{2, "", nil},
		{5, "1", nil},
		{1, "1", nil},
	} {
		got, err := Variable{Kind: tc.kind}.encode(Setting{"a.b", tc.value})
		if (err == nil) != (tc.want != nil) || !bytes.Equal(got, tc.want) {
			t.Errorf("%x %q: %x %v, want %x", tc.kind, tc.value, got, err, tc.want)
		}
		if err != nil && !strings.Contains(err.Error(), "a.b") {
			t.Errorf("%v does not name the variable", err)
		}
	}
}

func TestRefusal(t *testing.T) {
	const readOnly = 2
	for _, tc := range []struct {
		kind uint32
		vnet bool
		want string
	}{
		{readOnly | flagVNET, true, "cannot be set"},
		{2 | flagWrite, true, "the whole host's"},
		{2 | flagWrite | flagVNET, false, "none of its own"},
		{2 | flagWrite | flagVNET, true, ""},
		{2 | flagWrite | flagPrison, false, ""},
	} {
		err := Variable{Kind: tc.kind}.Refusal(Setting{"a.b", "1"}, tc.vnet)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%x vnet %v: %v, want %q", tc.kind, tc.vnet, err, tc.want)
		}
	}
	if err := (Variable{Kind: 2 | flagWrite | flagPrison}).Refusal(Setting{"a.b", "x"}, true); err == nil {
		t.Error("a value that is no number was taken")
	}
}
