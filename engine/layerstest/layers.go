package layerstest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	. "github.com/xcengine/xc/imageformat/imagetest"
)

var base = Tar(
	Dir("bin"), File("bin/sh", "shell", 0o755), Dir("etc"), File("etc/a", "1"), File("etc/b", "2"), Dir("etc/d"), File("etc/d/x", "1"),
	File("etc/d/y", "2"), Dir("tmp", 0o1777), Symlink("lib", "usr/lib"), Dir("usr"), Dir("usr/lib"), File("usr/lib/l", "lib"),
	Dir("gone"), File("gone/f", ""), File("kind", "file"), Dir("kind.d"), File("kind.d/f", ""), File("h1", "linked"), Link("h2", "h1"),
)

var second = Tar(
	Dir("etc"), File("etc/a", "one"), File("etc/.wh.b", ""), Dir("etc/d"), File("etc/d/.wh..wh..opq", ""), File("etc/d/z", "3"),
	File(".wh.gone", ""), Dir("kind"), File("kind/f", "in"), File("kind.d", "now a file"), Dir("new"), File("new/f", "n"),
)

var third = Tar(Dir("gone"), File("gone/again", "g"), Dir("etc"), File("etc/b", "back"), File(".wh.new", ""), Dir("new"), File("new/g", "2"))

func testLayers(t *testing.T, b *bed) {
	one := b.apply("", base)
	two := b.apply(one, second)
	three := b.apply(two, third)
	b.wantTree(b.root(id(1), one), map[string]string{
		"bin": "dir 0755", "bin/sh": `file "shell" 0755`, "etc": "dir 0755", "etc/a": `file "1" 0644`, "etc/b": `file "2" 0644`,
		"etc/d": "dir 0755", "etc/d/x": `file "1" 0644`, "etc/d/y": `file "2" 0644`, "tmp": "dir 1777", "lib": "link -> usr/lib 0777",
		"usr": "dir 0755", "usr/lib": "dir 0755", "usr/lib/l": `file "lib" 0644`, "gone": "dir 0755", "gone/f": `file "" 0644`,
		"kind": `file "file" 0644`, "kind.d": "dir 0755", "kind.d/f": `file "" 0644`, "h1": `file "linked" 0644`, "h2": `file "linked" 0644 = h1`,
	})
	want := map[string]string{
		"bin": "dir 0755", "bin/sh": `file "shell" 0755`, "etc": "dir 0755", "etc/a": `file "one" 0644`,
		"etc/d": "dir 0755", "etc/d/z": `file "3" 0644`, "tmp": "dir 1777", "lib": "link -> usr/lib 0777",
		"usr": "dir 0755", "usr/lib": "dir 0755", "usr/lib/l": `file "lib" 0644`,
		"kind": "dir 0755", "kind/f": `file "in" 0644`, "kind.d": `file "now a file" 0644`, "h1": `file "linked" 0644`,
		"h2": `file "linked" 0644 = h1`, "new": "dir 0755", "new/f": `file "n" 0644`,
	}
	b.wantTree(b.root(id(2), two), want)
	delete(want, "new/f")
	want["new/g"], want["gone"], want["gone/again"], want["etc/b"] = `file "2" 0644`, "dir 0755", `file "g" 0644`, `file "back" 0644`
	b.wantTree(b.root(id(3), three), want)
	for _, id := range []engine.LayerID{one, two, three, ""} {
		if have, err := b.layers.Has(b.ctx(), id); err != nil || !have {
			t.Errorf("%s: %v %v", id, have, err)
		}
	}
	if size, err := b.layers.Size(b.ctx(), three); err != nil || size != int64(len("g")+len("back")+len("2")) {
		t.Errorf("size %d, %v", size, err)
	}
	if have, err := b.layers.Has(b.ctx(), engine.LayerID(digest.FromString("x"))); err != nil || have {
		t.Errorf("a layer that is not there: %v %v", have, err)
	}
}

func testAttributes(t *testing.T, b *bed) {
	when := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
	probe := b.root(id(9), "") + "/probe"
	b.ok(os.WriteFile(probe, nil, 0o600))
	b.ok(os.Chtimes(probe, when, when))
	if st, err := os.Stat(probe); err == nil && st.ModTime().Nanosecond() == 0 {
		t.Log("times are whole seconds on this file system")
		when = when.Truncate(time.Second)
	}
	set := func(e Entry) Entry {
		e.Uid, e.Gid, e.ModTime, e.Format = 1234, 70000, when, tar.FormatPAX
		return e
	}
	path := b.root(id(1), b.apply("", Tar(
		set(Dir("./", 0o751)), set(File("f", "x", 0o4711)), set(Dir("d", 0o2755)), set(Symlink("l", "f")),
		set(Entry{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "p", Mode: 0o620}}),
	), Tar(set(File("upper", "y", 0o600)))))
	at := fmt.Sprintf("1234:70000 %d.%09d", when.Unix(), when.Nanosecond())
	want := map[string]string{
		"f": `file "x" 4711 ` + at, "d": "dir 2755 " + at, "l": "link -> f 0777 " + at, "p": "fifo 0620 " + at, "upper": `file "y" 0600 ` + at,
	}
	got := b.tree(path, Owners|Times)
	if !strings.HasPrefix(got["."], "dir 0751 1234:70000") {
		t.Errorf("the root itself is %s", got["."])
	}
	delete(got, ".")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// testImplied: a layer that only reaches into directories leaves them as they are below; a hard link may lead below.
