package layerstest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	. "github.com/xcengine/xc/imageformat/imagetest"
)

func testRoots(t *testing.T, b *bed) {
	top := b.apply("", base, second)
	one := b.root(id(1), top)
	two := b.root(id(2), top)
	b.ok(os.WriteFile(one+"/bin/sh", []byte("mine"), 0o755))
	b.ok(os.RemoveAll(one + "/etc"))
	b.ok(os.WriteFile(one+"/own", []byte("12345"), 0o600))
	if got := b.tree(two, 0); got["bin/sh"] != `file "shell" 0755` || got["etc/a"] == "" || got["own"] != "" {
		t.Error("one root's changes show in another")
	}
	b.ok(b.roots.Unmount(b.ctx(), id(1)))
	again, err := b.roots.Mount(b.ctx(), id(1))
	b.ok(err)
	if got := b.tree(again, 0); got["bin/sh"] != `file "mine" 0755` || got["etc"] != "" || got["own"] != `file "12345" 0600` {
		t.Errorf("changes do not outlive the mount: %v", got)
	}
	b.wantSize(id(1), 9)
	list, err := b.roots.List(b.ctx())
	b.ok(err)
	if diff := cmp.Diff([]engine.ContainerID{id(1), id(2)}, list); diff != "" {
		t.Error(diff)
	}
	_, err = b.roots.Mount(b.ctx(), id(3))
	b.wantKind(err, engine.NotFound)
	b.wantKind(b.roots.Create(b.ctx(), id(3), engine.LayerID(digest.FromString("x")), nil), engine.NotFound)
	b.wantKind(b.roots.Create(b.ctx(), "../../etc", top, nil), engine.Invalid)
	b.wantKind(b.roots.Create(b.ctx(), id(1), "", nil), engine.Conflict)
}

