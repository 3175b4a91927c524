package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/build"
)

// gitRepository makes a repository with a history and returns its directory, which ends in ".git", and its first commit.
func gitRepository(t *testing.T) (dir, commit string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	dir = filepath.Join(t.TempDir(), "repo.git")
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.test", "-c", "init.defaultBranch=main"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	plantIn(t, dir, map[string]string{
		"Dockerfile": "FROM testbox\nCOPY . /x/\n", ".dockerignore": "secret\n.git\n**/*.log\n!sub/kept.log\n", "secret": "s", "a": "first", "b.log": "l",
		"sub/Dockerfile": "FROM testbox\nCOPY . /x/\n", "sub/c": "c", "sub/kept.log": "k", "Other": "FROM testbox\nCOPY . /x/\n",
		"Other.dockerignore": "*\n!a\n", "out": "@/etc",
	})
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "-m", "first")
	git("tag", "v1")
	commit = git("rev-parse", "HEAD")
	plantIn(t, dir, map[string]string{"a": "second"})
	git("commit", "-q", "-a", "-m", "second")
	git("checkout", "-q", "-b", "dev")
	plantIn(t, dir, map[string]string{"a": "dev"})
	git("commit", "-q", "-a", "-m", "dev")
	git("checkout", "-q", "main")
	return dir, commit
}

