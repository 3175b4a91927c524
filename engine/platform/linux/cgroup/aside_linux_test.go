package cgroup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAside(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	outer := t.TempDir()
	if err := unix.Mount("tmpfs", outer, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(outer, unix.MNT_DETACH) }) //nolint:errcheck // the directory's removal would tell
	// As systemd leaves it: what happens to mounts below is told to every namespace.
	if err := unix.Mount("", outer, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	point, beside := filepath.Join(outer, "a/unified"), filepath.Join(outer, "beside")
	for _, dir := range []string{point, beside} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	seen := func() string {
		out, err := exec.Command("cat", "/proc/self/mountinfo").Output()
		if err != nil {
			t.Error(err)
		}
		return string(out)
	}
	err := Aside(point, func() error {
		mounts := seen()
		if strings.Contains(mounts, point) {
			t.Error("a program sees what is hidden")
		}
		if !strings.Contains(mounts, beside) {
			t.Error("a program does not see what lies beside")
		}
		return os.ErrDeadlineExceeded
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(seen(), point) {
		t.Error("it is hidden from the host as well")
	}
	if err := Aside(filepath.Join(outer, "none"), func() error { t.Error("called"); return nil }); err == nil {
		t.Error("no error for what is not mounted")
	}
	called := false
	if err := Aside("", func() error { called = true; return nil }); err != nil || !called {
		t.Errorf("nothing to hide: %v, called %v", err, called)
	}
}

// What a process's first thread sees is what /proc/self tells the whole of it.
func TestAsideSparesTheFirstThread(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	point := t.TempDir()
	if err := unix.Mount("tmpfs", point, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(point, unix.MNT_DETACH) }) //nolint:errcheck // the directory's removal would tell
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			err := Aside(point, func() error {
				time.Sleep(10 * time.Millisecond) // keeps threads busy, so that the first is asked for
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mounts), point) {
		t.Error("it is hidden from the process as well")
	}
}
