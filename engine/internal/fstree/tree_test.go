package fstree

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// plant makes files: "dir/" a directory, "name -> target" a link, "name = content" a file.
func plant(t *testing.T, root string, files ...string) {
	t.Helper()
	for _, f := range files {
		var err error
		if name, target, ok := strings.Cut(f, " -> "); ok {
			err = os.Symlink(target, filepath.Join(root, name))
		} else if name, content, ok := strings.Cut(f, " = "); ok {
			err = os.WriteFile(filepath.Join(root, name), []byte(content), 0o644)
		} else {
			err = os.MkdirAll(filepath.Join(root, f), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, root string, mounts ...Mount) *Tree {
	t.Helper()
	tree, err := Open(root, mounts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

func TestFind(t *testing.T) {
	root, volume, file := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte("127.0.0.1"), 0o644); err != nil {
		t.Fatal(err)
	}
	plant(t, root, "etc/", "etc/passwd = root", "run/", "data/", "data/hidden = x",
		"var/", "var/run -> /run", "abs -> /etc/passwd", "up -> ../../../etc/passwd", "dir -> etc", "slash -> etc/",
		"loop -> loop", "dead -> /etc/nothing/more", "deep -> dir/../etc/./passwd", "out -> /proc/self/root/etc", "toroot -> /")
	plant(t, volume, "v = volume", "back -> /etc/passwd", "up -> ../etc/passwd", "sub/")
	tree := open(t, root, Mount{Source: volume, Target: "/data"}, Mount{Source: file, Target: "/etc/hosts"}, Mount{Source: volume, Target: "/var/run/v"})
	for _, c := range []struct {
		path, want string
		follow     bool
		err        error
	}{
		{path: "/etc/passwd", want: "/etc/passwd"},
		{path: "etc//./passwd", want: "/etc/passwd"},
		{path: "/", want: "/"},
		{path: "", want: "/"},
		{path: "/../../etc", want: "/etc"},
		{path: "/abs", want: "/abs"},
		{path: "/abs", want: "/etc/passwd", follow: true},
		{path: "/abs/", err: unix.ENOTDIR},
		{path: "/up", want: "/etc/passwd", follow: true},
		{path: "/deep", want: "/etc/passwd", follow: true},
		{path: "/dir", want: "/dir"},
		{path: "/dir/", want: "/etc"},
		{path: "/dir/.", want: "/etc"},
		{path: "/dir/passwd", want: "/etc/passwd"},
		{path: "/dir/..", want: "/"},
		{path: "/slash", want: "/etc", follow: true},
		{path: "/toroot/etc/passwd", want: "/etc/passwd"},
		{path: "/toroot", want: "/", follow: true},
		{path: "/etc/passwd/", err: unix.ENOTDIR},
		{path: "/etc/passwd/x", err: unix.ENOTDIR},
		{path: "/loop", want: "/loop"},
		{path: "/loop", follow: true, err: unix.ELOOP},
		{path: "/nothing", err: fs.ErrNotExist},
		{path: "/dead", follow: true, err: fs.ErrNotExist},
		{path: "/out", follow: true, err: fs.ErrNotExist},
		{path: "/data", want: "/data"},
		{path: "/data/v", want: "/data/v"},
		{path: "/data/hidden", err: fs.ErrNotExist},
		{path: "/data/back", want: "/etc/passwd", follow: true},
		{path: "/data/up", want: "/etc/passwd", follow: true},
		{path: "/data/sub/../../etc/passwd", want: "/etc/passwd"},
		{path: "/etc/hosts", want: "/etc/hosts"},
		{path: "/etc/hosts/x", err: unix.ENOTDIR},
		{path: "/var/run/v/v", want: "/run/v/v"},
		{path: "/run/v", want: "/run/v"},
	} {
		p, err := tree.Find(c.path, c.follow)
		if c.err != nil {
			if !errors.Is(err, c.err) {
				t.Errorf("%q, follow %v: got %v, want %v", c.path, c.follow, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q, follow %v: %v", c.path, c.follow, err)
			continue
		}
		if p.Path != c.want {
			t.Errorf("%q, follow %v: leads to %s, want %s", c.path, c.follow, p.Path, c.want)
		}
		if _, err := p.Dir.Lstat(p.Name); err != nil {
			t.Errorf("%q: %v", c.path, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFindInMountReadsItsSource(t *testing.T) {
	root, volume := t.TempDir(), t.TempDir()
	plant(t, volume, "v = volume")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(volume, "v"), link); err != nil {
		t.Fatal(err)
	}
	tree := open(t, root, Mount{Source: volume, Target: "/a/b", ReadOnly: true}, Mount{Source: link, Target: "/f"})
	for name, mounted := range map[string]bool{"/a/b/v": true, "/f": true, "/a": false} {
		p, err := tree.Find(name, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Mount != nil; got != mounted {
			t.Errorf("%s: mounted is %v", name, got)
		}
		if mounted {
			f, err := p.Dir.Open(p.Name)
			if err != nil {
				t.Fatal(err)
			}
			if content, err := io.ReadAll(f); string(content) != "volume" || err != nil {
				t.Errorf("%s holds %q, %v", name, content, err)
			}
			f.Close()
		}
		p.Close()
	}
	if info, err := os.Stat(filepath.Join(root, "a/b")); err != nil || !info.IsDir() {
		t.Errorf("the mount point was not made: %v", err)
	}
	if info, err := os.Stat(filepath.Join(root, "f")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the mount point of a file was not made: %v", err)
	}
}

func TestMountPointsAreMadeInside(t *testing.T) {
	root, outside, volume := t.TempDir(), t.TempDir(), t.TempDir()
	plant(t, root, "esc -> "+outside, "rel -> ../../../../.."+outside)
	open(t, root, Mount{Source: volume, Target: "/esc/x"}, Mount{Source: volume, Target: "/rel/y"})
	if names, _ := os.ReadDir(outside); len(names) != 0 {
		t.Errorf("made outside the root: %v", names)
	}
	if _, err := os.Stat(filepath.Join(root, outside, "x")); err != nil {
		t.Error(err)
	}
}

func TestMissingSourceHurtsWhoGetsThere(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "etc/")
	gone := filepath.Join(t.TempDir(), "gone")
	tree := open(t, root, Mount{Source: gone, Target: "/m"}, Mount{Source: root, Target: "/m/below"})
	if _, err := tree.Find("/m/x", true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	p, err := tree.Find("/etc", true)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
}

func TestEvaluate(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "etc/", "etc/f = x", "a -> /etc/f", "dead -> etc/no/../more", "loop -> loop")
	tree := open(t, root)
	for name, want := range map[string]string{"/a": "/etc/f", "/dead": "/etc/more", "/none/x": "/none/x", "/etc": "/etc"} {
		got, err := tree.Evaluate(name)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
	}
	if _, err := tree.Evaluate("/loop"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("loop: %v", err)
	}
}

// A process in the container swaps a directory for a link out of the root, over and over, while the host walks through it.
func TestRaceDoesNotLeadOut(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	plant(t, root, "d/", "d/secret = inside")
	plant(t, outside, "secret = outside")
	tree := open(t, root)
	ctx, cancel := context.WithCancel(t.Context())
	var swapper sync.WaitGroup
	swapper.Go(func() {
		d, other := filepath.Join(root, "d"), filepath.Join(root, "other")
		for ctx.Err() == nil {
			os.Rename(d, other)
			os.Symlink(outside, d)
			os.Remove(d)
			os.Rename(other, d)
		}
	})
	hits := 0
	for range 5000 {
		p, err := tree.Find("/d/secret", true)
		if err != nil {
			continue
		}
		if f, err := p.Dir.Open(p.Name); err == nil {
			content, _ := io.ReadAll(f)
			if string(content) != "inside" {
				t.Fatalf("read %q", content)
			}
			hits++
			f.Close()
		}
		p.Close()
	}
	cancel()
	swapper.Wait()
	if hits == 0 {
		t.Error("never got in: nothing was tested")
	}
}

func TestRemoveAllStaysInside(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	plant(t, root, "d/e/", "d/f = x", "d/e/out -> "+outside, "d/e/g = y")
	plant(t, outside, "keep = x")
	d, err := OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 2 {
		if err := d.RemoveAll("d"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(filepath.Join(root, "d")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(outside, "keep")); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "d/", "f = x", "l -> f")
	if err := unix.Mkfifo(filepath.Join(root, "p"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"d", "l", "p", "none"} {
		if f, err := d.Open(name); err == nil {
			t.Errorf("%s was opened", name)
			f.Close()
		}
	}
}

// needRoot skips what only root may do.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make devices and give files away")
	}
}

func TestCopy(t *testing.T) {
	needRoot(t)
	from, to := t.TempDir(), t.TempDir()
	old := time.Unix(1000000000, 123456789)
	plant(t, from, "d/sub/", "d/f = content", "l -> /etc/passwd", "empty/", "big = "+strings.Repeat("x", 1<<20))
	for name, act := range map[string]func(string) error{
		"d/f":    func(p string) error { return errors.Join(os.Chown(p, 7, 8), os.Chmod(p, 0o4751)) },
		"d":      func(p string) error { return errors.Join(os.Chown(p, 5, 6), os.Chmod(p, 0o1770)) },
		"l":      func(p string) error { return os.Lchown(p, 3, 4) },
		"d/hard": func(p string) error { return os.Link(filepath.Join(from, "d/f"), p) },
		"hard2":  func(p string) error { return os.Link(filepath.Join(from, "d/f"), p) },
		"pipe":   func(p string) error { return unix.Mkfifo(p, 0o622) },
		"d/sub/n": func(p string) error {
			return mknodAt(unix.Mknodat, unix.AT_FDCWD, p, unix.S_IFCHR|0o666, unix.Mkdev(1, 3))
		},
	} {
		if err := act(filepath.Join(from, name)); err != nil {
			t.Fatal(err)
		}
	}
	attr := unix.Setxattr(filepath.Join(from, "big"), "user.colour", []byte("red"), 0) == nil
	for _, name := range []string{"d/f", "d/sub", "d"} {
		if err := os.Chtimes(filepath.Join(from, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	a, b := openBoth(t, from, to)
	if err := Copy(t.Context(), b, a); err != nil {
		t.Fatal(err)
	}
	want, got := list(t, from), list(t, to)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	st1, err1 := os.Stat(filepath.Join(to, "d/hard"))
	st2, err2 := os.Stat(filepath.Join(to, "hard2"))
	if err := errors.Join(err1, err2); err != nil || !os.SameFile(st1, st2) {
		t.Errorf("hard links were lost: %v", err)
	}
	if content, err := os.ReadFile(filepath.Join(to, "hard2")); string(content) != "content" {
		t.Errorf("content is %q, %v", content, err)
	}
	if !attr {
		t.Log("this file system has no user attributes")
	} else if value := make([]byte, 10); true {
		n, err := unix.Getxattr(filepath.Join(to, "big"), "user.colour", value)
		if err != nil || string(value[:n]) != "red" {
			t.Errorf("attribute is %q, %v", value[:max(n, 0)], err)
		}
	}
}

func openBoth(t *testing.T, from, to string) (a, b *Dir) {
	t.Helper()
	a, err1 := OpenDir(from)
	b, err2 := OpenDir(to)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// facts are what a copy must keep.
type facts struct {
	Mode     fs.FileMode
	UID, GID uint32
	Rdev     uint64
	Size     int64
	Time     int64
	Link     string
}

func list(t *testing.T, root string) map[string]facts {
	t.Helper()
	out := map[string]facts{}
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		f := facts{Mode: fileMode(uint32(st.Mode)), UID: st.Uid, GID: st.Gid, Rdev: uint64(st.Rdev), Time: st.Mtim.Nano()}
		switch e.Type() {
		case 0:
			f.Size = st.Size
		case fs.ModeSymlink:
			f.Link, err = os.Readlink(p)
		}
		out[p[len(root):]] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCopyStops(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	plant(t, from, "f = x")
	a, b := openBoth(t, from, to)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Copy(ctx, b, a); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := list(t, to); len(got) != 0 {
		t.Errorf("copied %v", got)
	}
}

func TestModesRoundTrip(t *testing.T) {
	for st := range typeBits {
		for _, perm := range []uint32{0, 0o755, 0o7777, 0o4711, 0o1777, 0o2640} {
			mode := fileMode(st | perm)
			if got := unixType(mode) | Permissions(mode); got != st|perm {
				t.Errorf("%o came back as %o", st|perm, got)
			}
		}
	}
	if fileMode(0).IsRegular() {
		t.Error("a type that is not known is taken for a file")
	}
}

// Two files that are alike are alike to whoever hashes what is told of them, on any file system.
func TestOnlyDevicesHaveNumbers(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "dir/", "link -> dir", "one = content", "two = content")
	d, err := OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"dir", "link", "one", "two"} {
		if n, st, err := d.Node(name); err != nil || n.Rdev != 0 || st.Rdev != 0 {
			t.Errorf("%s: device %#x %#x %v", name, n.Rdev, st.Rdev, err)
		}
	}
	dev, err := OpenDir("/dev")
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	if _, st, err := dev.Node("null"); err != nil || st.Rdev == 0 {
		t.Errorf("/dev/null: device %#x %v", st.Rdev, err)
	}
}
