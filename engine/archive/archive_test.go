package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
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

func rootOf(path string, mounts ...engine.Mount) engine.MountedRoot {
	return engine.MountedRoot{Container: "web", Path: path, Mounts: mounts}
}

// needRoot skips what only root may do.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make devices and give files away")
	}
}

// members reads a tar: one line a member, content of files behind "=".
func members(t *testing.T, r io.Reader) []string {
	t.Helper()
	var out []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		line := h.Name
		switch h.Typeflag {
		case tar.TypeReg:
			content, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			line += " = " + string(content)
		case tar.TypeSymlink:
			line += " -> " + h.Linkname
		case tar.TypeLink:
			line += " == " + h.Linkname
		}
		out = append(out, line)
	}
}

func read(t *testing.T, root engine.MountedRoot, name string) (engine.PathStat, []string) {
	t.Helper()
	a, err := Files{}.Read(t.Context(), root, name)
	if err != nil {
		t.Fatal(err)
	}
	got := members(t, a)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	return a.Stat, got
}

func TestReadNamesAsDocker(t *testing.T) {
	root, volume := t.TempDir(), t.TempDir()
	plant(t, root, "bin/", "bin/busybox = x", "bin/sh -> busybox", "abs -> /bin/sh", "dead -> nothing", "dir -> /bin/", "data/", "data/under = y")
	plant(t, volume, "f = v", "sub/")
	r := rootOf(root, engine.Mount{Kind: engine.MountVolume, Source: volume, Target: "/data"})
	bin := []string{"bin/", "bin/busybox = x", "bin/sh -> busybox"}
	for _, c := range []struct {
		path, name, link string
		mode             fs.FileMode
		members          []string
	}{
		{"/bin", "bin", "", fs.ModeDir, bin},
		{"/bin/", "bin", "", fs.ModeDir, bin},
		{"bin", "bin", "", fs.ModeDir, bin},
		{"/bin/.", ".", "", fs.ModeDir, []string{"./", "./busybox = x", "./sh -> busybox"}},
		{"/bin/./", ".", "", fs.ModeDir, []string{"./", "./busybox = x", "./sh -> busybox"}},
		{"/bin/../data/sub", "sub", "", fs.ModeDir, []string{"sub/"}},
		{"/bin/sh", "sh", "/bin/busybox", fs.ModeSymlink, []string{"sh -> busybox"}},
		{"/abs", "abs", "/bin/busybox", fs.ModeSymlink, []string{"abs -> /bin/sh"}},
		{"/dead", "dead", "/nothing", fs.ModeSymlink, []string{"dead -> nothing"}},
		{"/dir/", "dir", "", fs.ModeDir, []string{"dir/", "dir/busybox = x", "dir/sh -> busybox"}},
		{"/dir/busybox", "busybox", "", 0, []string{"busybox = x"}},
		{"/data", "data", "", fs.ModeDir, []string{"data/", "data/f = v", "data/sub/"}},
		{"/data/f", "f", "", 0, []string{"f = v"}},
		{"/", "/", "", fs.ModeDir, []string{
			"/", "/abs -> /bin/sh", "/bin/", "/bin/busybox = x", "/bin/sh -> busybox", "/data/", "/data/f = v", "/data/sub/",
			"/dead -> nothing", "/dir -> /bin/",
		}},
	} {
		t.Run(c.path, func(t *testing.T) {
			stat, got := read(t, r, c.path)
			if diff := cmp.Diff(c.members, got); diff != "" {
				t.Error(diff)
			}
			if stat.Name != c.name || fs.FileMode(stat.Mode).Type() != c.mode || stat.LinkTarget != c.link {
				t.Errorf("stat is %+v", stat)
			}
			again, err := Files{}.Stat(t.Context(), r, c.path)
			if err != nil || again != stat {
				t.Errorf("Stat says %+v, %v; Read said %+v", again, err, stat)
			}
		})
	}
}

func TestReadFails(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "f = x")
	_, err := Files{}.Read(t.Context(), rootOf(root), "/no/such")
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.NotFound || e.Resource != engine.ResourcePath || e.ID != "/no/such" || !slices.Equal(e.Args, []string{"web"}) {
		t.Errorf("got %#v", err)
	}
	_, err = Files{}.Stat(t.Context(), rootOf(root), "/f/")
	if err == nil || err.Error() != "lstat /f/: not a directory" {
		t.Errorf("got %v", err)
	}
	if _, err := (Files{}).Export(t.Context(), rootOf(filepath.Join(root, "gone"))); err == nil {
		t.Error("a root that is not there was exported")
	}
}

