package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVolumes(t *testing.T) {
	e := start(t)
	run := func(want string, args ...string) {
		t.Helper()
		if r := e.docker(append([]string{"run", "--rm"}, args...)...); r.code != 0 || r.out != want {
			t.Errorf("run %v: %d %q %q, want %q", args, r.code, r.out, r.err, want)
		}
	}
	// What the image has at the place goes into a new volume, with its owner, and once only.
	run("from the image\n", "-v", "vol:/data", "testbox", "sh", "-c", "cat /data/seed; write /data/seed changed")
	run("changed\n", "-v", "vol:/data", "testbox", "cat", "/data/seed")
	run("", "--mount", "type=volume,dst=/data,volume-nocopy", "testbox", "ls", "/data")
	e.fails(1, "read-only file system", "run", "--rm", "-v", "vol:/data:ro", "testbox", "touch", "/data/x")

	e.must("run", "--name", "holder", "-v", "vol:/data", "-v", "/anon", "testbox", "write", "/anon/a", "kept")
	run("changed\nkept\n", "--volumes-from", "holder", "testbox", "cat", "/data/seed", "/anon/a")
	e.fails(1, "read-only file system", "run", "--rm", "--volumes-from", "holder:ro", "testbox", "touch", "/anon/x")
	e.fails(1, "volume is in use", "volume", "rm", "vol")
	e.must("rm", "-v", "holder")
	if got := e.must("volume", "ls", "-q"); got != "vol" {
		t.Errorf("after rm -v there are %q: anonymous volumes go, named ones stay", got)
	}
	e.must("volume", "create", "--label", "a=b", "other")
	if got := e.must("volume", "ls", "--filter", "label=a=b", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"); got != "other local local" {
		t.Errorf("volume ls: %q", got)
	}
	e.must("volume", "prune", "-af", "--filter", "label=a")
	e.must("volume", "rm", "vol")
	e.fails(1, "get vol: no such volume", "volume", "inspect", "vol")
}

func TestBindsAndTmpfs(t *testing.T) {
	e := start(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("host\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		out  string
		code int
		err  string
	}{
		{[]string{"-v", dir + ":/b", "testbox", "cat", "/b/f"}, "host\n", 0, ""},
		{[]string{"-v", dir + "/f:/etc/f:ro", "testbox", "cat", "/etc/f"}, "host\n", 0, ""},
		{[]string{"-v", dir + ":/b:ro", "testbox", "touch", "/b/x"}, "", 1, "read-only file system"},
		{[]string{"--mount", "type=bind,src=" + dir + ",dst=/a/b/c", "testbox", "ls", "/a/b/c"}, "f\n", 0, ""},
		{[]string{"--mount", "type=bind,src=" + dir + "/none,dst=/b", "testbox"}, "", 125, "bind source path does not exist: " + dir + "/none"},
		{[]string{"-v", dir + ":/b", "-v", dir + "/f:/b", "testbox"}, "", 125, "Duplicate mount point: /b"},
		{[]string{"-v", dir + "/made:/b", "testbox", "ls", "/b"}, "", 0, ""},
	} {
		r := e.docker(append([]string{"run", "--rm"}, tc.args...)...)
		if r.code != tc.code || r.out != tc.out || !strings.Contains(r.err, tc.err) {
			t.Errorf("run %v: %d %q %q, want %d %q %q", tc.args, r.code, r.out, r.err, tc.code, tc.out, tc.err)
		}
	}
	if got := e.must("run", "--rm", "--mount", "type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=1770", "testbox", "mounts"); !strings.Contains(got, "mode=1770") || !strings.Contains(got, "size=2048k") {
		t.Errorf("the mode and size of a tmpfs: %s", got)
	}
}
