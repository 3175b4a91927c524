package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestImageMount mounts an image into a container, as dockerd 28.5.2 does: read-only, whole or a part of it, and the image stays for
// as long as the container does.
func TestImageMount(t *testing.T) {
	for _, driver := range []string{"", "copy"} {
		t.Run(driver, func(t *testing.T) {
			e := start(t, func(e *engine) {
				if driver != "" {
					e.flags = append(e.flags, "--storage-driver", driver)
				}
			})
			e.must("run", "--name", "maker", "testbox", "sh", "-c", "mkdir /d; write /d/f inside; ln -s /etc /d/out; ln -s d /in")
			e.must("commit", "maker", "data:1")
			e.must("rm", "maker")
			testImageMount(t, e)
		})
	}
}

func testImageMount(t *testing.T, e *engine) {
	mount := func(more string) string { return "type=image,source=data:1,target=/x" + more }
	for sub, want := range map[string]string{"d": "/x/f", "in": "/x/f", "": "/x/d/f", "d/f": "/x"} {
		more := ""
		if sub != "" {
			more = ",image-subpath=" + sub
		}
		if r := e.docker("run", "--rm", "--mount", mount(more), "testbox", "cat", want); r.code != 0 || strings.TrimSpace(r.out) != "inside" {
			t.Errorf("%q: %+v", sub, r)
		}
	}
	for sub, want := range map[string]string{
		"../d":  `invalid mount config for type "image": subpath must be a relative path within the volume`,
		"nope":  "cannot access path ",
		"d/out": "path concatenation escapes the base directory, base: ",
	} {
		if r := e.docker("run", "--rm", "--mount", mount(",image-subpath="+sub), "testbox", "true"); r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %+v, want %s", sub, r, want)
		}
	}
	e.fails(1, "No such image: none:latest", "create", "--pull", "never", "--mount", "type=image,source=none,target=/x", "testbox")

	r := e.docker("create", "--name", "box", "--mount", mount(",image-subpath=d"), "testbox", "sleep", "1000")
	if r.code != 0 || !strings.Contains(r.err, "WARNING: Image mount is an experimental feature") {
		t.Errorf("create: %+v", r)
	}
	format := "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.Mode}} {{.RW}} {{.Propagation}} {{.Driver}}{{end}} {{json .HostConfig.Mounts}}"
	if got, want := e.must("inspect", "-f", format, "box"), `image data:1 /x  false rprivate  [{"Type":"image","Source":"data:1","Target":"/x","ImageOptions":{"Subpath":"d"}}]`; got != want {
		t.Errorf("inspect shows %s, want %s", got, want)
	}
	copied := func() {
		t.Helper()
		to := filepath.Join(t.TempDir(), "f")
		e.must("cp", "box:/x/f", to)
		if b, err := os.ReadFile(to); err != nil || strings.TrimSpace(string(b)) != "inside" {
			t.Errorf("copied out of the image: %q %v", b, err)
		}
		e.fails(1, "mounted volume is marked read-only", "cp", to, "box:/x")
	}
	copied()
	e.must("start", "box")
	copied()
	if r := e.docker("exec", "box", "write", "/x/f", "mine"); r.code == 0 || !strings.Contains(strings.ToLower(r.err), "read-only") {
		t.Errorf("a write into the image: %+v", r)
	}
	e.kill(syscall.SIGKILL)
	e.boot()
	copied()
	if got := e.must("exec", "box", "cat", "/x/f"); got != "inside" {
		t.Errorf("after the daemon was killed: %q", got)
	}
	e.must("run", "--rm", "--volumes-from", "box", "testbox", "cat", "/x/f")
	e.fails(1, "conflict: unable to remove repository reference \"data:1\" (must force) - container ", "rmi", "data:1")
	e.must("image", "prune", "-af")
	e.must("restart", "-t", "0", "box")
	if got := e.must("exec", "box", "cat", "/x/f"); got != "inside" {
		t.Errorf("after a restart: %q", got)
	}
	e.must("rm", "-f", "box")
	e.must("rmi", "data:1")
}
