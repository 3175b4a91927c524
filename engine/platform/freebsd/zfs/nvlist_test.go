package zfs

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What fnvlist_pack() of OpenZFS 2.1 makes of the same list, on amd64.
func TestPack(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the bytes are of a little-endian machine")
	}
	want := bytes.Join([][]byte{
		{0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0},
		{32, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0},
		[]byte("origin\x00\x00"), []byte("p/a@0\x00\x00\x00"),
		{48, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 19, 0, 0, 0},
		[]byte("props\x00\x00\x00"),
		{0, 0, 0, 0, 1, 0, 0, 0},
		make([]byte, 16),
		{40, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0},
		[]byte("canmount\x00\x00\x00\x00\x00\x00\x00\x00"),
		{2, 0, 0, 0, 0, 0, 0, 0},
		{0, 0, 0, 0},
		{0, 0, 0, 0},
	}, nil)
	got := list{{"origin", "p/a@0"}, {"props", list{{"canmount", uint64(2)}}}}.pack()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		props []string
		want  list
		ok    bool
	}{
		{nil, list{}, true},
		{[]string{"refquota=1048576", "canmount=noauto"}, list{{"refquota", uint64(1 << 20)}, {"canmount", uint64(2)}}, true},
		{[]string{"refquota=1G"}, nil, false},
		{[]string{"canmount=on"}, nil, false},
		{[]string{"mountpoint=legacy"}, nil, false},
	} {
		got, ok := numbers(tc.props)
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(pair{})); ok != tc.ok || diff != "" {
			t.Errorf("%q: %v\n%s", tc.props, ok, diff)
		}
	}
}
