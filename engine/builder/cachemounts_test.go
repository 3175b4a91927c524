package builder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/xcengine/xc/engine"
)

func TestCacheDirectoriesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCacheMounts(t.TempDir())
		took := make(chan func())
		take := func(name string, alone bool) {
			go func() {
				release, err := c.take(t.Context(), name, alone)
				if err != nil {
					t.Error(err)
				}
				took <- release
			}()
		}
		waits := func(what string) {
			t.Helper()
			synctest.Wait()
			select {
			case <-took:
				t.Errorf("%s does not wait", what)
			default:
			}
		}
		take("x", false)
		one := <-took
		take("x", false)
		two := <-took
		take("x", true)
		waits("who wants it alone")
		free, leave := c.takeFree("x")
		if free == "x" {
			t.Error("a private directory is one in use")
		}
		leave()
		one()
		waits("who wants it alone, while one is left")
		two()
		alone := <-took
		take("y", true)
		(<-took)()
		take("x", false)
		waits("who comes to one that is alone")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.take(ctx, "x", true); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up waiting: %v", err)
		}
		alone()
		(<-took)()
		if len(c.busy) != 0 {
			t.Errorf("still in use: %v", c.busy)
		}
	})
}

// A directory that could not be filled is made again.
func TestCacheDirectoriesAreMadeWhole(t *testing.T) {
	top := t.TempDir()
	c := newCacheMounts(filepath.Join(top, "mounts"))
	for _, dir := range []string{"mounts", "running"} {
		if err := os.Mkdir(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	name, leave := c.takeFree("x")
	defer leave()
	fill := func(fails bool) func(string) error {
		return func(dir string) error {
			if _, err := os.Lstat(filepath.Join(c.dir, name)); err == nil {
				t.Error("it is there before it is full")
			}
			err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)
			if fails {
				err = errors.Join(err, context.Canceled)
			}
			return err
		}
	}
	if _, err := c.make(name, fill(true)); !errors.Is(err, context.Canceled) {
		t.Errorf("not filled: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(top, "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	for range 2 {
		dir, err := c.make(name, fill(false))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "f")); err != nil {
			t.Error(err)
		}
		fill = func(bool) func(string) error { return func(string) error { t.Error("filled again"); return nil } }
	}
	var r engine.PruneResult
	if err := c.prune(engine.PruneQuery{All: true}, &r); err != nil || len(r.Deleted) != 0 {
		t.Errorf("one in use is pruned: %v, %v", r.Deleted, err)
	}
}
