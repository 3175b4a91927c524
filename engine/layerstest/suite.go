package layerstest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// Storage is one place where a driver keeps what it has. Open may be called again after the driver of before was left, as
// after a crash or restart of the daemon.
type Storage interface {
	Open(t *testing.T) layers.Driver
	// Left names everything that exists in the storage: directories, mounts, datasets.
	Left(t *testing.T) []string
}

// Run runs the suite. fresh makes empty storage that the test removes at its end.
func Run(t *testing.T, fresh func(t *testing.T) Storage) {
	if os.Geteuid() != 0 {
		t.Skip("storage drivers make files of other owners, devices and mounts: that takes root")
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T, *bed)
	}{
		{"layers", testLayers},
		{"attributes", testAttributes},
		{"joined with what is below", testImplied},
		{"order", testOrder},
		{"a wrong layer leaves nothing", testWrong},
		{"one extraction", testShared},
		{"canceled", testCanceled},
		{"diff", testDiff},
		{"many layers", testMany},
		{"in use", testInUse},
		{"roots", testRoots},
		{"roots upon nothing", testEmptyRoot},
		{"changes", testChanges},
		{"commit", testCommit},
		{"repeated", testRepeated},
		{"busy", testBusy},
		{"at once", testConcurrent},
		{"size", testQuota},
		{"reopened", testReopened},
		{"crashed", testCrashed},
		{"lost", testLost},
		{"described", testDescribed},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bed{t: t, storage: fresh(t)}
			b.before = b.storage.Left(t)
			b.open()
			c.run(t, b)
			b.cleanUp()
		})
	}
}

// bed is a store upon a driver under test.
type bed struct {
	t       *testing.T
	storage Storage
	before  []string
	dir     string
	driver  layers.Driver
	store   *layers.Store
	layers  layers.Layers
	roots   layers.Roots
}

// open opens the store, again after a first time: the one of before is left as a crash leaves it.
func (b *bed) open() {
	b.t.Helper()
	b.openWith(b.storage.Open(b.t))
}

func (b *bed) openWith(d layers.Driver) {
	b.t.Helper()
	if b.dir == "" {
		b.dir = b.t.TempDir()
	}
	b.close()
	s, err := layers.New(b.ctx(), layers.Config{Driver: d, Dir: b.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Fatal(err)
	}
	b.driver, b.store, b.layers, b.roots = d, s, s.Layers(), s.Roots()
}

func (b *bed) close() {
	if b.store != nil {
		if err := b.store.Close(); err != nil {
			b.t.Error(err)
		}
		b.store = nil
	}
}

func (b *bed) ctx() context.Context { return b.t.Context() }

// cleanUp removes everything through the store, and looks whether the storage is as it was.
func (b *bed) cleanUp() {
	b.t.Helper()
	if b.t.Failed() {
		b.close()
		return
	}
	ids, err := b.roots.List(b.ctx())
	b.ok(err)
	for _, id := range ids {
		b.ok(b.roots.Remove(b.ctx(), id))
	}
	for {
		all, err := b.layers.List(b.ctx())
		b.ok(err)
		if len(all) == 0 {
			break
		}
		removed := false
		for _, id := range all {
			if b.layers.Remove(b.ctx(), id) == nil {
				removed = true
			}
		}
		if !removed {
			b.t.Fatalf("cannot remove %v", all)
		}
	}
	b.close()
	if diff := cmp.Diff(b.before, b.storage.Left(b.t)); diff != "" {
		b.t.Errorf("left in the storage:\n%s", diff)
	}
}

func (b *bed) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// apply extracts layers upon a parent and returns the top.
func (b *bed) apply(parent engine.LayerID, tars ...[]byte) engine.LayerID {
	b.t.Helper()
	for _, tar := range tars {
		id, _, err := b.layers.Apply(b.ctx(), parent, digest.FromBytes(tar), bytes.NewReader(tar))
		b.ok(err)
		parent = id
	}
	return parent
}

// root makes a root upon a chain, and mounts it.
func (b *bed) root(id engine.ContainerID, top engine.LayerID) string {
	b.t.Helper()
	b.ok(b.roots.Create(b.ctx(), id, top, nil))
	path, err := b.roots.Mount(b.ctx(), id)
	b.ok(err)
	return path
}

// tree describes a root's files.
func (b *bed) tree(path string, want imagetest.Want) map[string]string {
	b.t.Helper()
	tree, err := imagetest.Tree(path, want)
	b.ok(err)
	return tree
}

// wantTree compares a root's files with those expected, the root itself aside.
func (b *bed) wantTree(path string, want map[string]string) {
	b.t.Helper()
	got := b.tree(path, 0)
	delete(got, ".")
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Error(diff)
	}
}

func (b *bed) wantKind(err error, want engine.Kind) {
	b.t.Helper()
	if err == nil || engine.KindOf(err) != want {
		b.t.Errorf("got %v, want %v", err, want)
	}
}

func (b *bed) changes(id engine.ContainerID) []string {
	b.t.Helper()
	list, err := b.roots.Changes(b.ctx(), id)
	b.ok(err)
	out := []string{}
	for _, c := range list {
		out = append(out, string("CAD"[c.Kind])+" "+c.Path)
	}
	return out
}

func (b *bed) read(r io.ReadCloser, err error) []byte {
	b.t.Helper()
	b.ok(err)
	raw, err := io.ReadAll(r)
	b.ok(err)
	b.ok(r.Close())
	return raw
}

// id makes a container's id.
func id(n int) engine.ContainerID {
	const digits = "0123456789abcdef"
	raw := []byte("c0ffee0000000000000000000000000000000000000000000000000000000000")
	for i := len(raw) - 1; n > 0; i-- {
		raw[i] = digits[n%16]
		n /= 16
	}
	return engine.ContainerID(raw)
}
