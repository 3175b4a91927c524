package zfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/layerstest"
)

// The pool that the tests make, in a file of their own; its name says whose it is.
const testPool = "xclayerstest"

// fuse is zfs-fuse, run by the test: the daemon, and a pool in a file.
type fuse struct{ dir string }

// startFuse starts the daemon and makes the pool, or skips. zfs-fuse listens at one place for the whole host, so there can
// be only one.
func startFuse(t *testing.T) *fuse {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("ZFS takes root")
	}
	for _, tool := range []string{"zfs-fuse", "zpool", "zfs"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (Debian: zfs-fuse)", tool)
		}
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	if exec.Command("zpool", "list").Run() == nil {
		t.Skip("a ZFS that is not the test's runs on this host")
	}
	f := &fuse{t.TempDir()}
	cmd := exec.Command("zfs-fuse", "--no-daemon", "--no-kstat-mount", "-a", "0", "-e", "0")
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Skipf("zfs-fuse: %v", err)
	}
	t.Cleanup(func() { f.stop(t, cmd) })
	for range 100 {
		if exec.Command("zpool", "list").Run() == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	image := filepath.Join(f.dir, "pool")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 512<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("zpool", "create", "-f", "-m", "none", testPool, image).CombinedOutput(); err != nil {
		t.Skipf("zpool create: %v: %s", err, out)
	}
	return f
}

// stop unmounts what is left, destroys the pool and ends the daemon.
func (f *fuse) stop(t *testing.T, cmd *exec.Cmd) {
	for _, path := range poolMounts(t) {
		_ = unix.Unmount(path, 0)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "zpool", "destroy", "-f", testPool).CombinedOutput(); err != nil {
		t.Logf("zpool destroy: %v: %s", err, out)
	}
	_ = cmd.Process.Signal(unix.SIGTERM)
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
	}
	for _, path := range poolMounts(t) {
		_ = unix.Unmount(path, unix.MNT_DETACH)
	}
}

// poolMounts lists the mount points of the test's pool.
func poolMounts(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for line := range strings.SplitSeq(string(raw), "\n") {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[0], testPool+"/") {
			paths = append(paths, fields[1])
		}
	}
	return paths
}

// oneByOne is held during commands and mounts: zfs-fuse locks up when they overlap.
var oneByOne sync.Mutex

type serial struct{ runner.Host }

// Run runs one command at a time.
func (s serial) Run(ctx context.Context, c runner.Cmd) (runner.Result, error) {
	oneByOne.Lock()
	defer oneByOne.Unlock()
	return s.Host.Run(ctx, c)
}

// fuseMounter mounts as zfs-fuse can: its daemon mounts, where the property says.
type fuseMounter struct{}

func (fuseMounter) Mount(ctx context.Context, dataset, path string, _ bool) error {
	oneByOne.Lock()
	defer oneByOne.Unlock()
	for _, args := range [][]string{{"set", "mountpoint=" + path, dataset}, {"mount", dataset}} {
		out, err := exec.CommandContext(ctx, "zfs", args...).CombinedOutput()
		if err != nil && !strings.Contains(string(out), "already mounted") {
			return classify(string(out), fmt.Errorf("zfs %s: %w: %s", args[0], err, out))
		}
	}
	return nil
}

// Unmount lets go of nothing that is in use: the daemon would never get it free again.
func (fuseMounter) Unmount(_ context.Context, path string) error {
	oneByOne.Lock()
	defer oneByOne.Unlock()
	err := unix.Unmount(path, 0)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

type fuseStorage struct {
	base string
	dir  string
}

func (s fuseStorage) Open(t *testing.T) layers.Driver {
	d, err := Open(t.Context(), Config{
		Images: s.base, Dir: s.dir, Owner: "0badcafe", Run: serial{}, Bin: "zfs", Mounter: fuseMounter{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s fuseStorage) Left(t *testing.T) []string {
	out, err := exec.Command("zfs", "list", "-r", "-H", "-o", "name", "-t", "filesystem,snapshot", s.base).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(out))
	for _, path := range poolMounts(t) {
		if strings.HasPrefix(path, s.dir) {
			all = append(all, path)
		}
	}
	return all
}

// TestConformance runs the suite upon a real ZFS.
func TestConformance(t *testing.T) {
	startFuse(t)
	n := 0
	open := func(t *testing.T) layerstest.Storage {
		n++
		s := fuseStorage{base: fmt.Sprintf("%s/t%d", testPool, n), dir: t.TempDir()}
		if out, err := exec.Command("zfs", "create", s.base).CombinedOutput(); err != nil {
			t.Fatalf("zfs create: %v: %s", err, out)
		}
		t.Cleanup(func() {
			for _, path := range poolMounts(t) {
				if strings.HasPrefix(path, s.dir) {
					_ = unix.Unmount(path, 0)
				}
			}
		})
		s.Open(t)
		return s
	}
	layerstest.Run(t, open)
	t.Run("Cleanup", func(t *testing.T) {
		s := open(t)
		testCleanup(t, s, s.(fuseStorage).base)
	})
}