func TestExportLeavesMountsOut(t *testing.T) {
	root, volume := t.TempDir(), t.TempDir()
	plant(t, root, "bin/", "bin/sh = x", "data/", "etc/", "etc/hosts = 1")
	plant(t, volume, "f = v")
	r, err := Files{}.Export(t.Context(), rootOf(root, engine.Mount{Kind: engine.MountVolume, Source: volume, Target: "/data"}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if diff := cmp.Diff([]string{"bin/", "bin/sh = x", "data/", "etc/", "etc/hosts = 1"}, members(t, r)); diff != "" {
		t.Error(diff)
	}
}

func TestOtherFileSystemsStayShut(t *testing.T) {
	needRoot(t)
	if runtime.GOOS != "linux" {
		t.Skip("mounts a tmpfs as Linux does")
	}
	root := t.TempDir()
	plant(t, root, "proc/", "proc/under = x", "f = y")
	if err := mountTmpfs(filepath.Join(root, "proc")); err != nil {
		t.Skip("cannot mount a tmpfs here: ", err)
	}
	t.Cleanup(func() { unix.Unmount(filepath.Join(root, "proc"), 0) })
	plant(t, root, "proc/over = z")
	if _, got := read(t, rootOf(root), "/"); !slices.Equal(got, []string{"/", "/f = y", "/proc/"}) {
		t.Errorf("got %v", got)
	}
	if _, got := read(t, rootOf(root), "/proc"); !slices.Equal(got, []string{"proc/", "proc/over = z"}) {
		t.Errorf("asked for itself: got %v", got)
	}
	err := Files{}.Write(t.Context(), rootOf(root), "/", pour(t, entry{name: "proc", content: "file"}), engine.ExtractOptions{})
	if !errors.Is(err, unix.EBUSY) {
		t.Errorf("replacing it: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "proc/over")); err != nil {
		t.Error("what is mounted was emptied")
	}
}

// A live tmpfs is reached through the running container's own view, and its links cannot lead out of that view.
func TestTmpfsIsReadLive(t *testing.T) {
	root, live, outside := t.TempDir(), t.TempDir(), t.TempDir()
	plant(t, root, "tmp/", "tmp/under = x")
	plant(t, live, "tmp/", "tmp/f = live", "esc -> "+outside)
	plant(t, outside, "secret = s")
	r := rootOf(root, engine.Mount{Kind: engine.MountTmpfs, Target: "/tmp"}, engine.Mount{Kind: engine.MountTmpfs, Target: "/esc"})
	if _, got := read(t, r, "/tmp"); !slices.Equal(got, []string{"tmp/", "tmp/under = x"}) {
		t.Errorf("without a view: got %v", got)
	}
	r.Live = live
	if _, got := read(t, r, "/tmp"); !slices.Equal(got, []string{"tmp/", "tmp/f = live"}) {
		t.Errorf("with a view: got %v", got)
	}
	if _, err := (Files{}).Read(t.Context(), r, "/esc/secret"); !errors.Is(err, engine.NotFound) {
		t.Errorf("led out of the view: %v", err)
	}
}

func TestRoundTripKeepsEverything(t *testing.T) {
	needRoot(t)
	from, to := t.TempDir(), t.TempDir()
	old := time.Unix(1000000000, 0)
	plant(t, from, "d/e/", "d/f = content", "d/l -> /../../x", "d/big = "+strings.Repeat("x", 1<<20))
	at := func(name string) string { return filepath.Join(from, "d", name) }
	for _, err := range []error{
		os.Link(at("f"), at("hard")), unix.Mkfifo(at("pipe"), 0o622), mknod(at("null"), unix.S_IFCHR|0o666, 1, 3), mknod(at("blk"), unix.S_IFBLK|0o600, 7, 9),
		os.Lchown(at("f"), 7, 8), os.Lchown(at("l"), 5, 6), os.Lchown(at(""), 9, 10), os.Chmod(at("f"), fs.ModeSetuid|0o751), os.Chmod(at("e"), fs.ModeSticky|0o777),
		os.Chtimes(at("f"), old, old), os.Chtimes(at("e"), old, old), os.Chtimes(at(""), old, old),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	capability := string([]byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	capable := unix.Setxattr(at("big"), "security.capability", []byte(capability), 0) == nil
	a, err := Files{}.Read(t.Context(), rootOf(from), "/d")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := (Files{}).Write(t.Context(), rootOf(to), "/", a, engine.ExtractOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "e", "f", "hard", "l", "big", "pipe", "null", "blk"} {
		want, got := facts(t, filepath.Join(from, "d", name)), facts(t, filepath.Join(to, "d", name))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if capable {
		value := make([]byte, 64)
		if n, err := unix.Getxattr(filepath.Join(to, "d/big"), "security.capability", value); err != nil || string(value[:n]) != capability {
			t.Errorf("capability is %q, %v", value[:max(n, 0)], err)
		}
	}
}

func facts(t *testing.T, name string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		t.Fatal(err)
	}
	link, _ := os.Readlink(name)
	size, at := st.Size, time.Unix(st.Mtim.Unix()).Truncate(time.Second)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		size = 0
	}
	return fmt.Sprintf("%o %d:%d %d bytes %v dev %d links %d -> %s", st.Mode, st.Uid, st.Gid, size, at, st.Rdev, st.Nlink, link)
}