func testImplied(t *testing.T, b *bed) {
	dir := Dir("a", 0o1777)
	dir.Uid, dir.Gid = 5, 6
	sub := Dir("a/b", 0o700)
	sub.Uid = 7
	below := Tar(Dir("./", 0o711), dir, sub, File("a/b/f", "f", 0o750), File("top", "t"))
	top := b.apply("", below, Tar(File("a/b/new", ""), Link("linked", "a/b/f"), Link("a/again", "a/b/f"), Link("t2", "top")), Tar(File("a/b/c/d", "")))
	got := b.tree(b.root(id(1), top), Owners)
	for name, want := range map[string]string{
		".": "dir 0711 0:0", "a": "dir 1777 5:6", "a/b": "dir 0700 7:0", "a/b/c": "dir 0755 0:0",
	} {
		if got[name] != want {
			t.Errorf("%s: got %s, want %s", name, got[name], want)
		}
	}
	for _, name := range []string{"linked", "a/again", "a/b/f", "t2"} {
		if !strings.HasPrefix(got[name], `file "`) {
			t.Errorf("%s: got %q", name, got[name])
		}
	}
}

func testOrder(t *testing.T, b *bed) {
	chain := engine.LayerID(digest.FromBytes(base))
	top, _, err := b.layers.Apply(b.ctx(), chain, digest.FromBytes(second), bytes.NewReader(second))
	if !b.layers.Independent() {
		b.wantKind(err, engine.Conflict)
		return
	}
	b.ok(err)
	if have, err := b.layers.Has(b.ctx(), top); err != nil || have {
		t.Errorf("a layer without its parent is there: %v %v", have, err)
	}
	b.wantKind(b.roots.Create(b.ctx(), id(1), top, nil), engine.NotFound)
	b.open()
	b.apply("", base)
	if have, err := b.layers.Has(b.ctx(), top); err != nil || !have {
		t.Errorf("the chain is not there: %v %v", have, err)
	}
	got := b.tree(b.root(id(1), top), 0)
	if got["etc/d/z"] == "" || got["etc/b"] != "" {
		t.Errorf("got %v", got)
	}
}

