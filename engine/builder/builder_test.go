package builder

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/patternmatcher"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
	"github.com/xcengine/xc/engine/internal/runner"
)

func TestArgumentsAndTheirScope(t *testing.T) {
	text := func(s string) *string { return &s }
	a := arguments{
		given: map[string]*string{"GIVEN": text("user"), "HTTP_PROXY": text("p"), "NONE": nil},
		meta:  map[string]*string{"META": text("meta"), "GIVEN": text("recipe")},
	}
	if got := a.metaEnv(); !slices.Equal(got, []string{"GIVEN=user", "META=meta"}) {
		t.Errorf("FROM sees %v", got)
	}
	st := a.stage()
	if got := st.env(nil); !slices.Equal(got, []string{"HTTP_PROXY=p"}) {
		t.Errorf("without ARG a stage sees %v", got)
	}
	st.declared["META"], st.declared["OWN"], st.declared["NONE"], st.declared["GIVEN"] = nil, text("own"), nil, text("x")
	env := st.env([]string{"OWN=image"})
	if want := []string{"GIVEN=user", "HTTP_PROXY=p", "META=meta"}; !slices.Equal(env, want) {
		t.Errorf("a stage sees %v, want %v", env, want)
	}
	if got := st.withArguments(env, []string{"sh"}); !slices.Equal(got, []string{"|2", "GIVEN=user", "META=meta", "sh"}) {
		t.Errorf("history tells %v", got)
	}
	if len(a.stage().declared) != 0 {
		t.Error("a stage sees what another declared")
	}
}

