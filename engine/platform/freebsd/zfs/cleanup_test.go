package zfs

import (
	"slices"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/layerstest"
)

// testCleanup makes a root and has everything of the daemon's go, but not what the administrator made.
func testCleanup(t *testing.T, s layerstest.Storage, base string) {
	d := s.Open(t).(*Driver)
	root := layers.RootSpec{ID: engine.ContainerID(engine.NewID())}
	if err := d.CreateRoot(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if _, err := d.MountRoot(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Recover(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it may be repeated
		if err := d.Cleanup(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := s.Left(t); !slices.Equal(left, []string{base}) {
			t.Errorf("left: %v", left)
		}
	}
}
