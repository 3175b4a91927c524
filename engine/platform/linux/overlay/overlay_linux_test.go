package overlay

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/layerstest"
)

type storage struct{ dir string }

func (s storage) Open(t *testing.T) layers.Driver {
	d, err := Open(t.Context(), s.dir)
	if err != nil {
		t.Skipf("no overlayfs here: %v", err)
	}
	return d
}

func (s storage) Left(t *testing.T) []string {
	var all []string
	err := filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		if path != s.dir {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(mounts), "\n") {
		if strings.Contains(line, s.dir) {
			all = append(all, line)
		}
	}
	return all
}

func fresh(t *testing.T) storage {
	if os.Geteuid() != 0 {
		t.Skip("mounts take root")
	}
	s := storage{t.TempDir()}
	t.Cleanup(func() { s.unmountAll(t) })
	s.Open(t)
	return s
}

// unmountAll takes off what a failed test left, so that its directory can be removed.
func (s storage) unmountAll(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(s.dir, "roots", "*", "merged"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range found {
		_ = unix.Unmount(m, unix.MNT_DETACH)
	}
}

func TestConformance(t *testing.T) {
	layerstest.Run(t, func(t *testing.T) layerstest.Storage { return fresh(t) })
}

// TestWaysToMount: each of the three ways gives the same mount.
func TestWaysToMount(t *testing.T) {
	s := fresh(t)
	// Every special character that a path may bring.
	dir := filepath.Join(s.dir, `odd:dir,with\chars`)
	for _, name := range []string{"low/er", "second", "root/upper", "root/work", "root/merged"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	lowers := []string{filepath.Join(dir, "low"), filepath.Join(dir, "second")}
	if err := os.WriteFile(filepath.Join(lowers[1], "f"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	at := root{filepath.Join(dir, "root")}
	for name, way := range map[string]func() error{
		"mount":       func() error { return mountClassic(mountOptions(lowers, at.upper(), at.work()), at.merged()) },
		"fsconfig":    func() error { return mountByParts(lowers, at) },
		"descriptors": func() error { return mountByDescriptors(lowers, at) },
	} {
		err := way()
		if name == "fsconfig" && (errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)) {
			t.Logf("%s: this kernel is too old: %v", name, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b, err := os.ReadFile(filepath.Join(at.merged(), "f")); err != nil || string(b) != "x" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if is, err := mounted(at); err != nil || !is {
			t.Errorf("%s: it does not count as mounted: %v", name, err)
		}
		if err := unmount(at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if is, err := mounted(at); err != nil || is {
		t.Errorf("it counts as mounted still: %v", err)
	}
}

func TestTooManyLayers(t *testing.T) {
	err := mount(make([]string, maxLayers+1), root{t.TempDir()})
	if engine.KindOf(err) != engine.Invalid {
		t.Errorf("got %v", err)
	}
}

// TestOnOverlay: a state directory on overlayfs is refused in words.
func TestOnOverlay(t *testing.T) {
	s := fresh(t)
	d := s.Open(t).(*Driver)
	r := layers.RootSpec{ID: "c0ffee00"}
	if err := d.CreateRoot(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	path, err := d.MountRoot(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), filepath.Join(path, "state"))
	if engine.KindOf(err) != engine.Unavailable || !strings.Contains(err.Error(), "overlayfs itself") {
		t.Errorf("got %v", err)
	}
	if err := d.RemoveRoot(t.Context(), r.ID); err != nil {
		t.Error(err)
	}
}

// TestStackedMounts: whatever was mounted over a root goes with it.
func TestStackedMounts(t *testing.T) {
	s := fresh(t)
	d := s.Open(t).(*Driver)
	r := layers.RootSpec{ID: "c0ffee00"}
	if err := d.CreateRoot(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	path, err := d.MountRoot(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveRoot(t.Context(), r.ID); err != nil {
		t.Error(err)
	}
	for _, left := range s.Left(t) {
		if strings.Contains(left, "c0ffee00") {
			t.Errorf("left: %s", left)
		}
	}
}
