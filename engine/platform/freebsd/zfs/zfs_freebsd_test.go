package zfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/layerstest"
)

// The pool that the test makes, in a file; its name says whose it is.
const testPool = "xclayerstest"

type storage struct{ base, dir string }

func (s storage) Open(t *testing.T) layers.Driver {
	d, err := Open(t.Context(), Config{Images: s.base, Dir: s.dir, Owner: "0badcafe"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s storage) Left(t *testing.T) []string {
	out, err := exec.Command("/sbin/zfs", "list", "-r", "-H", "-o", "name", "-t", "filesystem,snapshot", s.base).Output()
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := exec.Command("/sbin/mount", "-p").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(out))
	for line := range strings.SplitSeq(string(mounts), "\n") {
		if strings.Contains(line, s.dir) {
			all = append(all, line)
		}
	}
	return all
}

// TestConformance runs the suite upon the host's own ZFS, in a pool that lives in a file.
func TestConformance(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("ZFS takes root")
	}
	_ = exec.Command("/sbin/zpool", "destroy", "-f", testPool).Run() // of a test that was killed
	image := filepath.Join(t.TempDir(), "pool")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 1<<30); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("/sbin/zpool", "create", "-f", "-m", "none", testPool, image).CombinedOutput(); err != nil {
		t.Skipf("zpool create: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("/sbin/zpool", "destroy", "-f", testPool).CombinedOutput(); err != nil {
			t.Errorf("zpool destroy: %v: %s", err, out)
		}
	})
	n := 0
	open := func(t *testing.T) layerstest.Storage {
		n++
		s := storage{base: fmt.Sprintf("%s/t%d", testPool, n), dir: t.TempDir()}
		if out, err := exec.Command("/sbin/zfs", "create", s.base).CombinedOutput(); err != nil {
			t.Fatalf("zfs create: %v: %s", err, out)
		}
		s.Open(t)
		return s
	}
	layerstest.Run(t, open)
	t.Run("Cleanup", func(t *testing.T) {
		s := open(t)
		testCleanup(t, s, s.(storage).base)
	})
}
