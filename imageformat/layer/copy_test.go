package layer_test

import (
	"archive/tar"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

func TestCopy(t *testing.T) {
	needRoot(t)
	from := t.TempDir()
	owned := File("owned", "x", 0o4711)
	owned.Uid, owned.Gid, owned.ModTime, owned.Format = 12, 34, time.Unix(5, 6), tar.FormatPAX
	entries := append([]Entry{
		Dir("./", 0o751), owned, entry(tar.TypeChar, "null", func(e *Entry) { e.Devmajor, e.Devminor = 1, 3 }), entry(tar.TypeFifo, "p", func(*Entry) {}),
		{Header: tar.Header{Typeflag: tar.TypeReg, Name: "x", Mode: 0o600, PAXRecords: map[string]string{"SCHILY.xattr.user.k": "v"}}},
	}, changeBase...)
	for i := range 700 {
		entries = append(entries, File(fmt.Sprintf("many/%d/%d", i%30, i), fmt.Sprint(i)))
	}
	if _, err := apply(t, from, Tar(entries...), layer.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	sparse, err := os.Create(filepath.Join(from, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = sparse.WriteAt([]byte("end"), 8<<20)
	if err := sparse.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		disturb(r, from)
	}
	to := filepath.Join(t.TempDir(), "copy")
	if err := layer.Copy(context.Background(), to, from); err != nil {
		t.Fatal(err)
	}
	want, err := Tree(from, All)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Tree(to, All)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var st unix.Stat_t
	if err := unix.Stat(to+"/sparse", &st); err == nil && st.Blocks*512 > 1<<20 {
		t.Errorf("the copy of a sparse file takes %d bytes", st.Blocks*512)
	}
}

func TestCopyFails(t *testing.T) {
	from := t.TempDir()
	if err := os.MkdirAll(from+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := layer.Copy(context.Background(), t.TempDir(), from); err == nil {
		t.Error("an existing target was taken")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := layer.Copy(ctx, filepath.Join(t.TempDir(), "x"), from); err == nil {
		t.Error("an ended context did not end it")
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	if err := layer.Remove(dir + "/nothing/at/all"); err != nil {
		t.Error(err)
	}
	victim := t.TempDir()
	if err := os.WriteFile(victim+"/f", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tree := dir + "/tree"
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, tree+"/link"); err != nil {
		t.Fatal(err)
	}
	// Two chains, each deeper than a path can say.
	for _, name := range []string{"x", "y"} {
		fd, err := unix.Open(tree, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			if err := unix.Mkdirat(fd, name, 0o700); err != nil {
				t.Fatal(err)
			}
			next, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(fd)
			fd = next
		}
		unix.Close(fd)
	}
	if err := layer.Remove(tree); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(tree); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Lstat(victim + "/f"); err != nil {
		t.Error(err)
	}
	if err := layer.Remove(victim + "/f"); err != nil {
		t.Error(err)
	}
}
