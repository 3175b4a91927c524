package db

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

var netipEqual = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func TestNetworksSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "xc.db")
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	n := engine.Network{
		ID: "n1", Name: "front", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Driver: "bridge", Scope: "local", IPAMDriver: "default",
		Pools4: []engine.Pool{{
			Subnet: netip.MustParsePrefix("10.0.0.0/24"), Gateway: netip.MustParseAddr("10.0.0.1"), GatewayAuto: true,
			Aux: map[string]netip.Addr{"printer": netip.MustParseAddr("10.0.0.9")},
		}},
		EnableIPv4: true, Options: map[string]string{"a": "b"}, Labels: map[string]string{"l": ""}, Bridge: "xc0a1b-n1",
	}
	cursor := engine.PoolCursor{Network: "n1", Pool: n.Pools4[0].Subnet, Last: netip.MustParseAddr("10.0.0.7")}
	if err := d.PutNetwork(t.Context(), engine.Network{ID: "n1", Name: "old"}); err != nil {
		t.Fatal(err)
	}
	if err := d.PutNetwork(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if err := d.PutNetwork(t.Context(), engine.Network{ID: "n2", Name: "front"}); err == nil {
		t.Error("two networks have one name")
	}
	gone := engine.PoolCursor{Network: "n9", Pool: cursor.Pool, Last: cursor.Last}
	for _, last := range []string{"10.0.0.3", "10.0.0.7"} {
		cursor.Last = netip.MustParseAddr(last)
		if err := d.PutCursors(t.Context(), []engine.PoolCursor{cursor, gone}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	all, err := d.Networks(t.Context())
	if diff := cmp.Diff([]engine.Network{n}, all, netipEqual); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	cursors, err := d.Cursors(t.Context())
	if diff := cmp.Diff([]engine.PoolCursor{cursor}, cursors, netipEqual); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for range 2 {
		if err := d.DeleteNetwork(t.Context(), "n1"); err != nil {
			t.Error(err)
		}
	}
	if cursors, err := d.Cursors(t.Context()); err != nil || len(cursors) != 0 {
		t.Errorf("cursors of a network that is gone: %v, %v", cursors, err)
	}
}
