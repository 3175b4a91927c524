package archive

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/xcengine/xc/engine"
)

func TestStreamsEndWithTheirContext(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "big = "+strings.Repeat("x", 4<<20))
	ctx, cancel := context.WithCancel(t.Context())
	a, err := Files{}.Read(ctx, rootOf(root), "/big")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(a, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, a); !errors.Is(err, context.Canceled) {
		t.Errorf("reading on: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := (Files{}).Write(ctx, rootOf(root), "/", pour(t), engine.ExtractOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("writing: %v", err)
	}
}

func TestClosedEarlyNothingStaysOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts descriptors in /proc/self/fd")
	}
	root := t.TempDir()
	plant(t, root, "d/", "d/big = "+strings.Repeat("x", 4<<20))
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := count()
	for range 10 {
		a, err := Files{}.Read(t.Context(), rootOf(root), "/d")
		if err != nil {
			t.Fatal(err)
		}
		io.ReadFull(a, make([]byte, 100))
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"/none", "/d/big/", "/d/.."} {
			Files{}.Stat(t.Context(), rootOf(root), name)
		}
		Files{}.Write(t.Context(), rootOf(root), "/d", pour(t, file("a/b", "x"), file("../x", "x")), engine.ExtractOptions{})
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// A container rewrites and swaps its files while they are read: every stream is a whole tar, and nothing of the host is in it.
func TestReadWhileTheContainerWrites(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	plant(t, root, "d/sub/", "d/sub/secret = inside", "d/f = "+strings.Repeat("y", 1<<20))
	plant(t, outside, "secret = outside")
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		sub, other, f := filepath.Join(root, "d/sub"), filepath.Join(root, "other"), filepath.Join(root, "d/f")
		for ctx.Err() == nil {
			os.Rename(sub, other)
			os.Symlink(outside, sub)
			os.Truncate(f, 10)
			os.Remove(sub)
			os.Rename(other, sub)
			os.Truncate(f, 1<<20)
		}
	})
	for range 200 {
		_, got := read(t, rootOf(root), "/d")
		for _, m := range got {
			if strings.Contains(m, "= outside") {
				t.Fatal("a file of the host was read")
			}
		}
	}
	cancel()
	writer.Wait()
}