func testWrong(t *testing.T, b *bed) {
	_, _, err := b.layers.Apply(b.ctx(), "", digest.FromString("other"), bytes.NewReader(base))
	b.wantKind(err, engine.Invalid)
	_, _, err = b.layers.Apply(b.ctx(), "", "sha256:../../etc", bytes.NewReader(base))
	b.wantKind(err, engine.Invalid)
	_, _, err = b.layers.Apply(b.ctx(), "../x", digest.FromBytes(base), bytes.NewReader(base))
	b.wantKind(err, engine.Invalid)
	cut := base[:len(base)/2-100]
	_, _, err = b.layers.Apply(b.ctx(), "", digest.FromBytes(cut), bytes.NewReader(cut))
	b.wantKind(err, engine.Invalid)
	broken := errors.New("the line is dead")
	_, _, err = b.layers.Apply(b.ctx(), "", digest.FromBytes(base), io.MultiReader(bytes.NewReader(cut), failing{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if all, err := b.layers.List(b.ctx()); err != nil || len(all) != 0 {
		t.Errorf("layers %v, %v", all, err)
	}
	if diff := cmp.Diff(b.before, b.storage.Left(t)); diff != "" {
		t.Errorf("left in the storage:\n%s", diff)
	}
	b.apply("", base)
}

type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// gated is a stream that waits before its end.
type gated struct {
	io.Reader
	reached chan struct{}
	gate    chan struct{}
	once    sync.Once
}

// Read waits at the end.
func (g *gated) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if err == io.EOF {
		g.once.Do(func() { close(g.reached) })
		<-g.gate
	}
	return n, err
}

func testShared(t *testing.T, b *bed) {
	diffID := digest.FromBytes(base)
	first := &gated{Reader: bytes.NewReader(base), reached: make(chan struct{}), gate: make(chan struct{})}
	results := make(chan error, 9)
	go func() {
		_, _, err := b.layers.Apply(b.ctx(), "", diffID, first)
		results <- err
	}()
	<-first.reached
	for range 8 {
		go func() {
			_, _, err := b.layers.Apply(b.ctx(), "", diffID, failing{errors.New("read although another does the work")})
			results <- err
		}()
	}
	b.wantKind(b.layers.Remove(b.ctx(), engine.LayerID(diffID)), engine.Conflict)
	time.Sleep(20 * time.Millisecond) // so that most of them wait
	close(first.gate)
	for range 9 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	// Whoever waits takes over when the one that works fails.
	bad := &gated{Reader: bytes.NewReader(second[:700]), reached: make(chan struct{}), gate: make(chan struct{})}
	go func() {
		_, _, err := b.layers.Apply(b.ctx(), engine.LayerID(diffID), digest.FromBytes(second), bad)
		results <- err
	}()
	<-bad.reached
	go func() {
		_, _, err := b.layers.Apply(b.ctx(), engine.LayerID(diffID), digest.FromBytes(second), bytes.NewReader(second))
		results <- err
	}()
	close(bad.gate)
	if a, c := <-results, <-results; (a == nil) == (c == nil) {
		t.Errorf("want one failure and one success, got %v and %v", a, c)
	}
}

func testCanceled(t *testing.T, b *bed) {
	ctx, cancel := context.WithCancel(b.ctx())
	slow := &gated{Reader: bytes.NewReader(base), reached: make(chan struct{}), gate: make(chan struct{})}
	result := make(chan error)
	go func() {
		_, _, err := b.layers.Apply(ctx, "", digest.FromBytes(base), slow)
		result <- err
	}()
	<-slow.reached
	cancel()
	close(slow.gate)
	if err := <-result; err != nil {
		b.wantKind(err, engine.Canceled)
		if diff := cmp.Diff(b.before, b.storage.Left(t)); diff != "" {
			t.Errorf("left in the storage:\n%s", diff)
		}
	}
}

// testDiff: the tar made of a layer's files makes the same files again.
func testDiff(t *testing.T, b *bed) {
	one := b.apply("", base)
	two := b.apply(one, second)
	want := b.tree(b.root(id(1), two), Owners|Xattrs)
	diff1 := b.read(b.layers.Diff(b.ctx(), one))
	diff2 := b.read(b.layers.Diff(b.ctx(), two))
	if again := b.read(b.layers.Diff(b.ctx(), two)); !bytes.Equal(diff2, again) {
		t.Error("two diffs of one layer differ")
	}
	// Another root and an unlike parent, so that these are other chains.
	top := b.apply("", Tar(File("other", "x")), diff1, diff2)
	got := b.tree(b.root(id(2), top), Owners|Xattrs)
	delete(got, "other")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err := b.layers.Diff(b.ctx(), engine.LayerID(digest.FromString("x")))
	b.wantKind(err, engine.NotFound)
	r, err := b.layers.Diff(b.ctx(), two)
	b.ok(err)
	b.ok(r.Close()) // unread
}

func testMany(t *testing.T, b *bed) {
	n := 40
	if b.layers.Independent() {
		n = 200 // more than one page of mount options names
	}
	var top engine.LayerID
	for i := range n {
		top = b.apply(top, Tar(Dir("d"), File(fmt.Sprintf("d/%d", i), fmt.Sprint(i)), File("same", fmt.Sprint(i))))
	}
	path := b.root(id(1), top)
	tree := b.tree(path, 0)
	if len(tree) != n+3 || tree["same"] != fmt.Sprintf("file %q 0644", fmt.Sprint(n-1)) {
		t.Errorf("%d files, same is %s", len(tree), tree["same"])
	}
}

func testInUse(t *testing.T, b *bed) {
	one := b.apply("", base)
	two := b.apply(one, second)
	b.wantKind(b.layers.Remove(b.ctx(), one), engine.Conflict)
	b.ok(b.roots.Create(b.ctx(), id(1), two, nil))
	err := b.layers.Remove(b.ctx(), two)
	b.wantKind(err, engine.Conflict)
	if !engine.HasReason(err, engine.ReasonInUse) {
		t.Errorf("got %v", err)
	}
	b.ok(b.roots.Remove(b.ctx(), id(1)))
	b.ok(b.layers.Remove(b.ctx(), two))
	b.ok(b.layers.Remove(b.ctx(), two))
	b.ok(b.layers.Remove(b.ctx(), one))
	if have, _ := b.layers.Has(b.ctx(), one); have {
		t.Error("a removed layer is there")
	}
	b.wantKind(b.layers.Remove(b.ctx(), "../../x"), engine.Invalid)
	b.apply("", base, second)
}
