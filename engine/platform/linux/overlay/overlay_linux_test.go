package overlay

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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
