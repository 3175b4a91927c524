package layer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

// bed is a tree made of layers that a test changes: an overlay mount, or a copy.
type bed struct {
	dir     string // where to change it
	before  string // what it was
	changes func() layer.Changes
}

func beds(t *testing.T, base []byte) map[string]bed {
	t.Helper()
	needRoot(t)
	all := map[string]bed{"copy": copyBed(t, base)}
	if b, ok := overlayBed(t, base); ok {
		all["overlay"] = b
	}
	return all
}

func copyBed(t *testing.T, base []byte) bed {
	t.Helper()
	before, dir := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	if _, err := apply(t, before, base, layer.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := layer.Copy(context.Background(), dir, before); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // the granularity of change times
	since := time.Now()
	return bed{dir: dir, before: before, changes: func() layer.Changes {
		return layer.TreeChanges(before, dir, layer.TreeHints{Since: since})
	}}
}

func overlayBed(t *testing.T, base []byte) (bed, bool) {
	t.Helper()
	stage := t.TempDir()
	sub := func(name string) string {
		p := filepath.Join(stage, name)
		if err := os.Mkdir(p, 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	lower, upper, work, merged, before := sub("lower"), sub("upper"), sub("work"), sub("merged"), sub("before")
	for _, dir := range []string{lower, before} {
		if _, err := apply(t, dir, base, layer.ApplyOptions{Overlay: dir == lower}); err != nil {
			t.Fatal(err)
		}
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,index=off,metacopy=off,redirect_dir=off", lower, upper, work)
	if !mountOverlay(t, merged, data) {
		return bed{}, false
	}
	return bed{dir: merged, before: before, changes: func() layer.Changes {
		return layer.OverlayChanges(upper, []string{lower})
	}}, true
}

func listed(t *testing.T, c layer.Changes) []string {
	t.Helper()
	changes, err := layer.List(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range changes {
		out = append(out, string("CAD"[c.Kind])+" "+c.Path)
	}
	return out
}

// replayed writes the changes as a layer, applies it upon what was before, and describes both trees.
func replayed(t *testing.T, b bed) (got, want map[string]string, tar []byte) {
	t.Helper()
	var buf bytes.Buffer
	if err := layer.WriteTar(context.Background(), &buf, b.changes()); err != nil {
		t.Fatal(err)
	}
	want, err := Tree(b.dir, Owners|Xattrs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t, b.before, buf.Bytes(), layer.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err = Tree(b.before, Owners|Xattrs)
	if err != nil {
		t.Fatal(err)
	}
	return got, want, buf.Bytes()
}

var changeBase = []Entry{
	Dir("a"), File("a/f", "1"), File("a/g", "2"), Dir("d"), File("d/x", "1"), File("d/y", "2"), Dir("d/s"), File("d/s/z", "3"),
	Dir("e"), File("e/x", "1"), File("top", "t"), Symlink("l", "top"), File("h1", "linked"), Link("h2", "h1"), Dir("gone"), File("gone/f", ""),
	File("kind", "k"), Dir("kind.d"), File("kind.d/f", ""), Dir("deep"), Dir("deep/er"), File("deep/er/f", ""), Dir("quiet"), File("quiet/f", ""),
}

func TestChanges(t *testing.T) {
	for name, b := range beds(t, Tar(changeBase...)) {
		t.Run(name, func(t *testing.T) {
			p := func(name string) string { return filepath.Join(b.dir, name) }
			for _, err := range []error{
				os.WriteFile(p("a/f"), []byte("changed"), 0o644), os.WriteFile(p("a/new"), nil, 0o600),
				os.RemoveAll(p("d")), os.Mkdir(p("d"), 0o755), os.WriteFile(p("d/y"), []byte("other"), 0o644), os.WriteFile(p("d/n"), nil, 0o644),
				os.RemoveAll(p("gone")), os.Remove(p("top")), os.Chmod(p("e"), 0o700), os.Remove(p("kind")), os.Mkdir(p("kind"), 0o755),
				os.WriteFile(p("kind/f"), nil, 0o644), os.RemoveAll(p("kind.d")), os.WriteFile(p("kind.d"), nil, 0o644),
				os.WriteFile(p("deep/er/f2"), nil, 0o644), os.Mkdir(p("n"), 0o755), os.Mkdir(p("n/m"), 0o755), os.WriteFile(p("n/m/f"), []byte("x"), 0o644),
				os.Link(p("n/m/f"), p("n/m/g")), os.WriteFile(p("quiet/tmp"), nil, 0o644), os.Remove(p("quiet/tmp")),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			want := []string{
				"C /a", "C /a/f", "A /a/new", "C /d", "A /d/n", "D /d/s", "D /d/x", "C /d/y", "C /deep", "C /deep/er", "A /deep/er/f2",
				"C /e", "D /gone", "C /kind", "C /kind.d", "A /kind/f", "A /n", "A /n/m", "A /n/m/f", "A /n/m/g", "D /top",
			}
			if diff := cmp.Diff(want, listed(t, b.changes())); diff != "" {
				t.Error(diff)
			}
			got, wantTree, tar := replayed(t, b)
			if diff := cmp.Diff(wantTree, got); diff != "" {
				t.Error(diff)
			}
			if again := replayedTar(t, b); name == "overlay" && !bytes.Equal(tar, again) {
				t.Error("the tar of an unchanged tree changed")
			}
		})
	}
}

func replayedTar(t *testing.T, b bed) []byte {
	t.Helper()
	r := layer.NewTar(context.Background(), b.changes())
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestChangesOfAttributes(t *testing.T) {
	for name, b := range beds(t, Tar(append([]Entry{File("x", "same"), File("y", "1234"), File("o", "")}, changeBase...)...)) {
		t.Run(name, func(t *testing.T) {
			p := func(name string) string { return filepath.Join(b.dir, name) }
			touched := []unix.Timespec{{Sec: Epoch.Unix()}, {Sec: Epoch.Unix()}}
			for _, err := range []error{
				unix.Setxattr(p("x"), "user.k", []byte("v"), 0), unix.Setxattr(p("a"), "user.d", []byte("v"), 0), os.Chown(p("o"), 7, 8),
				os.WriteFile(p("y"), []byte("4321"), 0o644), unix.UtimesNanoAt(unix.AT_FDCWD, p("y"), touched, 0), os.Chmod(b.dir, 0o711),
				os.WriteFile(p(".wh.odd"), nil, 0o644),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			got := listed(t, b.changes())
			for _, want := range []string{"C /x", "C /a", "C /o"} {
				if !strings.Contains(strings.Join(got, "\n")+"\n", want+"\n") {
					t.Errorf("%q is missing in %q", want, got)
				}
			}
			tree, want, _ := replayed(t, b)
			delete(want, ".wh.odd")
			if diff := cmp.Diff(want, tree); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNothingChanged(t *testing.T) {
	for name, b := range beds(t, Tar(changeBase...)) {
		t.Run(name, func(t *testing.T) {
			if got := listed(t, b.changes()); len(got) != 0 {
				t.Errorf("got %q", got)
			}
			if raw := replayedTar(t, b); len(raw) != 1024 {
				t.Errorf("the tar has %d bytes", len(raw))
			}
		})
	}
}

// TestRandomChanges does things at random and expects that the layer of the changes does the same.
func TestRandomChanges(t *testing.T) {
	for seed := range uint64(12) {
		for name, b := range beds(t, Tar(changeBase...)) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				for range 60 {
					disturb(r, b.dir)
				}
				got, want, _ := replayed(t, b)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// disturb does one thing at a random place. What fails, as many things must, is no change.
func disturb(r *rand.Rand, root string) {
	var places []string
	_ = filepath.Walk(root, func(p string, _ os.FileInfo, _ error) error {
		if p != root {
			places = append(places, p)
		}
		return nil
	})
	if len(places) == 0 {
		places = []string{root + "/a"}
	}
	p, q := places[r.IntN(len(places))], places[r.IntN(len(places))]
	if r.IntN(2) == 0 {
		q = filepath.Join(filepath.Dir(q), fmt.Sprint("n", r.IntN(5)))
	}
	switch r.IntN(10) {
	case 0:
		_ = os.RemoveAll(p)
	case 1:
		_ = os.Rename(p, q)
	case 2:
		if f, err := os.OpenFile(q, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NONBLOCK, 0o640); err == nil {
			_, _ = fmt.Fprint(f, r.IntN(1000))
			_ = f.Close()
		}
	case 3:
		_ = os.Mkdir(q, 0o750)
	case 4:
		_ = os.Symlink(filepath.Base(p), q)
	case 5:
		_ = os.Chmod(p, os.FileMode(r.IntN(0o1000)))
	case 6:
		_ = os.Lchown(p, r.IntN(3), r.IntN(3))
	case 7:
		_ = unix.Lsetxattr(p, "user.r", []byte{byte(r.IntN(3))}, 0)
	case 8:
		if st, err := os.Lstat(q); err == nil && !st.IsDir() {
			_ = os.Remove(q)
		}
		_ = os.RemoveAll(q)
		_ = os.Mkdir(q, 0o755)
		_ = os.WriteFile(q+"/f", []byte("x"), 0o600)
	case 9:
		_ = unix.Mkfifo(q, 0o600)
	}
}

func TestUsage(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	if _, err := apply(t, root, Tar(File("a", "12345"), Link("b", "a"), File("d/c", "1"), Symlink("l", "123")), layer.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		without map[string]bool
		want    int64
	}{{nil, 9}, {map[string]bool{"l": true, "d/c": true, "c": true}, 5}, {map[string]bool{"a": true}, 9}} { // b is the same file
		if got, err := layer.Usage(context.Background(), root, tc.without); err != nil || got != tc.want {
			t.Errorf("without %v: %d, %v", tc.without, got, err)
		}
	}
}

func TestNewTarStopsEarly(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	if err := os.WriteFile(root+"/big", make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	r := layer.NewTar(context.Background(), layer.TreeChanges("", root, layer.TreeHints{}))
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
