package integration

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/build"
)

// contextOf is a context as a client may send it: a file's content by its name, in this order. A content that begins with "@"
// is a link's target, one with "=" a hard link's.
func contextOf(t testing.TB, files ...[2]string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}
		switch {
		case strings.HasPrefix(f[1], "@"):
			h.Typeflag, h.Linkname, h.Size, f[1] = tar.TypeSymlink, f[1][1:], 0, ""
		case strings.HasPrefix(f[1], "="):
			h.Typeflag, h.Linkname, h.Size, f[1] = tar.TypeLink, f[1][1:], 0, ""
		}
		err := w.WriteHeader(h)
		if err == nil {
			_, err = io.WriteString(w, f[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// send builds a context that no client of Docker's would send, and returns what the stream tells.
func (e *engine) send(o build.ImageBuildOptions, files ...[2]string) (string, error) {
	e.t.Helper()
	o.Remove, o.ForceRemove = true, true
	res, err := e.client().ImageBuild(context.Background(), contextOf(e.t, files...), o)
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		e.t.Fatal(err)
	}
	return string(out), nil
}

// Names in a context that lead out of it mean files in it, as with dockerd: nothing is above a context.
func TestBuildOfUncleanContexts(t *testing.T) {
	e := start(t)
	recipe := [2]string{"./x/../Dockerfile", "FROM testbox\nCOPY . /x\nRUN cat /x/foo /x/abs /x/b /x/h /x/y /x/sub/z > /f\n"}
	files := func(foo string) [][2]string {
		return [][2]string{
			recipe,
			{"../foo", foo},
			{"/abs", "2"},
			{"./a/../b", "3"},
			{"h", "=../../foo"},
			{"x/../../y", "4"},
			{"up", "@../../../../sub"},
			{"sub/keep", ""},
			{"up/z", "5"},
		}
	}
	for _, foo := range []string{"0", "1"} {
		out, err := e.send(build.ImageBuildOptions{Tags: []string{"unclean"}}, files(foo)...)
		if err != nil || strings.Contains(out, "Using cache") {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := e.must("run", "--rm", "unclean", "cat", "/f"); got != foo+"23"+foo+"45" {
			t.Errorf("the image holds %q", got)
		}
	}

	at := func(name, stands string) error {
		_, err := e.send(build.ImageBuildOptions{Dockerfile: name}, [2]string{stands, "FROM scratch\nCOPY foo /\n"}, [2]string{"foo", "f"}, [2]string{"r/D", "FROM nowhere\n"}, [2]string{"s/l", "@../../../s"})
		return err
	}
	for _, name := range []string{"s/D", "/s/D", "./s/D", "s//D", "s/t/../D", "/../s/D", "s/l/D"} {
		if err := at(name, "s/D"); err != nil {
			t.Errorf("a recipe named %q: %v", name, err)
		}
	}
	for _, name := range []string{"../s/D", "s/../../s/D", "..", "../../etc/passwd"} {
		if err := at(name, "s/D"); err == nil || !strings.Contains(err.Error(), "forbidden path outside the build context: "+name+" ()") {
			t.Errorf("a recipe named %q: %v", name, err)
		}
	}
}

// Recipes that would become larger than memory are refused, and the daemon serves on.
func TestRecipesThatGrow(t *testing.T) {
	e := start(t)
	double := func(line string, n int) string { return strings.Repeat(line+"\n", n) }
	for name, text := range map[string]string{
		"words":            "FROM testbox\nENV A=xxxxxxxxxxxxxxxx\n" + double("ENV A=$A$A", 14) + "LABEL" + strings.Repeat(" a=$A", 9000) + "\n",
		"a replacement":    "FROM testbox\nENV A=xxxxxxxxxxxxxxxx\n" + double("ENV A=$A$A", 14) + "LABEL l=${A//x/" + strings.Repeat("y", 50000) + "}\n",
		"ARG before FROM":  "ARG A=xxxxxxxxxxxxxxxx\n" + double("ARG A=$A$A", 40) + "FROM testbox\n",
		"a file's content": "FROM testbox\nENV A=xxxxxxxxxxxxxxxx\n" + double("ENV A=$A$A", 14) + "COPY <<EOF /f\n" + strings.Repeat("$A", 20000) + "\nEOF\n",
	} {
		out, err := e.send(build.ImageBuildOptions{}, [2]string{"Dockerfile", text})
		if err == nil {
			err = told(strings.NewReader(out))
		}
		if err == nil || !strings.Contains(err.Error(), "too large") && !strings.Contains(err.Error(), "bytes are more than") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.cmd.Process.Pid))
	if err != nil {
		t.Skip("the daemon's memory is not told here")
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	var kib int
	if _, err := fmt.Sscan(peak, &kib); err != nil {
		t.Fatal(err)
	}
	if kib > 1<<20 {
		t.Errorf("it took %d KiB", kib)
	}
}