// wantSize waits until a root is said to have at least so many bytes of its own: ZFS knows only some seconds later.
func (b *bed) wantSize(id engine.ContainerID, least int64) {
	b.t.Helper()
	var size engine.RootSize
	for range 150 {
		var err error
		size, err = b.roots.Size(b.ctx(), id)
		b.ok(err)
		if size.Writable >= least && size.Total > size.Writable {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.t.Errorf("size %+v", size)
}

func testEmptyRoot(t *testing.T, b *bed) {
	path := b.root(id(1), "")
	b.ok(os.WriteFile(path+"/f", []byte("x"), 0o644))
	if diff := cmp.Diff([]string{"A /f"}, b.changes(id(1))); diff != "" {
		t.Error(diff)
	}
	if raw := b.read(b.layers.RootDiff(b.ctx(), id(1))); !bytes.Contains(raw, []byte("f\x00")) {
		t.Error("the file is not in the tar")
	}
}

// disturb changes a root in all ways that docker diff tells apart.
func disturb(b *bed, root string) {
	p := func(name string) string { return filepath.Join(root, name) }
	for _, err := range []error{
		os.WriteFile(p("etc/a"), []byte("changed"), 0o644), os.Remove(p("bin/sh")), os.RemoveAll(p("etc/d")), os.Mkdir(p("etc/d"), 0o755),
		os.WriteFile(p("etc/d/n"), nil, 0o644), os.Chmod(p("usr"), 0o700), os.Mkdir(p("made"), 0o755), os.WriteFile(p("made/f"), []byte("1"), 0o644),
		os.Link(p("made/f"), p("made/g")), os.Remove(p("lib")), os.Mkdir(p("lib"), 0o755), os.RemoveAll(p("kind")), os.Symlink("x", p("kind")),
		os.WriteFile(p("etc/hosts"), []byte("127.0.0.1 localhost"), 0o644), os.WriteFile(p("etc/resolv.conf"), nil, 0o644),
		os.MkdirAll(p("dev/pts"), 0o755), os.Mkdir(p("proc"), 0o755), os.WriteFile(p(".dockerenv"), nil, 0o644),
	} {
		b.ok(err)
	}
}

var disturbed = []string{
	"C /bin", "D /bin/sh", "C /etc", "C /etc/a", "C /etc/d", "A /etc/d/n", "D /etc/d/z", "C /kind", "C /lib",
	"A /made", "A /made/f", "A /made/g", "C /usr",
}

func testChanges(t *testing.T, b *bed) {
	top := b.apply("", base, second)
	path := b.root(id(1), top)
	if got := b.changes(id(1)); len(got) != 0 {
		t.Errorf("a new root has changes: %q", got)
	}
	disturb(b, path)
	if diff := cmp.Diff(disturbed, b.changes(id(1))); diff != "" {
		t.Error(diff)
	}
	b.ok(b.roots.Unmount(b.ctx(), id(1)))
	if diff := cmp.Diff(disturbed, b.changes(id(1))); diff != "" {
		t.Errorf("unmounted:\n%s", diff)
	}
	if _, err := b.roots.Changes(b.ctx(), id(2)); engine.KindOf(err) != engine.NotFound {
		t.Errorf("got %v", err)
	}
}

// testCommit: the changes of a root, applied upon its chain, make the root again.
func testCommit(t *testing.T, b *bed) {
	top := b.apply("", base, second)
	path := b.root(id(1), top)
	disturb(b, path)
	want := b.tree(path, Owners|Xattrs)
	// What the engine keeps in the root is not committed.
	for _, name := range []string{"etc/hosts", "etc/resolv.conf", "dev/pts", "dev", "proc", ".dockerenv"} {
		delete(want, name)
	}
	diff := b.read(b.layers.RootDiff(b.ctx(), id(1)))
	b.ok(b.roots.Unmount(b.ctx(), id(1)))
	if again := b.read(b.layers.RootDiff(b.ctx(), id(1))); !bytes.Equal(diff, again) {
		t.Error("the tar of an unmounted root differs")
	}
	committed := b.apply(top, diff)
	if d := cmp.Diff(want, b.tree(b.root(id(2), committed), Owners|Xattrs)); d != "" {
		t.Error(d)
	}
	// And the same once more upon what was committed.
	second := b.root(id(3), committed)
	b.ok(os.WriteFile(second+"/more", nil, 0o644))
	if d := cmp.Diff([]string{"A /more"}, b.changes(id(3))); d != "" {
		t.Error(d)
	}
	b.apply(committed, b.read(b.layers.RootDiff(b.ctx(), id(3))))
}

func testRepeated(t *testing.T, b *bed) {
	top := b.apply("", base)
	if again := b.apply("", base); again != top {
		t.Errorf("%s and %s", top, again)
	}
	for range 2 {
		b.ok(b.roots.Create(b.ctx(), id(1), top, nil))
	}
	var paths []string
	for range 3 {
		path, err := b.roots.Mount(b.ctx(), id(1))
		b.ok(err)
		paths = append(paths, path)
	}
	if len(slices.Compact(paths)) != 1 {
		t.Errorf("paths %q", paths)
	}
	b.ok(os.WriteFile(paths[0]+"/f", nil, 0o600))
	b.ok(b.roots.Create(b.ctx(), id(1), top, nil))
	for range 3 {
		b.ok(b.roots.Unmount(b.ctx(), id(1)))
	}
	path, err := b.roots.Mount(b.ctx(), id(1))
	b.ok(err)
	if _, err := os.Lstat(path + "/f"); err != nil {
		t.Error(err)
	}
	for range 3 {
		b.ok(b.roots.Remove(b.ctx(), id(1)))
	}
	b.ok(b.roots.Remove(b.ctx(), id(9)))
	b.ok(b.roots.Unmount(b.ctx(), id(9)))
}

// testBusy: a root that somebody still holds open is removed all the same.
func testBusy(t *testing.T, b *bed) {
	path := b.root(id(1), b.apply("", base))
	held, err := os.Open(path + "/etc")
	b.ok(err)
	if err := b.roots.Remove(b.ctx(), id(1)); err != nil {
		// Where a file system does not let go of what is in use, that is said after a while, and nothing is lost.
		b.wantKind(err, engine.Unavailable)
	}
	b.ok(held.Close())
	b.ok(b.roots.Remove(b.ctx(), id(1)))
	if list, _ := b.roots.List(b.ctx()); len(list) != 0 {
		t.Errorf("roots %v", list)
	}
}

func testConcurrent(t *testing.T, b *bed) {
	top := b.apply("", base, second)
	var all sync.WaitGroup
	for n := range 12 {
		all.Go(func() {
			ctx := b.ctx()
			for range 2 {
				if err := b.roots.Create(ctx, id(n), top, nil); err != nil {
					t.Error(err)
				}
				path, err := b.roots.Mount(ctx, id(n))
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(path+"/f", []byte(fmt.Sprint(n)), 0o600); err != nil {
					t.Error(err)
				}
				if _, err := b.roots.Changes(ctx, id(n)); err != nil {
					t.Error(err)
				}
				if err := b.roots.Unmount(ctx, id(n)); err != nil {
					t.Error(err)
				}
				if err := b.roots.Remove(ctx, id(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func testQuota(t *testing.T, b *bed) {
	top := b.apply("", base)
	b.wantKind(b.roots.Create(b.ctx(), id(1), top, map[string]string{"colour": "red"}), engine.Invalid)
	err := b.roots.Create(b.ctx(), id(1), top, map[string]string{"size": "16M"})
	if !b.driver.Traits().Quota {
		b.wantKind(err, engine.Invalid)
		return
	}
	b.ok(err)
	b.wantKind(b.roots.Create(b.ctx(), id(2), top, map[string]string{"size": "much"}), engine.Invalid)
	path, err := b.roots.Mount(b.ctx(), id(1))
	b.ok(err)
	f, err := os.Create(path + "/big")
	b.ok(err)
	defer f.Close()
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i*7 + i>>8)
	}
	for range 64 {
		if _, err = f.Write(block); err != nil {
			break
		}
		if err = f.Sync(); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("64 MiB fit into 16")
	}
}

func testDescribed(t *testing.T, b *bed) {
	one := b.apply("", base)
	two := b.apply(one, second)
	b.ok(b.roots.Create(b.ctx(), id(1), two, nil))
	for _, lookup := range []func() (map[string]string, error){
		func() (map[string]string, error) { return b.layers.Describe(b.ctx(), two) },
		func() (map[string]string, error) { return b.roots.Describe(b.ctx(), id(1)) },
	} {
		data, err := lookup()
		b.ok(err)
		if len(data) == 0 {
			t.Error("nothing is said")
		}
		for key, v := range data {
			if key == "" || v == "" || strings.Contains(v, "\n") {
				t.Errorf("%q: %q", key, v)
			}
		}
	}
	if data, err := b.layers.Describe(b.ctx(), ""); err != nil || data == nil {
		t.Errorf("the empty layer: %v, %v", data, err)
	}
}
