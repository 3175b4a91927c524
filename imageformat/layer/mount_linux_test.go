package layer_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func mountOverlay(t *testing.T, target, data string) bool {
	t.Helper()
	if err := unix.Mount("overlay", target, "overlay", 0, data); err != nil {
		t.Logf("no overlay mount here: %v", err)
		return false
	}
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
	return true
}
