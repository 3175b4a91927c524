package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
)

var updateBuilds = flag.Bool("update-builds", false, "write testdata/builds: from the oracle what it can build, all else from this engine")

// recipe is a Dockerfile with its context.
type recipe struct {
	name  string
	text  string            // the Dockerfile; testbox is there
	files map[string]string // of the context: content by path; "@target" is a link, "x!content" has mode 0755, a name in "/" is a directory
	args  []string          // of docker build; CONTEXT is the context's directory
	stdin bool              // the Dockerfile comes on stdin and is all there is
	// ours says why dockerd's classic builder is not asked: it cannot do it, or does it otherwise for a reason.
	ours string
	// freebsd says why something else is made of it on FreeBSD: of files there is then NAME.freebsd.golden beside the other.
	freebsd string
}

const (
	buildKitOnly = "BuildKit's alone: the classic builder refuses it"
	bsdGroups    = "a new file's group is its directory's, not its maker's: open(2)"
)

// TestBuilds builds every recipe and compares what came of it, files, configuration and history, with what is written down
// in testdata/builds: there from a real dockerd where it has the feature, which XC_ORACLE names anew.
func TestBuilds(t *testing.T) {
	e := start(t)
	var o *engine
	if os.Getenv("XC_ORACLE") != "" {
		o = oracle(t)
		o.sparing(t)
	}
	for _, r := range recipes {
		t.Run(r.name, func(t *testing.T) {
			file := filepath.Join("testdata", "builds", r.name+".golden")
			if runtime.GOOS == "freebsd" && r.freebsd != "" {
				file = filepath.Join("testdata", "builds", r.name+".freebsd.golden")
			}
			got := asDockerd(e.as(t).built(t, r))
			var theirs string
			if o != nil && r.ours == "" {
				theirs = o.as(t).built(t, r)
			}
			if *updateBuilds {
				if theirs == "" {
					theirs = got
				}
				if err := os.WriteFile(file, []byte(theirs), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("this engine made\n%s\nwant\n%s", got, want)
			}
			if theirs != "" && theirs != string(want) {
				t.Errorf("the oracle made\n%s\nwant\n%s", theirs, want)
			}
		})
	}
}

// sparing removes, at the test's end, the images without a name and the containers that builds left in an engine that is not
// the test's own: dockerd keeps those of failed steps.
func (e *engine) sparing(t *testing.T) {
	list := func(args ...string) []string { return strings.Fields(e.must(append(args, "-q", "--no-trunc")...)) }
	images, containers := list("images", "-f", "dangling=true"), list("ps", "-a")
	t.Cleanup(func() {
		for _, id := range list("ps", "-a") {
			if !slices.Contains(containers, id) {
				e.must("rm", "-f", id)
			}
		}
		for _, id := range list("images", "-f", "dangling=true") {
			if !slices.Contains(images, id) {
				e.must("rmi", id)
			}
		}
	})
}

// as is the engine with another test to report to.
func (e *engine) as(t *testing.T) *engine {
	sub := *e
	sub.t = t
	return &sub
}

// built builds a recipe and describes what came of it.
func (e *engine) built(t *testing.T, r recipe) string {
	t.Helper()
	tag := "xcbuild-" + strings.ToLower(r.name)
	dir := r.plant(t)
	args := []string{"build", "-t", tag}
	for _, a := range r.args {
		args = append(args, strings.ReplaceAll(a, "CONTEXT", dir))
	}
	stdin := ""
	if r.stdin {
		stdin, dir = r.text, "-"
	}
	res := e.feed(stdin, append(args, dir)...)
	defer e.docker("rmi", "-f", tag)
	if res.code != 0 {
		return fmt.Sprintf("exit code %d\n%s\n", res.code, failure(res.err))
	}
	config := e.must("image", "inspect", "-f", "{{json .Config}}", tag)
	history := e.must("history", "--no-trunc", "--format", "{{json .CreatedBy}}", tag)
	id := e.must("create", tag, "x")
	defer e.docker("rm", "-f", "-v", id)
	return "config " + plainConfig(t, config) + "\n" + e.files(t, id) + plainHistory(t, history)
}

// plant writes the context.
func (r recipe) plant(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plantIn(t, dir, map[string]string{"Dockerfile": r.text})
	plantIn(t, dir, r.files)
	return dir
}

// plantIn writes files, whose content says what they are as a recipe's does.
func plantIn(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		target, isLink := strings.CutPrefix(content, "@")
		script, isScript := strings.CutPrefix(content, "x!")
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case isLink:
			err = os.Symlink(target, path)
		case isScript:
			err = os.WriteFile(path, []byte(script), 0o755)
		default:
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

var (
	ids      = regexp.MustCompile(`(sha256:|file:|dir:|multi:)[0-9a-f]{64}|/tmp/[^ :]*`)
	advice   = regexp.MustCompile(`(?s)DEPRECATED: The legacy builder.*?environment-variable\.\n`)
	ociWords = regexp.MustCompile(`.*: (exec: ".*?": [^:]*).*`)
)

// failure is what the client told of a failed build, without what differs from host to host.
func failure(errs string) string {
	errs = strings.TrimSpace(advice.ReplaceAllString(errs, ""))
	lines := strings.Split(errs, "\n")
	return ociWords.ReplaceAllString(ids.ReplaceAllString(lines[len(lines)-1], "$1…"), "$1")
}

// plainConfig is an image's configuration without what is empty.
func plainConfig(t *testing.T, text string) string {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	for key, v := range c {
		switch v := v.(type) {
		case nil:
			delete(c, key)
		case string:
			if v == "" || key == "Hostname" || key == "Image" {
				delete(c, key)
			}
		case bool:
			if !v {
				delete(c, key)
			}
		case []any:
			if len(v) == 0 {
				delete(c, key)
			}
		case map[string]any:
			if len(v) == 0 {
				delete(c, key)
			}
		}
	}
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// plainHistory is the history of what was made here, oldest first, with digests masked. It takes one JSON string a line.
func plainHistory(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	for _, line := range slices.Backward(strings.Split(text, "\n")) {
		var by string
		if err := json.Unmarshal([]byte(line), &by); err != nil {
			t.Fatal(err)
		}
		if by != "" {
			fmt.Fprintf(&out, "by %s\n", strings.ReplaceAll(ids.ReplaceAllString(by, "$1…"), "\n", "\\n"))
		}
	}
	return out.String()
}

// own are the files that every container has or that engines put there.
var own = regexp.MustCompile(`^(bin/.*|data/|dev/.*|proc/|sys/|tmp/|var/|root/|etc/|bin/|etc/(passwd|group|notexec|hosts|hostname|resolv\.conf|mtab)|\.dockerenv)$`)

// files lists what a container's root holds beyond testbox's own, without times.
func (e *engine) files(t *testing.T, id string) string {
	t.Helper()
	cmd := e.command(context.Background(), "export", id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for r := tar.NewReader(out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if own.MatchString(h.Name) {
			continue
		}
		line := fmt.Sprintf("%c %o %d:%d %s", h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			var b bytes.Buffer
			if _, err := io.Copy(&b, r); err != nil {
				t.Fatal(err)
			}
			if line += fmt.Sprintf(" %q", b.String()); b.Len() > 200 {
				line = fmt.Sprintf("%c %o %d:%d %s %d %x", h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, h.Name, b.Len(), sha256.Sum256(b.Bytes()))
			}
		case tar.TypeSymlink, tar.TypeLink:
			line += " -> " + h.Linkname
		}
		lines = append(lines, asDockerd(line))
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(append(lines, ""), "\n")
}

// packed is a tar, compressed or not, of one file that has an owner of its own.
func packed(compress bool, name, content string) string {
	var b bytes.Buffer
	var w io.Writer = &b
	var gz *gzip.Writer
	if compress {
		gz = gzip.NewWriter(&b)
		w = gz
	}
	t := tar.NewWriter(w)
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o640, Uid: 7, Gid: 8, Size: int64(len(content)), ModTime: time.Unix(1e9, 0)}
	err := t.WriteHeader(h)
	if err == nil {
		_, err = io.WriteString(t, content)
	}
	err = errors.Join(err, t.Close())
	if gz != nil {
		err = errors.Join(err, gz.Close())
	}
	if err != nil { // into memory: cannot be
		panic(err)
	}
	return b.String()
}

// Tars of one file, in/a, of 7:8 with the mode 0640.
var (
	xzPacked  = decoded("/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4Af/AEldADSbgeSWg12RNVRAJXV6aJUYi6TQabsxEeKnZl9mrWPnArtkZzQj/AoA7d7Yl9oHMWFnvBIcSORa46o163KFUxvP0t/65I/Y7AAAAAAA4+I8XgABYYAQAAAAL+8C4T4wDYsCAAAAAAFZWg==")
	bz2Packed = decoded("QlpoOTFBWSZTWad2FawAADPbgPEQQAD/gAAEYCEeAAgIIABUU00AANA0EkKaNBoaGgfcYw0IwgEUtW9atIQym9qXT2dEmRVg5gHCt5tICioUOF+QFBH4e5MzYlPxdyRThQkKd2FawA==")
	zstPacked = decoded("KLUv/QRo/QEAckMKEMAbxjTF9D+/lCIk7aDAvRQC54uckiweOET1/jRUU9gS+2D71L8nHEYHIHAf+v1jjjqAaVDnwy7Jk3sDvLrMgg==")
)

// decoded is what base64 stands for.
func decoded(text string) string {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil { // a constant of the tests
		panic(err)
	}
	return string(b)
}

// A build of an unchanged tree runs nothing; a changed file runs again what depends on it and nothing else.
func TestBuildCache(t *testing.T) {
	e := start(t)
	r := recipe{
		text:  "FROM testbox AS a\nCOPY one /one\nRUN cat /one > /a\nFROM testbox AS b\nCOPY two /two\nRUN cat /two > /b\nFROM testbox\nCOPY --from=a /a /\nCOPY --from=b /b /\nRUN echo end > /end\n",
		files: map[string]string{"one": "1", "two": "2"},
	}
	dir := r.plant(t)
	build := func(args ...string) string {
		return e.must(append([]string{"build", "-t", "cached"}, append(args, dir)...)...)
	}
	steps := func(out string) (run, found int) {
		return strings.Count(out, "Running in"), strings.Count(out, "Using cache")
	}
	if run, found := steps(build()); run != 3 || found != 0 {
		t.Errorf("first build: %d run, %d found", run, found)
	}
	first := e.must("image", "inspect", "-f", "{{.Id}}", "cached")
	if run, found := steps(build()); run != 0 || found != 7 {
		t.Errorf("second build: %d run, %d found", run, found)
	}
	if again := e.must("image", "inspect", "-f", "{{.Id}}", "cached"); again != first {
		t.Errorf("the second build made %s of %s", again, first)
	}
	now := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "one"), now, now); err != nil {
		t.Fatal(err)
	}
	if run, _ := steps(build()); run != 0 {
		t.Errorf("a changed time ran %d steps", run)
	}
	if err := os.WriteFile(filepath.Join(dir, "two"), []byte("22"), 0o644); err != nil {
		t.Fatal(err)
	}
	if run, found := steps(build()); run != 2 || found != 3 {
		t.Errorf("after a change of the second stage's file: %d run, %d found", run, found)
	}
	if got := e.must("run", "--rm", "cached", "cat", "/a", "/b", "/end"); got != "122end" {
		t.Errorf("the image holds %q", got)
	}
	if run, found := steps(build("--no-cache")); run != 3 || found != 0 {
		t.Errorf("without the cache: %d run, %d found", run, found)
	}
	if got := e.must("images", "-q", "-f", "dangling=true"); strings.Count(got, "\n") > 2 {
		t.Errorf("intermediate images are shown: %s", got)
	}
	e.must("rmi", "-f", "cached")
	e.must("image", "prune", "-f")
	e.must("builder", "prune", "-a", "-f")
	if got := e.must("system", "df", "--format", "{{.Type}} {{.TotalCount}}"); !strings.Contains(got, "Build Cache 0") {
		t.Errorf("after the prune: %s", got)
	}
	if got := e.must("images", "-a", "--format", "{{.Repository}}"); got != "testbox" {
		t.Errorf("after the prune there are %q", got)
	}
}

// A base that has no name any more, and that only the cache needs, is shown no longer and goes with the cache.
func TestPruneTakesTheCachesBase(t *testing.T) {
	e := start(t)
	archive := tarOf(t, map[string]string{"f": "f"})
	for how, forget := range map[string][]string{"pruned": {"image", "prune", "-a", "-f"}, "removed": {"rmi", "base"}} {
		if r := e.feed(archive, "import", "-", "base"); r.code != 0 {
			t.Fatal(r.err)
		}
		dir := recipe{text: "FROM base AS a\nENV A=1\nENV B=1\nFROM base\nCOPY --from=a /f /g\n"}.plant(t)
		e.must("build", dir)
		e.must("image", "prune", "-f")
		e.must(forget...)
		if got := e.must("images", "--format", "{{.Repository}}"); strings.Contains(got, "none") {
			t.Errorf("%s: shown are %s", how, got)
		}
		e.must("builder", "prune", "-f", "-a")
		if got := e.must("images", "-a", "--format", "{{.Repository}}"); strings.Contains(got, "none") || strings.Contains(got, "base") {
			t.Errorf("%s: there are %s", how, got)
		}
	}
}

// Builds of one tree at once do each step once and come to one image; when the one that does a step is ended, another does it.
func TestBuildsOfOneTreeAtOnce(t *testing.T) {
	e := start(t)
	dir := recipe{
		text:  "FROM testbox AS a\nCOPY d /d\nRUN sleep 1 && echo a > /a\nFROM testbox\nCOPY --from=a /a /d/f /\nRUN echo b > /b\n",
		files: map[string]string{"d/f": "f"},
	}.plant(t)
	first := make([]*exec.Cmd, 6)
	out := make([]bytes.Buffer, len(first))
	for i := range first {
		first[i] = e.command(t.Context(), "build", "-t", "same", dir)
		first[i].Stdout = &out[i]
		if err := first[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	runs, built := 0, map[string]bool{}
	for i, cmd := range first {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, out[i].String())
		}
		runs += strings.Count(out[i].String(), "Running in")
		_, id, _ := strings.Cut(out[i].String(), "Successfully built ")
		built[id] = true
	}
	if runs != 2 || len(built) != 1 {
		t.Errorf("%d steps ran, and there were built %v", runs, built)
	}
	long := recipe{text: "FROM testbox\nRUN test -e /tmp/x || sleep 2\n"}.plant(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, next := e.command(ctx, "build", long), e.command(t.Context(), "build", long)
	if err := ended.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the step runs", func() bool { return e.must("ps", "-q") != "" })
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	ended.Wait() //nolint:errcheck // it was killed
	if err := next.Wait(); err != nil {
		t.Errorf("the build that waited: %v", err)
	}
	eventually(t, "no container is left", func() bool { return e.must("ps", "-aq") == "" })
}

// Of a step that failed the container stays, so that one can look at it, unless the user asks otherwise; it outlives the daemon.
func TestContainerOfAFailedStep(t *testing.T) {
	e := start(t)
	dir := recipe{text: "FROM testbox\nRUN echo one > /one\nRUN echo two > /two && exit 7\n"}.plant(t)
	e.fails(7, "returned a non-zero code: 7", "build", "--force-rm", dir)
	if got := e.must("ps", "-aq"); got != "" {
		t.Fatalf("with --force-rm there are %s", got)
	}
	if got := e.docker("build", dir); strings.Count(got.out, "Removed intermediate container") != 0 || strings.Count(got.out, "Running in") != 1 {
		t.Errorf("it tells\n%s", got.out)
	}
	e.kill(syscall.SIGKILL)
	e.boot()
	id := e.must("ps", "-aq", "--filter", "exited=7", "--no-trunc")
	if len(id) != 64 {
		t.Fatalf("there are %q", id)
	}
	if got := e.must("diff", id); got != "A /two" {
		t.Errorf("the step changed %q", got)
	}
	e.must("commit", id, "looked-at")
	if got := e.must("run", "--rm", "--entrypoint", "cat", "looked-at", "/one", "/two"); got != "one\ntwo" {
		t.Errorf("the image of it holds %q", got)
	}
	e.must("rm", id)
	kept := recipe{text: "FROM testbox\nRUN echo three > /three\n"}.plant(t)
	e.must("build", "--rm=false", kept)
	if got := e.must("ps", "-a", "--format", "{{.Status}}"); !strings.HasPrefix(got, "Exited (0)") {
		t.Errorf("with --rm=false there are %q", got)
	}
}

// A build whose client leaves ends, and leaves nothing.
func TestBuildEndsWithItsClient(t *testing.T) {
	e := start(t)
	dir := recipe{text: "FROM testbox\nRUN echo started && sleep 1000\n"}.plant(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := e.command(ctx, "build", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the step runs", func() bool { return e.must("ps", "-q") != "" })
	cancel()
	cmd.Wait() //nolint:errcheck // it was killed
	eventually(t, "its container is gone", func() bool { return e.must("ps", "-aq") == "" })
}

// The history of an image that came from elsewhere serves as cache for those who name it, and only for them.
func TestBuildCacheFrom(t *testing.T) {
	e := start(t)
	r := recipe{
		text:  "FROM testbox\nENV A=1\nRUN echo one > /one\nCOPY d /d\nWORKDIR /w\nRUN echo two > /two\nCMD [\"x\"]\n",
		files: map[string]string{"d/a": "a", "d/b": "b"},
	}
	dir := r.plant(t)
	build := func(args ...string) string { return e.must(append(append([]string{"build"}, args...), dir)...) }
	build("-t", "shared")
	id := e.must("image", "inspect", "-f", "{{.Id}}", "shared")
	archive := filepath.Join(t.TempDir(), "shared.tar")
	e.must("save", "-o", archive, "shared")
	forget := func() {
		t.Helper()
		e.must("rmi", "-f", "shared")
		e.must("image", "prune", "-f")
		e.must("builder", "prune", "-a", "-f")
		if out := e.must("images", "-a", "--format", "{{.Repository}}"); out != "testbox" {
			t.Fatalf("there are still %s", out)
		}
		e.must("load", "-i", archive)
	}
	forget()
	out := build("--cache-from", "none:none", "--cache-from", "shared", "-t", "again")
	if strings.Contains(out, "Running in") || strings.Count(out, "Using cache") != 6 {
		t.Errorf("with the image as cache:\n%s", out)
	}
	if got := e.must("image", "inspect", "-f", "{{.Id}}", "again"); got != id {
		t.Errorf("it made %s of %s", got, id)
	}
	e.must("rmi", "-f", "again")
	forget()
	if err := os.WriteFile(filepath.Join(dir, "d", "b"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := build("--cache-from", "shared", "-t", "again"); strings.Count(out, "Using cache") != 2 || strings.Count(out, "Running in") != 1 {
		t.Errorf("after a change:\n%s", out)
	}
	if got := e.must("run", "--rm", "again", "cat", "/d/b", "/two"); got != "changedtwo" {
		t.Errorf("it holds %q", got)
	}
	e.must("rmi", "-f", "again")
	forget()
	if out := build("--cache-from", "shared", "--no-cache"); strings.Contains(out, "Using cache") {
		t.Errorf("without the cache:\n%s", out)
	}
	forget()
	if out := build("-t", "own"); strings.Contains(out, "Using cache") {
		t.Errorf("an image that nobody named is a cache:\n%s", out)
	}
	// What was built here serves, beside images that are named, as far as these were made of it.
	for from, want := range map[string]int{"own": 6, "testbox": 0, "none:none": 0} {
		if out := build("--cache-from", from); strings.Count(out, "Using cache") != want {
			t.Errorf("with %s as cache:\n%s", from, out)
		}
	}
	run := recipe{text: "FROM testbox\nRUN --mount=type=tmpfs,target=/m echo one > /one\n"}.plant(t)
	e.must("build", run)
	if out := e.must("build", "--cache-from", "testbox", run); !strings.Contains(out, "Using cache") {
		t.Errorf("of a step that no history can tell there is no cache:\n%s", out)
	}
}

// Of a recipe of hundreds of declarations not each makes an image, which would have the whole history: its cache, its history and
// what it declares are the same as if each did.
func TestLongRecipe(t *testing.T) {
	e := start(t)
	const labels = 420
	var text strings.Builder
	text.WriteString("FROM testbox\n")
	for i := range labels {
		fmt.Fprintf(&text, "LABEL l%d=%d\n", i%7, i)
		if i == 250 {
			text.WriteString("RUN echo $X > /x\nENV X=1\n")
		}
	}
	text.WriteString("RUN echo $X > /y\n")
	dir := recipe{text: text.String()}.plant(t)
	e.must("build", "-t", "long", dir)
	id := e.must("image", "inspect", "-f", "{{.Id}}", "long")
	if n := len(strings.Fields(e.must("images", "-a", "-q", "--no-trunc"))); n > 120 {
		t.Errorf("there are %d images", n)
	}
	history := strings.Split(e.must("history", "--no-trunc", "--format", "{{.CreatedBy}}", "long"), "\n")
	if n := strings.Count(strings.Join(history, "\n"), "LABEL"); n != labels {
		t.Errorf("history tells %d labels", n)
	}
	if got := e.must("image", "inspect", "-f", "{{.Config.Labels.l0}} {{.Config.Labels.l6}}", "long"); got != "413 419" {
		t.Errorf("the labels are %s", got)
	}
	if got := e.must("run", "--rm", "long", "cat", "/x", "/y"); got != "\n1" {
		t.Errorf("the image holds %q", got)
	}
	if out := e.must("build", dir); strings.Contains(out, "Running in") || !strings.Contains(out, "Successfully built "+strings.TrimPrefix(id, "sha256:")[:12]) {
		t.Errorf("the second build:\n%s", lastLines(out, 10))
	}
	archive := filepath.Join(t.TempDir(), "long.tar")
	e.must("save", "-o", archive, "long")
	e.must("rmi", "-f", "long")
	e.must("builder", "prune", "-a", "-f")
	e.must("load", "-i", archive)
	if out := e.must("build", "--cache-from", "long", "-t", "again", dir); strings.Contains(out, "Running in") {
		t.Errorf("with the image as cache:\n%s", lastLines(out, 10))
	}
	if got := e.must("image", "inspect", "-f", "{{.Id}}", "again"); got != id {
		t.Errorf("of the cache there was made %s, of the recipe %s", got, id)
	}
}

// A daemon that is killed at a step of a build leaves nothing of that step, and the steps before it in the cache.
func TestKilledInBuild(t *testing.T) {
	t.Parallel()
	e := start(t)
	const done = "FROM testbox\nRUN echo one > /one\nCOPY Dockerfile /\n"
	dir := recipe{text: done}.plant(t)
	e.must("build", dir)
	text := map[string]string{
		"build.made": "RUN echo two > /two\n", "build.ran": "RUN echo ran > /ran\n", "build.copied": "COPY Next /next\n", "build.committed": "RUN echo three > /three\n",
	}
	// The daemon's own control group comes with its first container and goes when it starts without any.
	steady := func() []string {
		return slices.DeleteFunc(e.footprint(), func(thing string) bool {
			return strings.HasPrefix(thing, "control group ") && strings.HasPrefix(filepath.Base(thing), "xc-")
		})
	}
	for step, last := range text {
		t.Run(step, func(t *testing.T) {
			e.t = t
			e.kill(syscall.SIGTERM)
			e.boot()
			before := steady()
			next := filepath.Join(dir, "Next")
			if err := os.WriteFile(next, []byte(done+last), 0o644); err != nil {
				t.Fatal(err)
			}
			e.dies(step, "build", "-f", next, dir)
			var diff string
			for end := time.Now().Add(kit.patience * 5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				if diff = cmp.Diff(before, steady()); diff == "" || time.Now().After(end) {
					break
				}
			}
			if diff != "" {
				t.Errorf("not as before (-before +now):\n%s", diff)
			}
			if got := e.must("build", "-f", next, dir); strings.Count(got, "Using cache") != 2 {
				t.Errorf("after the restart:\n%s", got)
			}
		})
	}
	e.t = t
}

// A daemon that is killed while it fetches a build's base image leaves nothing of either.
func TestKilledInPullOfABase(t *testing.T) {
	t.Parallel()
	e := start(t)
	stalled := make(chan struct{}, 1)
	whole := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	var stalls atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stalls.Load() && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			select {
			case stalled <- struct{}{}:
			default:
			}
			<-r.Context().Done()
			return
		}
		whole.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ref := strings.TrimPrefix(server.URL, "http://") + "/base:1"
	e.must("build", "-t", ref, recipe{text: "FROM testbox\nRUN echo base > /base\n"}.plant(t))
	e.must("push", ref)
	e.must("rmi", ref)
	e.must("builder", "prune", "-a", "-f")
	before := e.footprint()
	stalls.Store(true)
	dir := recipe{text: "FROM " + ref + "\nRUN cat /base\n"}.plant(t)
	cmd := e.command(context.Background(), "build", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-stalled
	e.kill(syscall.SIGKILL)
	cmd.Wait() //nolint:errcheck // its daemon is gone
	e.boot()
	e.asBefore(before)
	stalls.Store(false)
	if got := e.must("build", dir); !strings.Contains(got, "Successfully built") {
		t.Errorf("after the restart:\n%s", got)
	}
}

// A daemon that is killed amid a build leaves nothing of it but the steps that were done.
func TestBuildOfAKilledDaemon(t *testing.T) {
	e := start(t)
	dir := recipe{text: "FROM testbox\nRUN echo one > /one\nCOPY Dockerfile /\nRUN sleep 1000\n"}.plant(t)
	cmd := e.command(context.Background(), "build", dir)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last step runs", func() bool {
		return strings.Contains(e.must("ps", "--no-trunc", "--format", "{{.Command}}"), "sleep 1000")
	})
	e.cmd.Process.Kill() //nolint:errcheck // the wait below tells
	<-e.gone
	cmd.Wait() //nolint:errcheck // its daemon is gone
	e.boot()
	eventually(t, "the step's container is gone", func() bool { return e.must("ps", "-aq") == "" })
	if left, err := os.ReadDir(filepath.Join(e.dir, "s", "builder", "running")); err != nil || len(left) > 0 {
		t.Errorf("left of the build: %v, %v", left, err)
	}
	text := "FROM testbox\nRUN echo one > /one\nCOPY Dockerfile /\nRUN echo done\n"
	if err := os.WriteFile(filepath.Join(dir, "other"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := e.must("build", "-f", filepath.Join(dir, "other"), dir); strings.Count(got, "Using cache") < 1 || strings.Count(got, "Running in") != 1 {
		t.Errorf("after the restart:\n%s", got)
	}
}
