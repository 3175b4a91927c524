package db

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// On a disk that is full a database is opened and what goes is written down; when there is space again some is kept.
func TestADiskThatIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("no mounts can be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "xc.db")
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c := engine.Container{ID: engine.ContainerID(engine.NewID()), Name: "web"}
	if err := d.PutContainer(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, 16<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	d = open(t, path)
	for range 3 {
		if err := d.PutContainer(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.DeleteContainer(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(big); err != nil {
		t.Fatal(err)
	}
	d.reserve.tried = d.reserve.tried.Add(-reserveEvery)
	if err := d.PutContainer(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path + "-reserve"); err != nil || info.Size() != reserveSize {
		t.Errorf("what is kept: %v, %v", info, err)
	}
}
