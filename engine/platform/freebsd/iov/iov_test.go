package iov

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

func TestFlatten(t *testing.T) {
	l := List{}.Flag("persist").String("name", "xc-0a1b").Int("children.max", 3).
		Addrs("ip4.addr", []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")})
	l, answer := l.Buffer("errmsg", 8)
	three := binary.NativeEndian.AppendUint32(nil, 3)
	want := [][]byte{
		[]byte("persist\x00"), nil,
		[]byte("name\x00"), []byte("xc-0a1b\x00"),
		[]byte("children.max\x00"), three,
		[]byte("ip4.addr\x00"),
		{10, 0, 0, 1, 10, 0, 0, 2},
		[]byte("errmsg\x00"), make([]byte, 8),
	}
	got := l.Flatten()
	if len(got) != len(want) {
		t.Fatalf("%d buffers, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) || (got[i] == nil) != (want[i] == nil) {
			t.Errorf("buffer %d is %q, want %q", i, got[i], want[i])
		}
	}
	copy(answer, "why\x00old")
	if got := Text(l[len(l)-1].Value); got != "why" {
		t.Errorf("the answer reads %q", got)
	}
}
