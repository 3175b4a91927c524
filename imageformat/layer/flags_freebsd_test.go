package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

const (
	schg   = 0x00020000
	nodump = 0x00000001
)

func flagged(e Entry, flags string) Entry {
	e.Format, e.PAXRecords = tar.FormatPAX, map[string]string{"SCHILY.fflags": flags}
	return e
}

func flagsOf(t *testing.T, root string) map[string]uint32 {
	t.Helper()
	all := map[string]uint32{}
	err := filepath.Walk(root, func(p string, _ os.FileInfo, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(p, &st)
		}
		rel, _ := filepath.Rel(root, p)
		if f := st.Flags & (schg | nodump); f != 0 {
			all[rel] = f
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFlagsOfFiles: file flags are set, stand in nobody's way, and come out again.
func TestFlagsOfFiles(t *testing.T) {
	needRoot(t)
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	must := func(_ layer.Applied, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := layer.Remove(root); err != nil {
			t.Error(err)
		}
	})
	must(apply(t, root, Tar(
		Dir("lib"), flagged(File("lib/libc.so", "1", 0o444), "schg"), flagged(Dir("var/empty", 0o555), "schg,uarch"), flagged(File("note", ""), "nodump"),
		flagged(File("linked", "l"), "schg"),
	), layer.ApplyOptions{}))
	want := map[string]uint32{"lib/libc.so": schg, "var/empty": schg, "note": nodump, "linked": schg}
	if diff := cmp.Diff(want, flagsOf(t, root)); diff != "" {
		t.Error(diff)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := layer.Copy(context.Background(), copied, root); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, flagsOf(t, copied)); diff != "" {
		t.Error(diff)
	}
	if err := layer.Remove(copied); err != nil {
		t.Error(err)
	}
	must(apply(t, root, Tar(
		flagged(File("lib/libc.so", "2", 0o444), "schg"), flagged(Dir("var/empty", 0o555), "schg"), File("note", "x"),
		Link("linked2", "linked"), File("var/empty/f", ""),
	), layer.ApplyOptions{}))
	want = map[string]uint32{"lib/libc.so": schg, "var/empty": schg, "linked": schg, "linked2": schg}
	if diff := cmp.Diff(want, flagsOf(t, root)); diff != "" {
		t.Error(diff)
	}
	var out bytes.Buffer
	if err := layer.WriteTar(context.Background(), &out, layer.TreeChanges("", root, layer.TreeHints{})); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := os.Mkdir(again, 0o755); err != nil {
		t.Fatal(err)
	}
	must(apply(t, again, out.Bytes(), layer.ApplyOptions{}))
	if diff := cmp.Diff(want, flagsOf(t, again)); diff != "" {
		t.Error(diff)
	}
	must(apply(t, root, Tar(File("lib/.wh.libc.so", ""), File("var/.wh.empty", "")), layer.ApplyOptions{}))
	if diff := cmp.Diff(map[string]uint32{"linked": schg, "linked2": schg}, flagsOf(t, root)); diff != "" {
		t.Error(diff)
	}
	if err := layer.Remove(again); err != nil {
		t.Error(err)
	}
}

// TestLinksHaveAllPermissions: this system gives links permissions by the umask, others none, and layers are to be the same.
func TestLinksHaveAllPermissions(t *testing.T) {
	root := t.TempDir()
	if err := os.Symlink("x", filepath.Join(root, "l")); err != nil {
		t.Fatal(err)
	}
	r := layer.NewTar(context.Background(), layer.TreeChanges("", root, layer.TreeHints{}))
	defer r.Close()
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err != nil {
			t.Fatalf("no link: %v", err)
		}
		if h.Name != "l" {
			continue
		}
		if h.Typeflag != tar.TypeSymlink || h.Mode != 0o777 {
			t.Errorf("%c %o", h.Typeflag, h.Mode)
		}
		return
	}
}