func TestStagesSpeakInTurn(t *testing.T) {
	var heard []string
	dir := t.TempDir()
	r := newReporter(3, dir, func(e engine.BuildEvent) {
		said := e.Text + string(e.Data)
		if e.Stderr {
			said = "!" + said
		}
		heard = append(heard, said)
	})
	one, two, three := r.of(0), r.of(1), r.of(2)
	data := []byte("kept")
	three(engine.BuildEvent{Kind: engine.BuildOutput, Data: data})
	copy(data, "more")
	three(engine.BuildEvent{Kind: engine.BuildOutput, Data: data})
	copy(data, "lost")
	three(engine.BuildEvent{Kind: engine.BuildOutput, Stderr: true, Data: []byte("error")})
	three(engine.BuildEvent{Text: "a step"})
	three(engine.BuildEvent{Kind: engine.BuildOutput, Data: []byte("next")})
	two(engine.BuildEvent{Text: "two"})
	one(engine.BuildEvent{Text: "one"})
	r.finish(1)
	r.finish(0)
	three(engine.BuildEvent{Text: "three"})
	r.finish(2)
	if want := []string{"one", "two", "keptmore", "!error", "a step", "next", "three"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// What waits is not in memory, and a file that cannot be made costs the output and not the build.
func TestWhatWaitsIsBounded(t *testing.T) {
	dir := t.TempDir()
	var size int
	var warnings []string
	r := newReporter(2, dir, func(e engine.BuildEvent) {
		if size += len(e.Data); e.Kind == engine.BuildWarning {
			warnings = append(warnings, e.Text)
		}
	})
	for range 100_000 {
		r.of(1)(engine.BuildEvent{Kind: engine.BuildOutput, Data: []byte("y\n")})
	}
	if n := len(r.queue[1].events); n != 1 {
		t.Errorf("%d events wait", n)
	}
	r.finish(0)
	r.finish(1)
	if size != 200_000 || len(warnings) != 0 {
		t.Errorf("of 200000 bytes there came %d, with %q", size, warnings)
	}
	r = newReporter(2, filepath.Join(dir, "none"), r.to)
	for range 10 {
		r.of(1)(engine.BuildEvent{Kind: engine.BuildOutput, Data: []byte("y\n")})
	}
	r.finish(0)
	r.finish(1)
	if size != 200_000 || len(warnings) != 1 {
		t.Errorf("%d bytes, and %q", size-200_000, warnings)
	}
}

func TestRecipesTooLargeAreRefused(t *testing.T) {
	for size, refused := range map[int]bool{maxRecipe: false, maxRecipe + 1: true} {
		text, err := readRecipe("Dockerfile", strings.NewReader(strings.Repeat("#", size)))
		if refused != (engine.KindOf(err) == engine.Invalid) || !refused && (err != nil || len(text) != size) {
			t.Errorf("%d bytes: %d read, %v", size, len(text), err)
		}
	}
}

func TestRepositories(t *testing.T) {
	for s, want := range map[string]repository{
		"https://host/x.git#v1:sub": {"https://host/x.git", "v1", "sub"}, "git@host:x/y": {"git@host:x/y", "", ""},
		"github.com/a/b#main": {"https://github.com/a/b", "main", ""}, "git://host/x": {"git://host/x", "", ""},
	} {
		if got, ok := parseRepository(s); !ok || got != want {
			t.Errorf("%s: %+v, %t", s, got, ok)
		}
	}
	for _, s := range []string{"https://host/x.tar", "a.git", "./x", "dir/file", "https://host/x?y=.git"} {
		if got, ok := parseRepository(s); ok {
			t.Errorf("%s is taken for the repository %+v", s, got)
		}
	}
	b := &build{dir: t.TempDir()}
	for _, r := range []repository{{remote: "--upload-pack=x"}, {remote: "git://h/x", ref: "--exec=x"}} {
		if _, _, err := b.clone(t.Context(), r); engine.KindOf(err) != engine.Invalid {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// What is secret of an address reaches git, and nobody who looks at its arguments or at the clone.
func TestGitIsToldSecretsAlone(t *testing.T) {
	for _, c := range []struct{ remote, shown, secret string }{
		{"https://token@host/x.git", "https://host/x.git", "token@host"}, {"http://u:p@host/x.git", "http://host/x.git", "u:p@host"}, {"git@host:x.git", "git@host:x.git", ""},
	} {
		run := &recorder{}
		b := &build{s: &Service{Config: Config{Runner: run}}, dir: t.TempDir()}
		if _, _, err := b.clone(t.Context(), repository{remote: c.remote}); err != nil {
			t.Fatal(err)
		}
		argv, env := fmt.Sprint(run.argv), fmt.Sprint(run.env)
		if !strings.Contains(argv, c.shown) || c.secret != "" && (strings.Contains(argv, c.secret) || !strings.Contains(env, c.secret)) {
			t.Errorf("%s: git %s with %s", c.remote, argv, env)
		}
		b.req.Confined = true
		if _, _, err := b.clone(t.Context(), repository{remote: c.remote}); (engine.KindOf(err) == engine.Forbidden) != (c.secret == "") {
			t.Errorf("%s for a user: %v", c.remote, err)
		}
	}
}

// recorder notes what it is to execute.
type recorder struct {
	argv [][]string
	env  []string
}

func (r *recorder) Run(_ context.Context, c runner.Cmd) (runner.Result, error) {
	r.argv, r.env = append(r.argv, c.Argv), c.Env
	return runner.Result{}, nil
}

func TestKeptParents(t *testing.T) {
	for _, c := range []struct {
		pattern, at, want string
		isDir             bool
	}{
		{"a/b/c", "/a/b/c", "a/b", false},
		{"a/b/c", "/a/b/c", "a/b/c", true},
		{"./a/./d/e", "/a/d/e", "d", false},
		{"a/./*/x", "/a/q/x", "q", false},
		{"x", "/x", "", false},
	} {
		if got := kept(c.pattern, c.at, c.isDir); got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.pattern, c.at, got, c.want)
		}
	}
}

// plant makes files below a directory: a name that ends in "/" is a directory, content that begins with "@" a link.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		target, isLink := strings.CutPrefix(content, "@")
		var err error
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(at, 0o755)
		case isLink:
			err = os.Symlink(target, at)
		default:
			err = os.WriteFile(at, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPatternsOfSources(t *testing.T) {
	src := newSource(plant(t, map[string]string{"a.txt": "", "b.txt": "", "d/x/1": "", "d/y/1": "", "d/y/2": "", "[q]": "", "away": "@/etc"}))
	for pattern, want := range map[string][]string{
		"*.txt": {"/a.txt", "/b.txt"}, "d/*/1": {"/d/x/1", "/d/y/1"}, "d/**/2": {"/d/y/2"}, "[[]q]": {"/[q]"}, "none*": nil, "away/pass*": nil,
	} {
		got, err := src.match(pattern)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", pattern, got, err, want)
		}
	}
	if _, err := src.match("[a"); engine.KindOf(err) != engine.Invalid {
		t.Errorf("a pattern that is none: %v", err)
	}
}

func TestDigestsSeeWhatACopyKeeps(t *testing.T) {
	digest := func(change func(dir string) error) string {
		dir := plant(t, map[string]string{"d/a": "a", "d/s/b": "b", "d/l": "@a"})
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		src := newSource(dir)
		src.foreign = true
		sum, err := src.digest(t.Context(), "/d")
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	plain := digest(func(string) error { return nil })
	for name, change := range map[string]func(dir string) error{
		"content": func(dir string) error { return os.WriteFile(filepath.Join(dir, "d/a"), []byte("A"), 0o644) },
		"mode":    func(dir string) error { return os.Chmod(filepath.Join(dir, "d/s/b"), 0o755) },
		"name":    func(dir string) error { return os.Rename(filepath.Join(dir, "d/a"), filepath.Join(dir, "d/c")) },
		"place":   func(dir string) error { return os.Rename(filepath.Join(dir, "d/s/b"), filepath.Join(dir, "d/b")) },
		"a link's target": func(dir string) error {
			l := filepath.Join(dir, "d/l")
			if err := os.Remove(l); err != nil {
				return err
			}
			return os.Symlink("s", l)
		},
	} {
		if digest(change) == plain {
			t.Errorf("a change of %s is not seen", name)
		}
	}
	if digest(func(dir string) error { return os.WriteFile(filepath.Join(dir, "beside"), nil, 0o644) }) != plain {
		t.Error("a change elsewhere is seen")
	}
}

// The digests of what layers hold are remembered from build to build, those of all other trees for as long as these are used.
func TestDigestsOfLayersAreRemembered(t *testing.T) {
	s := &Service{Config: Config{Roots: trees{plant(t, map[string]string{"a": "a"})}}, sums: newSums()}
	of := func(top engine.LayerID) *source {
		b := &build{s: s, sources: map[engine.LayerID]*source{}}
		src, err := b.rootOf(t.Context(), top)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	read := func(src *source) string {
		sum, err := src.digest(t.Context(), "/a")
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	first, nothing := read(of("one")), read(of(""))
	if err := os.WriteFile(filepath.Join(s.Roots.(trees).dir, "a"), []byte("b"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := read(of("one")); got != first {
		t.Errorf("the layer's file is read again: %s, was %s", got, first)
	}
	if read(of("two")) == first || read(of("")) == nothing {
		t.Error("a file of another tree is taken for a layer's")
	}
	for i := range 2 * maxSums {
		s.sums.put(place{"one", fmt.Sprint(i)}, "x")
	}
	if n := len(s.sums.of); n > maxSums {
		t.Errorf("%d digests are remembered", n)
	}
}

// trees are roots that all hold the same.
type trees struct{ dir string }

func (trees) Create(context.Context, engine.ContainerID, engine.LayerID, map[string]string) error {
	return nil
}
func (r trees) Mount(context.Context, engine.ContainerID) (string, error)         { return r.dir, nil }
func (trees) Remove(context.Context, engine.ContainerID) error                    { return nil }
func (trees) RootDiff(context.Context, engine.ContainerID) (io.ReadCloser, error) { return nil, nil }

// A copy replaces what is in its way and follows no link of the tree that it writes to out of it.
func TestCopiesStayInTheirTree(t *testing.T) {
	outside := plant(t, map[string]string{"victim": "safe"})
	from := plant(t, map[string]string{"f": "new", "d/x": "x", "d/.log": "l"})
	to := plant(t, map[string]string{"f": "@" + outside + "/victim", "d": "@" + outside, "lnk": "@" + outside})
	ignore, err := patternmatcher.New([]string{"**/*.log"})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fstree.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	src := newSource(from)
	w := &writer{exclude: ignore}
	if err := w.directory(context.Background(), tree, item{src: src, path: "/"}, "/"); err != nil {
		t.Fatal(err)
	}
	if err := w.file(context.Background(), tree, item{src: src, path: "/f", name: "f"}, "/lnk/deep/", true); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{filepath.Join(outside, "victim"), filepath.Join(to, "f"), filepath.Join(to, "d/x"), filepath.Join(to, outside, "deep/f")} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		got[strings.TrimPrefix(strings.TrimPrefix(name, to), outside)] = string(text)
	}
	if diff := cmp.Diff(map[string]string{"/victim": "safe", "/f": "new", "/d/x": "x", "/deep/f": "new"}, got); diff != "" {
		t.Error(diff)
	}
	if names, err := os.ReadDir(outside); err != nil || len(names) != 1 {
		t.Errorf("outside there is %v, %v", names, err)
	}
	if _, err := os.Lstat(filepath.Join(to, "d/.log")); !os.IsNotExist(err) {
		t.Errorf("what is excluded was copied: %v", err)
	}
}

// COPY --link makes directories where the tree has links, and leaves what they led to alone.
func TestLinksAreReplaced(t *testing.T) {
	to := plant(t, map[string]string{"real/sub/kept": "k", "a": "@real", "b/c": "@../real"})
	tree, err := fstree.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for _, name := range []string{"/", "/a/sub", "/b/c/", "/none/at/all"} {
		if err := replaceLinks(tree, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"a", "b/c", "real/sub"} {
		if info, err := os.Lstat(filepath.Join(to, name)); err != nil || !info.IsDir() {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := os.Stat(filepath.Join(to, "a/sub")); !os.IsNotExist(err) {
		t.Errorf("what the link led to came along: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(to, "real/sub/kept")); err != nil || string(text) != "k" {
		t.Errorf("%q, %v", text, err)
	}
}

// What a mount stood on goes, unless the step used it.
func TestStubsAreDropped(t *testing.T) {
	root := plant(t, map[string]string{"m/": "", "used/f": "f", "file": "", "full": "x"})
	tree, err := fstree.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if got, err := missing(tree, "/m/one/two"); err != nil || !slices.Equal(got, []string{"/m/one", "/m/one/two"}) {
		t.Errorf("missing %v, %v", got, err)
	}
	for _, name := range []string{"/m", "/used", "/file", "/full"} {
		if err := dropStub(tree, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	left, err := os.ReadDir(root)
	if err != nil || len(left) != 2 || left[0].Name() != "full" || left[1].Name() != "used" {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestJailfilesBecomeStages(t *testing.T) {
	f, err := parseJailfile(strings.NewReader("FROM xc-predefine:empty as a\nCOPY x /\nFROM b\nCOPY --from a /x /y\nRUN sh -e <<EOF\necho 'q'\nEOF\nADDENV --require -d \"the words\" K=v\nALLOW raw_sockets -chflags\nCMD[entry_point:m] a b\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Stages) != 2 || f.Stages[0].Base != scratch || f.Stages[0].Name != "a" || len(f.Stages[1].Commands) != 5 {
		t.Fatalf("%+v", f.Stages)
	}
	for text, want := range map[string]string{
		"RUN x":                   "line 1, column 1: RUN stands before the first FROM",
		"FROM a\nFROM b":          "line 2, column 1: a stage before another needs a name: FROM IMAGE as NAME",
		"FROM a\nCOPY a b":        "line 2, column 1: COPY takes a source and an absolute destination",
		"FROM a\nCOPY --to x a /": "line 2, column 1: COPY has no option --to",
		"FROM a\nSYSVIPC foo":     "line 2, column 1: SYSVIPC knows shm, msg and sem, not \"foo\"",
		"FROM a\nADDENV --x K":    "line 2, column 1: unknown option --x",
	} {
		if _, err := parseJailfile(strings.NewReader(text)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
