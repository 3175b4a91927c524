package volmount

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mountable returns a directory for mounts, and sweeps it.
func mountable(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	target := t.TempDir()
	if err := (Mounter{}).Mount(t.Context(), "tmpfs", "tmpfs", "size=1m", target); errors.Is(err, unix.EPERM) {
		t.Skip("mounting is not permitted here")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := (Mounter{}).Unmount(t.Context(), target); err != nil {
			t.Error(err)
		}
	})
	return target
}

func mounted(t *testing.T, target string) bool {
	t.Helper()
	is, err := Mounter{}.Mounted(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestTmpfs(t *testing.T) {
	target := mountable(t)
	if !mounted(t, target) {
		t.Error("it is not mounted")
	}
	if err := os.WriteFile(filepath.Join(target, "big"), make([]byte, 2<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("its size is not kept: %v", err)
	}
	for range 2 {
		if err := (Mounter{}).Unmount(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	if mounted(t, target) {
		t.Error("it is still mounted")
	}
	if err := (Mounter{}).Unmount(t.Context(), filepath.Join(target, "none")); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

func TestReadOnlyBind(t *testing.T) {
	target := mountable(t)
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Mounter{}).Mount(t.Context(), "none", source, "bind,ro,rprivate", target); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(target, "f")); string(got) != "x" {
		t.Errorf("holds %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(target, "g"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Errorf("writing: %v", err)
	}
	if err := (Mounter{}).Unmount(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if mounted(t, target) {
		t.Error("the mount below was left")
	}
}

// A bind of the same file system is found although the device number is that of its parent.
func TestBindOfTheSameFileSystemIsSeen(t *testing.T) {
	mountable(t)
	dir := t.TempDir()
	source, target := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, d := range []string{source, target} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if mounted(t, target) {
		t.Error("a directory is taken for a mount")
	}
	if err := (Mounter{}).Mount(t.Context(), "none", source, "bind", target); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
	if !mounted(t, target) {
		t.Error("the bind is not seen")
	}
}

func TestMountFails(t *testing.T) {
	target := mountable(t)
	err := Mounter{}.Mount(t.Context(), "none", "/nonexistent", "bind", target)
	if want := "mount /nonexistent:" + target + ", flags: 0x1000: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	err = Mounter{}.Mount(t.Context(), "nosuchfs", "x", "password=hush", target)
	if !errors.Is(err, unix.ENODEV) || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
	if mounted(t, filepath.Join(target, "none")) {
		t.Error("what is not there is mounted")
	}
}
