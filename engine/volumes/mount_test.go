package volumes

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

var tmpfs = engine.VolumeRequest{Name: "mem", Options: map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}

func TestPlainVolumeNeedsNoMount(t *testing.T) {
	w := newWorld(t)
	v := w.create(t, engine.VolumeRequest{Name: "data"})
	path, err := w.Mount(t.Context(), "data", "c1")
	if err != nil || path != v.Mountpoint {
		t.Errorf("at %s, %v", path, err)
	}
	if err := w.Unmount(t.Context(), "data", "c1"); err != nil {
		t.Error(err)
	}
	if _, err := w.Mount(t.Context(), "none", "c1"); !errors.Is(err, engine.NotFound) {
		t.Errorf("unknown: %v", err)
	}
	if err := w.Unmount(t.Context(), "none", "c1"); err != nil {
		t.Errorf("unknown: %v", err)
	}
	if len(w.mounts.at) != 0 || w.store.writes != 1 {
		t.Errorf("mounted %v, %d writes", w.mounts.at, w.store.writes)
	}
}

func TestMountIsCountedPerUser(t *testing.T) {
	w := newWorld(t)
	v := w.create(t, tmpfs)
	for _, user := range []engine.ContainerID{"c1", "c1", "c2"} {
		if path, err := w.Mount(t.Context(), "mem", user); err != nil || path != v.Mountpoint {
			t.Fatalf("at %s, %v", path, err)
		}
	}
	if diff := cmp.Diff(map[string]string{v.Mountpoint: "tmpfs,tmpfs,size=1m"}, w.mounts.at); diff != "" {
		t.Error(diff)
	}
	w.reopen(t) // the kernel's mount and the users' containers live on
	for _, user := range []engine.ContainerID{"c1", "c1", "nobody"} {
		if err := w.Unmount(t.Context(), "mem", user); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.mounts.at) != 1 {
		t.Error("unmounted while in use")
	}
	if err := w.Unmount(t.Context(), "mem", "c2"); err != nil || len(w.mounts.at) != 0 {
		t.Errorf("still mounted: %v", err)
	}
}

func TestRecoverDropsTheDead(t *testing.T) {
	w := newWorld(t)
	v := w.create(t, tmpfs)
	for _, user := range []engine.ContainerID{"dead", "alive"} {
		if _, err := w.Mount(t.Context(), "mem", user); err != nil {
			t.Fatal(err)
		}
	}
	w.reopen(t)
	if err := w.Recover(t.Context(), []engine.ContainerID{"alive"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]engine.ContainerID{"alive"}, w.records["mem"].Users); diff != "" || len(w.mounts.at) != 1 {
		t.Error(diff, w.mounts.at)
	}
	delete(w.mounts.at, v.Mountpoint) // the machine was started anew
	if err := w.Recover(t.Context(), nil); err != nil || len(w.records["mem"].Users) != 0 {
		t.Errorf("%v: %v", w.records["mem"].Users, err)
	}
}

func TestFailedMountLeavesNoUser(t *testing.T) {
	w := newWorld(t)
	v := w.create(t, tmpfs)
	w.mounts.fail = errors.New("mount tmpfs: no such device")
	_, err := w.Mount(t.Context(), "mem", "c1")
	if want := "error while mounting volume '" + v.Mountpoint + "': failed to mount local volume: mount tmpfs: no such device"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if len(w.store.recs["mem"].Users) != 0 {
		t.Error("a user is left")
	}
	w.mounts.fail = nil
	if _, err := w.Mount(t.Context(), "mem", "c1"); err != nil {
		t.Fatal(err)
	}
	w.mounts.fail = errors.New("busy")
	if err := w.Unmount(t.Context(), "mem", "c1"); !errors.Is(err, w.mounts.fail) {
		t.Errorf("got %v", err)
	}
	if err := w.Remove(t.Context(), "mem", false); !errors.Is(err, w.mounts.fail) || !exists(v.Mountpoint) {
		t.Errorf("removed although it could not be unmounted: %v", err)
	}
	w.mounts.fail = nil
	if err := w.Remove(t.Context(), "mem", false); err != nil || len(w.mounts.at) != 0 {
		t.Errorf("got %v, mounted %v", err, w.mounts.at)
	}
}

// tools is a mounter by the host's own programs.
type tools struct{}

func (tools) Mount(ctx context.Context, fsType, device, options, target string) error {
	out, err := exec.CommandContext(ctx, "mount", "-t", fsType, "-o", options, device, target).CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	return nil
}

func (tools) Unmount(ctx context.Context, target string) error {
	if ok, err := (tools{}).Mounted(ctx, target); err != nil || !ok {
		return err
	}
	return exec.CommandContext(ctx, "umount", target).Run()
}

func (tools) Mounted(_ context.Context, target string) (bool, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	return strings.Contains(string(table), " "+target+" "), err
}

// On a real kernel: what a volume binds is never emptied, whatever is removed.
func TestBoundDirectoryOutlivesItsVolume(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("mounts as Linux's root does")
	}
	w := newWorld(t)
	w.Mounter = tools{}
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "precious"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := w.create(t, engine.VolumeRequest{Name: "bound", Options: map[string]string{"type": "none", "device": source, "o": "bind"}})
	t.Cleanup(func() { tools{}.Unmount(context.Background(), v.Mountpoint) })
	if _, err := w.Mount(t.Context(), "bound", "c1"); err != nil {
		t.Skip("cannot mount here: ", err)
	}
	if !exists(filepath.Join(v.Mountpoint, "precious")) {
		t.Fatal("it is not mounted")
	}
	if err := w.Remove(t.Context(), "bound", false); err != nil {
		t.Fatal(err)
	}
	if !exists(filepath.Join(source, "precious")) || exists(filepath.Join(w.dir, "bound")) {
		t.Error("what was bound was emptied, or the volume is left")
	}
	plain := w.create(t, engine.VolumeRequest{Name: "plain"})
	sub := filepath.Join(plain.Mountpoint, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (tools{}).Mount(t.Context(), "tmpfs", "tmpfs", "size=1m", sub); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tools{}.Unmount(context.Background(), sub) })
	if err := os.WriteFile(filepath.Join(sub, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Remove(t.Context(), "plain", false); err == nil || !exists(filepath.Join(sub, "precious")) {
		t.Errorf("another file system in the volume was emptied: %v", err)
	}
	if err := (tools{}).Unmount(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	if err := w.Remove(t.Context(), "plain", false); err != nil {
		t.Errorf("removing again: %v", err)
	}
}
