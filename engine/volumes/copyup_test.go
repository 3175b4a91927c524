package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

// image makes a root with content at /data and links that lead there.
func image(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, d := range []string{"data/sub", "empty", "var"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"data/f": "f", "data/sub/g": "g", "file": "x"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Join(root, "data"), 0o1770), os.Chmod(filepath.Join(root, "empty"), 0o711), os.Symlink("/data", filepath.Join(root, "var/link")), os.Symlink("/etc", filepath.Join(root, "host"))); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chown(filepath.Join(root, "data"), 7, 8), os.Chown(filepath.Join(root, "empty"), 9, 9)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func content(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out = append(out, p[len(dir)+1:]+"="+string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func owner(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
}

var whole = []string{"f=f", "sub/g=g"}

func TestCopyUp(t *testing.T) {
	for path, want := range map[string][]string{
		"/data": whole, "data/": whole, "/var/link": whole, "/data/sub": {"g=g"}, "/empty": nil, "/none/x": nil, "/file": nil, "/file/x": nil, "/host": nil,
	} {
		t.Run(path, func(t *testing.T) {
			w, root := newWorld(t), image(t)
			v := w.create(t, engine.VolumeRequest{Name: "vv"})
			if err := w.CopyUp(t.Context(), "vv", "", root, path); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, content(t, v.Mountpoint)); diff != "" {
				t.Error(diff)
			}
			if exists(filepath.Join(w.dir, "vv", stageDir)) {
				t.Error("the stage is left")
			}
			source := map[string]string{"/data": "data", "/var/link": "data", "/empty": "empty"}[path]
			if source != "" && owner(t, v.Mountpoint) != owner(t, filepath.Join(root, source)) {
				t.Errorf("the volume is of %s, the image's directory of %s", owner(t, v.Mountpoint), owner(t, filepath.Join(root, source)))
			}
		})
	}
}

func TestCopyUpHappensOnce(t *testing.T) {
	w, root := newWorld(t), image(t)
	v := w.create(t, engine.VolumeRequest{Name: "vv"})
	copyUp := func(path string) {
		t.Helper()
		if err := w.CopyUp(t.Context(), "vv", "", root, path); err != nil {
			t.Fatal(err)
		}
	}
	copyUp("/empty") // nothing to copy: the next may
	copyUp("/data/sub")
	copyUp("/data")
	if diff := cmp.Diff([]string{"g=g"}, content(t, v.Mountpoint)); diff != "" {
		t.Error(diff)
	}
	if err := os.Remove(filepath.Join(v.Mountpoint, "g")); err != nil {
		t.Fatal(err)
	}
	w.reopen(t)
	copyUp("/data")
	if got := content(t, v.Mountpoint); got != nil {
		t.Errorf("an emptied volume was filled again: %v", got)
	}
	if err := w.CopyUp(t.Context(), "none", "", root, "/data"); !errors.Is(err, engine.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestCopyUpSparesWhatIsThere(t *testing.T) {
	w, root := newWorld(t), image(t)
	v := w.create(t, engine.VolumeRequest{Name: "vv"})
	if err := os.WriteFile(filepath.Join(v.Mountpoint, "mine"), []byte("m"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := owner(t, v.Mountpoint)
	if err := w.CopyUp(t.Context(), "vv", "", root, "/data"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, v.Mountpoint); !cmp.Equal(got, []string{"mine=m"}) || owner(t, v.Mountpoint) != before {
		t.Errorf("holds %v, is of %s", got, owner(t, v.Mountpoint))
	}
}

func TestCopyUpAtOnce(t *testing.T) {
	w, root := newWorld(t), image(t)
	v := w.create(t, engine.VolumeRequest{Name: "vv"})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if err := w.CopyUp(t.Context(), "vv", "", root, "/data"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff(whole, content(t, v.Mountpoint)); diff != "" {
		t.Error(diff)
	}
}

// Wherever the daemon is killed, the volume, or the part of it, holds all or nothing afterwards, and in the end all.
func TestCopyUpSurvivesACrash(t *testing.T) {
	for _, subpath := range []string{"", "part"} {
		t.Run("of "+subpath, func(t *testing.T) { crashCopyUp(t, subpath) })
	}
}

func crashCopyUp(t *testing.T, subpath string) {
	for n := 1; ; n++ {
		w, root := newWorld(t), image(t)
		v := w.create(t, engine.VolumeRequest{Name: "vv"})
		to := filepath.Join(v.Mountpoint, subpath)
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		w.store.failAt = w.store.writes + n
		killed := w.CopyUp(t.Context(), "vv", subpath, root, "/data")
		if killed == nil {
			if n < 3 {
				t.Errorf("a copy-up of %d writes: nothing was tested", n-1)
			}
			return
		}
		w.reopen(t)
		if got := content(t, to); got != nil && !cmp.Equal(got, whole) {
			t.Errorf("killed before write %d: holds %v", n, got)
		}
		if exists(filepath.Join(w.dir, "vv", stageDir)) {
			t.Errorf("killed before write %d: the stage is left", n)
		}
		if err := w.CopyUp(t.Context(), "vv", subpath, root, "/data"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole, content(t, to)); diff != "" {
			t.Errorf("killed before write %d: %s", n, diff)
		}
	}
}

// A daemon that is killed amid the move leaves a first piece in the place and the rest beside the volume.
func TestHalfMovedCopyUpIsEnded(t *testing.T) {
	for _, subpath := range []string{"", "part"} {
		t.Run("of "+subpath, func(t *testing.T) {
			w, root := newWorld(t), image(t)
			v := w.create(t, engine.VolumeRequest{Name: "vv"})
			to := filepath.Join(v.Mountpoint, subpath)
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
			stage, aside := filepath.Join(w.dir, "vv", stageDir), filepath.Join(w.dir, "aside")
			w.store.then = func() {
				w.store.then, w.store.failAt = nil, w.store.writes+1
				if err := errors.Join(os.Rename(filepath.Join(stage, "f"), filepath.Join(to, "f")), os.Rename(stage, aside)); err != nil {
					t.Error(err)
				}
			}
			if err := w.CopyUp(t.Context(), "vv", subpath, root, "/data"); err == nil {
				t.Fatal("nothing was interrupted")
			}
			if err := os.Rename(aside, stage); err != nil {
				t.Fatal(err)
			}
			w.reopen(t)
			if diff := cmp.Diff(whole, content(t, to)); diff != "" {
				t.Error(diff)
			}
			if got, want := owner(t, to), owner(t, filepath.Join(root, "data")); got != want {
				t.Errorf("the place is of %s, the image's directory of %s", got, want)
			}
			if exists(stage) {
				t.Error("the stage is left")
			}
		})
	}
}

// What was staged in a volume that lives in memory goes with its mount: the next copy-up begins anew.
func TestCopyUpLostWithItsMount(t *testing.T) {
	w, root := newWorld(t), image(t)
	v := w.create(t, tmpfs)
	rec, _ := w.lookup("mem")
	rec.CopyUp = engine.CopyUpStaged
	if err := w.put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	w.reopen(t)
	if err := w.CopyUp(t.Context(), "mem", "", root, "/data"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, content(t, v.Mountpoint)); diff != "" {
		t.Error(diff)
	}
}

// A volume that is mounted for a container has its copy-up ended before the container sees it.
func TestMountEndsACopyUp(t *testing.T) {
	w, root := newWorld(t), image(t)
	v := w.create(t, tmpfs)
	w.store.then = func() { w.store.then, w.store.failAt = nil, w.store.writes+2 } // its user and the stage are written, and no more
	if err := w.CopyUp(t.Context(), "mem", "", root, "/data"); err == nil {
		t.Fatal("nothing was interrupted")
	}
	stage := filepath.Join(v.Mountpoint, ".xc"+stageDir)
	if err := os.Rename(filepath.Join(v.Mountpoint, "sub"), filepath.Join(stage, "sub")); err != nil {
		t.Fatal(err)
	}
	w.reopen(t)
	if _, err := w.Mount(t.Context(), "mem", "c1"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, content(t, v.Mountpoint)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]engine.ContainerID{copyUser, "c1"}, w.records["mem"].Users); diff != "" {
		t.Error(diff)
	}
}

func TestCancelledCopyUpLeavesNothing(t *testing.T) {
	w, root := newWorld(t), image(t)
	v := w.create(t, engine.VolumeRequest{Name: "vv"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.fill(ctx, "vv", "", root, "/data"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := content(t, v.Mountpoint); got != nil || exists(filepath.Join(w.dir, "vv", stageDir)) {
		t.Errorf("left behind: %v", got)
	}
}

func TestCopyUpMountsForItself(t *testing.T) {
	w, root := newWorld(t), image(t)
	v := w.create(t, tmpfs)
	if err := w.CopyUp(t.Context(), "mem", "", root, "/data"); err != nil {
		t.Fatal(err)
	}
	if len(w.mounts.at) != 0 || len(w.records["mem"].Users) != 0 {
		t.Errorf("mounted %v for %v", w.mounts.at, w.records["mem"].Users)
	}
	if got := content(t, v.Mountpoint); !cmp.Equal(got, whole) {
		t.Errorf("holds %v", got)
	}
	w.mounts.fail = errors.New("no such device")
	w.create(t, engine.VolumeRequest{Name: "bad", Options: tmpfs.Options})
	if err := w.CopyUp(t.Context(), "bad", "", root, "/data"); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("got %v", err)
	}
}

func TestCopyUpIntoAPart(t *testing.T) {
	s, root := newWorld(t), image(t)
	v := s.create(t, engine.VolumeRequest{Name: "vv"})
	if err := errors.Join(os.Mkdir(filepath.Join(v.Mountpoint, "part"), 0o700), os.Symlink("/part", filepath.Join(v.Mountpoint, "link")), os.Symlink(root, filepath.Join(v.Mountpoint, "out"))); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"absent", "out", "out/empty"} {
		if err := s.CopyUp(t.Context(), "vv", sub, root, "/data"); err != nil {
			t.Errorf("%s: %v", sub, err)
		}
	}
	if got := content(t, filepath.Join(root, "empty")); len(got) > 0 {
		t.Errorf("outside of the volume there is %v", got)
	}
	for range 2 {
		if err := s.CopyUp(t.Context(), "vv", "part", root, "/data"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"f=f", "sub/g=g"}, content(t, filepath.Join(v.Mountpoint, "part"))); diff != "" {
			t.Error(diff)
		}
	}
	if err := os.Remove(filepath.Join(v.Mountpoint, "part/f")); err != nil {
		t.Fatal(err)
	}
	if err := s.CopyUp(t.Context(), "vv", "part", root, "/data"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"sub/g=g"}, content(t, filepath.Join(v.Mountpoint, "part"))); diff != "" {
		t.Errorf("what was not empty: %s", diff)
	}
}
