package layerstest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
)

func testReopened(t *testing.T, b *bed) {
	top := b.apply("", base, second)
	path := b.root(id(1), top)
	b.ok(os.WriteFile(path+"/f", []byte("x"), 0o600))
	b.ok(b.roots.Create(b.ctx(), id(2), top, nil))
	held, err := os.Open(path + "/etc") // as a running container does
	b.ok(err)
	defer held.Close()
	b.open()
	again, err := b.roots.Mount(b.ctx(), id(1))
	b.ok(err)
	if again != path {
		t.Errorf("%s and %s", path, again)
	}
	if _, err := os.Lstat(again + "/f"); err != nil {
		t.Error(err)
	}
	if names, err := held.Readdirnames(-1); err != nil || len(names) == 0 {
		t.Errorf("the mount did not outlive the store: %q, %v", names, err)
	}
	list, err := b.roots.List(b.ctx())
	if err != nil || len(list) != 2 {
		t.Errorf("roots %v, %v", list, err)
	}
	if have, err := b.layers.Has(b.ctx(), top); err != nil || !have {
		t.Errorf("the chain is not there: %v", err)
	}
	b.wantKind(b.layers.Remove(b.ctx(), top), engine.Conflict)
}

// dead is a driver whose daemon is killed in one call, before or after the call did its work: nothing happens any more.
type dead struct {
	layers.Driver
	at    string
	after bool
	dead  bool
}

var errDead = errors.New("killed")

func (d *dead) step(name string, do func() error) error {
	if d.dead {
		return errDead
	}
	if name == d.at {
		if d.after {
			_ = do()
		}
		d.dead = true
		return errDead
	}
	return do()
}

// Stage may be where it dies.
func (d *dead) Stage(ctx context.Context, id, parent engine.LayerID) (s layers.Stage, err error) {
	err = d.step("stage", func() error { s, err = d.Driver.Stage(ctx, id, parent); return err })
	return s, err
}

// Commit may be where it dies.
func (d *dead) Commit(ctx context.Context, s layers.Stage) error {
	return d.step("commit", func() error { return d.Driver.Commit(ctx, s) })
}

// Abort does nothing after the end.
func (d *dead) Abort(ctx context.Context, s layers.Stage) error {
	return d.step("abort", func() error { return d.Driver.Abort(ctx, s) })
}

// RemoveLayer may be where it dies.
func (d *dead) RemoveLayer(ctx context.Context, id engine.LayerID) error {
	return d.step("remove layer", func() error { return d.Driver.RemoveLayer(ctx, id) })
}

// CreateRoot may be where it dies.
func (d *dead) CreateRoot(ctx context.Context, r layers.RootSpec) error {
	return d.step("create root", func() error { return d.Driver.CreateRoot(ctx, r) })
}

// MountRoot may be where it dies.
func (d *dead) MountRoot(ctx context.Context, r layers.RootSpec) (p string, err error) {
	err = d.step("mount root", func() error { p, err = d.Driver.MountRoot(ctx, r); return err })
	return p, err
}

// RemoveRoot may be where it dies.
func (d *dead) RemoveRoot(ctx context.Context, id engine.ContainerID) error {
	return d.step("remove root", func() error { return d.Driver.RemoveRoot(ctx, id) })
}

// testCrashed kills the daemon in every call that changes something, before and after, and expects that after a restart the
// same can be done again and that nothing is left of the first time.
func testCrashed(t *testing.T, b *bed) {
	below := b.apply("", base)
	n := 10
	for _, at := range []string{"stage", "commit", "create root", "mount root", "remove root", "remove layer"} {
		for _, after := range []bool{false, true} {
			n++
			b.openWith(&dead{Driver: b.storage.Open(t), at: at, after: after})
			if err := live(b, below, id(n)); !strings.Contains(errorText(err), errDead.Error()) {
				t.Fatalf("%s: it did not die: %v", at, err)
			}
			b.open()
			b.ok(live(b, below, id(n)))
			if all, _ := b.layers.List(b.ctx()); len(all) != 1 {
				t.Errorf("%s: layers %v", at, all)
			}
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// live is one container's life upon one layer.
func live(b *bed, below engine.LayerID, id engine.ContainerID) error {
	ctx := b.ctx()
	top, _, err := b.layers.Apply(ctx, below, digest.FromBytes(second), bytes.NewReader(second))
	if err != nil {
		return err
	}
	if err := b.roots.Create(ctx, id, top, nil); err != nil {
		return err
	}
	path, err := b.roots.Mount(ctx, id)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+"/f", nil, 0o600); err != nil {
		return err
	}
	if err := b.roots.Unmount(ctx, id); err != nil {
		return err
	}
	if err := b.roots.Remove(ctx, id); err != nil {
		return err
	}
	return b.layers.Remove(ctx, top)
}

// testLost: what somebody took away behind the store's back is not there, and can be made again.
func testLost(t *testing.T, b *bed) {
	one := b.apply("", base)
	two := b.apply(one, second)
	b.ok(b.roots.Create(b.ctx(), id(1), two, nil))
	b.ok(b.driver.RemoveRoot(b.ctx(), id(1)))
	b.ok(b.driver.RemoveLayer(b.ctx(), two))
	b.open()
	if have, err := b.layers.Has(b.ctx(), two); err != nil || have {
		t.Errorf("a lost layer is there: %v %v", have, err)
	}
	if have, err := b.layers.Has(b.ctx(), one); err != nil || !have {
		t.Errorf("its parent is not: %v %v", have, err)
	}
	if list, err := b.roots.List(b.ctx()); err != nil || len(list) != 0 {
		t.Errorf("roots %v, %v", list, err)
	}
	b.root(id(1), b.apply(one, second))
}
