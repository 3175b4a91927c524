package integration

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A bind takes what is mounted below its source along unless it is asked not to, and a read-only one makes that read-only too.
func TestBindsTakeMountsAlong(t *testing.T) {
	e := start(t)
	dir, other := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "f"), []byte("there\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(other, filepath.Join(dir, "below"), "", unix.MS_BIND, ""); err != nil {
		t.Skipf("no mounts can be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(filepath.Join(dir, "below"), unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	for _, tc := range []struct {
		options, args, out string
		code               int
	}{
		{"", "cat /b/below/f", "there\n", 0},
		{",readonly", "cat /b/below/f", "there\n", 0},
		{",readonly", "touch /b/below/x", "", 1},
		{",readonly,bind-recursive=readonly,bind-propagation=rprivate", "touch /b/below/x", "", 1},
		{",readonly,bind-recursive=writable", "touch /b/below/x", "", 0},
		{",bind-recursive=disabled", "ls /b/below", "", 0},
		{",readonly,bind-recursive=disabled", "ls /b/below", "", 0},
	} {
		r := e.docker("run", "--rm", "--mount", "type=bind,src="+dir+",dst=/b"+tc.options, "testbox", "sh", "-c", tc.args)
		if r.code != tc.code || r.out != tc.out {
			t.Errorf("%q, %s: %d %q %q", tc.options, tc.args, r.code, r.out, r.err)
		}
	}
}
