package integration

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCopy(t *testing.T) {
	e := start(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "d/e"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("d/a", "one\n")
	write("d/e/b", "two\n")
	if err := os.Symlink("a", filepath.Join(dir, "d/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("d", filepath.Join(dir, "dirlink")); err != nil {
		t.Fatal(err)
	}
	e.must("create", "--name", "box", "-v", "vol:/vol", "--tmpfs", "/fleeting", "testbox", "sleep", "1000")
	for _, state := range []string{"created", "running", "exited"} {
		switch state {
		case "running":
			e.must("start", "box")
			e.must("cp", dir+"/d/a", "box:/fleeting/a")
			e.fails(1, "Could not find the file /fleeting/none in container box", "cp", "box:/fleeting/none", dir)
		case "exited":
			e.must("stop", "-t", "0", "box")
		}
		to := "/" + state
		e.must("cp", dir+"/d", "box:"+to)
		e.must("cp", dir+"/d/.", "box:"+to+"/into")
		e.must("cp", dir+"/d/a", "box:/vol/"+state)
		e.must("cp", "-L", dir+"/dirlink", "box:"+to+"/followed")
		e.must("cp", dir+"/dirlink", "box:"+to+"/kept")
		e.fails(1, "no such directory", "cp", dir+"/d/a", "box:/none/")
		e.fails(1, "cannot copy directory", "cp", dir+"/d", "box:/etc/passwd")
		e.fails(1, "Could not find the file /none in container box", "cp", "box:/none", dir)
		back := t.TempDir()
		e.must("cp", "box:"+to, back)
		e.must("cp", "box:/vol/.", back+"/vol")
		var got []string
		err := filepath.WalkDir(back, func(path string, d os.DirEntry, err error) error {
			if !d.IsDir() {
				name, _ := filepath.Rel(back, path)
				got = append(got, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"a", "e/b", "followed/a", "followed/e/b", "followed/link", "into/a", "into/e/b", "into/link", "kept", "link"}
		for i := range want {
			want[i] = state + "/" + want[i]
		}
		if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
		if target, err := os.Readlink(filepath.Join(back, state, "kept")); err != nil || target != "d" {
			t.Errorf("a copied link points to %q: %v", target, err)
		}
		if text, err := os.ReadFile(filepath.Join(back, "vol", state)); err != nil || string(text) != "one\n" {
			t.Errorf("from the volume: %q, %v", text, err)
		}
	}
	if r := e.docker("cp", "box:/created/e", "-"); !strings.Contains(r.out, "two\n") {
		t.Errorf("to stdout: %d %q", r.code, r.err)
	}
	want := []string{"A /created", "A /exited", "A /fleeting", "A /running", "A /vol"}
	var top []string
	for line := range strings.Lines(e.must("diff", "box")) {
		if strings.Count(line, "/") == 1 && line[0] == 'A' {
			top = append(top, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, top); diff != "" {
		t.Errorf("diff (-want +got):\n%s", diff)
	}
}

// Programs know a container by /.dockerenv. It is none of the container's changes.
func TestMarksOfAContainer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux programs look for them")
	}
	e := start(t)
	mounts := e.must("run", "--name", "box", "--read-only", "testbox", "sh", "-c", "cat /.dockerenv && cat /etc/mtab")
	if !strings.Contains(mounts, " / ") {
		t.Errorf("/etc/mtab: %q", mounts)
	}
	if got := e.must("diff", "box"); got != "" {
		t.Errorf("changes: %q", got)
	}
	e.must("start", "box") // they are there already
}
