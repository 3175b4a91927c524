package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inPart runs a program of a container that has a part of the volume vol at /data.
func (e *engine) inPart(sub string, args ...string) result {
	return e.docker(append([]string{"run", "--rm", "--network", "none", "--mount", "type=volume,src=vol,dst=/data,volume-nocopy,volume-subpath=" + sub, "testbox"}, args...)...)
}

func TestVolumeSubpath(t *testing.T) {
	e := start(t)
	e.must("volume", "create", "vol")
	dir := e.must("volume", "inspect", "vol", "--format", "{{.Mountpoint}}")
	for _, d := range []string{"sub", "full"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"in": "full", "abs": "/etc", "up": "../.."} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "full/f"), []byte("kept\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"full", "in", "sub/../full"} {
		if r := e.inPart(sub, "cat", "/data/f"); r.code != 0 || r.out != "kept\n" {
			t.Errorf("%s: %+v", sub, r)
		}
	}
	file := e.docker("run", "--rm", "--mount", "type=volume,src=vol,dst=/file,volume-nocopy,volume-subpath=full/f", "testbox", "cat", "/file")
	if file.code != 0 || file.out != "kept\n" {
		t.Errorf("a file: %+v", file)
	}
	for sub, want := range map[string]string{
		"nope": "cannot access path " + dir + "/nope: lstat " + dir + "/nope: no such file or directory",
		"abs":  "path concatenation escapes the base directory, base: " + dir + ", subpath: abs",
		"up":   "path concatenation escapes the base directory, base: " + dir + ", subpath: up",
		"../x": "subpath must be a relative path within the volume",
		"/etc": "subpath must be a relative path within the volume",
	} {
		if r := e.inPart(sub, "cat", "/data"); r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %+v, want %s", sub, r, want)
		}
	}
	for _, sub := range []string{"../x", "/etc", "full/../.."} {
		e.fails(1, "subpath must be a relative path within the volume", "create", "--mount", "type=volume,src=vol,dst=/data,volume-subpath="+sub, "testbox")
	}
	// What the image has at the place goes into a part that is empty.
	e.must("create", "--name", "part", "--mount", "type=volume,src=vol,dst=/data,volume-subpath=sub", "testbox", "sh", "-c", "cat /data/seed; write /data/new x")
	if b, err := os.ReadFile(filepath.Join(dir, "sub/seed")); err != nil || string(b) != "from the image\n" {
		t.Errorf("copied up: %q %v", b, err)
	}
	if got := e.must("start", "-a", "part"); got != "from the image" {
		t.Errorf("it saw %q", got)
	}
	to := filepath.Join(t.TempDir(), "new")
	e.must("cp", "part:/data/new", to)
	if b, err := os.ReadFile(to); err != nil || !strings.HasPrefix(string(b), "x") {
		t.Errorf("copied out of the part: %q %v", b, err)
	}
}

// TestVolumeSubpathSwapped has a process exchange a part of a volume with a link to the host, as a container that has the whole
// volume can. What is mounted is of the volume, or the start fails.
func TestVolumeSubpathSwapped(t *testing.T) {
	e := start(t)
	e.must("volume", "create", "vol")
	dir := e.must("volume", "inspect", "vol", "--format", "{{.Mountpoint}}")
	host := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(at("sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{at("sub/f"): "inside\n", filepath.Join(host, "f"): "outside\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(host, at("link")); err != nil {
		t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
			}
			for _, m := range [][2]string{{"sub", "dir"}, {"link", "sub"}, {"sub", "link"}, {"dir", "sub"}} {
				if err := os.Rename(at(m[0]), at(m[1])); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	seen := map[string]int{}
	for range 60 {
		r := e.inPart("sub", "cat", "/data/f")
		seen[r.out]++
		switch {
		case r.code == 0 && r.out == "inside\n", r.code != 0 && r.out == "" && (strings.Contains(r.err, "cannot access path") || strings.Contains(r.err, "escapes the base directory")):
		default:
			t.Errorf("with a part that is exchanged: %+v", r)
		}
	}
	close(end)
	<-ended
	t.Logf("%v", seen)
}