// web serves what builds fetch: repositories by git's own protocol, tars and recipes.
func web(t *testing.T, repository string) string {
	t.Helper()
	path, err := exec.LookPath("git")
	if err != nil {
		t.Skip("needs git")
	}
	files := map[string]string{"Dockerfile": "FROM testbox\nCOPY . /x/\n", "a": "of a tar", ".dockerignore": "hidden\n.dockerignore\nDockerfile\n", "hidden": "h"}
	mux := http.NewServeMux()
	mux.Handle("/repo.git/", &cgi.Handler{
		Path: path, Args: []string{"http-backend"}, Dir: repository,
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(repository), "GIT_HTTP_EXPORT_ALL=1"},
	})
	serve := func(at, kind, text string) {
		mux.HandleFunc(at, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			io.WriteString(w, text) //nolint:errcheck // the client's reading tells
		})
	}
	serve("/context.tar", "application/x-tar", tarOf(t, files))
	serve("/context.tar.gz", "application/octet-stream", gzipOf(t, tarOf(t, files)))
	serve("/recipe", "text/plain", "FROM testbox\nLABEL came=alone\n")
	serve("/page", "text/html", "<html>")
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func tarOf(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))})
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipOf(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// remoteBuild has the daemon fetch the context, and returns what came to /x, or the label "came", or the error.
func (e *engine) remoteBuild(t *testing.T, remote, recipe string) string {
	t.Helper()
	const tag = "xcbuild-remote"
	defer e.docker("rmi", "-f", tag)
	resp, err := e.client().ImageBuild(t.Context(), nil, build.ImageBuildOptions{RemoteContext: remote, Dockerfile: recipe, Tags: []string{tag}, Remove: true, ForceRemove: true})
	if err == nil {
		defer resp.Body.Close()
		err = told(resp.Body)
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return e.came(t, tag)
}

// told reads the lines of a build to their end and returns the error that they tell.
func told(lines io.Reader) error {
	for d := json.NewDecoder(lines); ; {
		var line struct{ Error string }
		err := d.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case line.Error != "":
			return errors.New(line.Error)
		}
	}
}

// came is what an image has in /x, a line a file.
func (e *engine) came(t *testing.T, tag string) string {
	t.Helper()
	id := e.must("create", tag, "x")
	defer e.docker("rm", "-f", id)
	label := e.must("inspect", "-f", `{{index .Config.Labels "came"}}`, id)
	var names []string
	for line := range strings.Lines(e.files(t, id)) {
		if f := strings.Fields(line); len(f) > 4 && f[0] == "0" && strings.HasPrefix(f[3], "x/") && !strings.Contains(f[3], "/.git/") {
			names = append(names, strings.TrimPrefix(f[3], "x/")+"="+strings.Trim(strings.Join(f[4:], " "), `"`))
		}
	}
	if label != "" && label != "<no value>" {
		names = append(names, "came="+label)
	}
	return strings.Join(names, "; ")
}

// The daemon fetches contexts by itself, and obeys their ignore files; the client's own fetching gives the same.
func TestBuildOfRemoteContexts(t *testing.T) {
	if kit.skip != "" {
		t.Skip(kit.skip)
	}
	repository, commit := gitRepository(t)
	url := web(t, repository)
	e := start(t)
	var o *engine
	if os.Getenv("XC_ORACLE") != "" {
		o = oracle(t)
		o.sparing(t)
	}
	const (
		recipe = `Dockerfile=FROM testbox\nCOPY . /x/\n; `
		second = recipe + `Other=FROM testbox\nCOPY . /x/\n; Other.dockerignore=*\n!a\n; a=second; `
	)
	whole := func(a string) string {
		return `.dockerignore=secret\n.git\n**/*.log\n!sub/kept.log\n; ` + strings.Replace(second, "second", a, 1) + `sub/Dockerfile=FROM testbox\nCOPY . /x/\n; sub/c=c; sub/kept.log=k`
	}
	for _, c := range []struct {
		name, remote, recipe, want string
		// ours says why dockerd's answer is another one.
		ours string
	}{
		{name: "the default branch", remote: url + "/repo.git", want: whole("second")},
		{name: "a branch", remote: url + "/repo.git#dev", want: whole("dev")},
		{name: "a tag", remote: url + "/repo.git#v1", want: whole("first")},
		{name: "a commit", remote: url + "/repo.git#" + commit, want: whole("first"), ours: "it asks for the one commit alone, which not every server gives"},
		{name: "a directory", remote: url + "/repo.git#main:sub", want: recipe + "c=c; kept.log=k"},
		{name: "a directory of the default branch", remote: url + "/repo.git#:sub", want: recipe + "c=c; kept.log=k"},
		{name: "another recipe", remote: url + "/repo.git", recipe: "Other", want: "a=second", ours: "it does not know ignore files of one recipe"},
		{name: "no such branch", remote: url + "/repo.git#none", want: "error: failed to fetch", ours: "its words"},
		{name: "no such directory", remote: url + "/repo.git#:none", want: "error: stat none: file does not exist", ours: "its words"},
		{name: "a link out of it", remote: url + "/repo.git#:out", want: "error: ", ours: "its words"},
		{name: "a tar", remote: url + "/context.tar", want: "a=of a tar"},
		{name: "a compressed tar", remote: url + "/context.tar.gz", want: "a=of a tar"},
		{name: "a recipe alone", remote: url + "/recipe", want: "came=alone"},
		{name: "nothing", remote: url + "/none", want: "error: failed to download remote context " + url + "/none", ours: "its words"},
		{name: "a page", remote: url + "/page", want: "error: ", ours: "its words"},
		{name: "no address", remote: "nonsense", want: "error: ", ours: "its words"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := e.as(t).remoteBuild(t, c.remote, c.recipe)
			fits := func(s string) bool {
				if strings.HasPrefix(c.want, "error: ") {
					return strings.HasPrefix(s, c.want) || strings.Contains(s, strings.TrimPrefix(c.want, "error: ")) && strings.HasPrefix(s, "error: ")
				}
				return s == c.want
			}
			if !fits(got) {
				t.Errorf("%s\ngave %s\nwant %s", c.remote, got, c.want)
			}
			if o != nil && c.ours == "" {
				if theirs := o.as(t).remoteBuild(t, c.remote, c.recipe); !fits(theirs) {
					t.Errorf("%s\nthe oracle gave %s\nwant %s", c.remote, theirs, c.want)
				}
			}
		})
	}
	t.Run("the client fetches", func(t *testing.T) {
		for remote, want := range map[string]string{url + "/repo.git#main:sub": recipe + "c=c; kept.log=k", url + "/context.tar.gz": "a=of a tar; hidden=h", url + "/recipe": "came=alone"} {
			e := e.as(t)
			e.must("build", "-t", "xcbuild-client", remote)
			if got := e.came(t, "xcbuild-client"); got != want {
				t.Errorf("%s: %s, want %s", remote, got, want)
			}
		}
	})
}

// The daemon's git asks nobody and runs nothing that a repository's address names.
func TestBuildOfAddressesThatAreCommands(t *testing.T) {
	e := start(t)
	mark := filepath.Join(t.TempDir(), "mark")
	for _, remote := range []string{"ext::touch " + mark + ".git", "git@-oProxyCommand=touch:" + mark, "ssh://-oProxyCommand=touch " + mark + "/x.git", "file:///etc.git"} {
		ctx, cancel := context.WithTimeout(t.Context(), kit.patience*20*time.Second)
		resp, err := e.client().ImageBuild(ctx, nil, build.ImageBuildOptions{RemoteContext: remote})
		if err == nil {
			err = told(resp.Body)
			resp.Body.Close()
		}
		cancel()
		if err == nil || ctx.Err() == context.DeadlineExceeded {
			t.Errorf("%s: %v", remote, err)
		}
		if _, err := os.Stat(mark); err == nil {
			t.Fatalf("%s ran a command", remote)
		}
	}
}
