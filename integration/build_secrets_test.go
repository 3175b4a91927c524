package integration

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// marked lists the files of the daemon's that hold a text, its log with them.
func (e *engine) marked(text string) []string {
	e.t.Helper()
	var found []string
	err := filepath.WalkDir(e.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return found
}

// talkative has the daemon log all that it can.
func talkative(e *engine) { e.flags = append(e.flags, "-D") }

// A secret is known to the command that asks for it and to nobody else: not to who inspects its container, not to the log, nor to
// anything that is kept.
func TestSecretsOfBuildsAreKept(t *testing.T) {
	e := start(t, talkative)
	const file, variable = "mark-of-the-file", "mark-of-the-variable"
	secret := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(secret, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XC_TEST_SECRET", variable)
	const mounts = "RUN --mount=type=secret,id=f,env=F --mount=type=secret,id=f --mount=type=secret,id=v,env=V "
	const use = "sha256sum /run/secrets/f > /f && printf '%s' $F > /tmp/f && printf '%s' $V > /tmp/v && sha256sum /tmp/f /tmp/v > /v && rm /tmp/f /tmp/v"
	dir := recipe{text: "FROM testbox\nENV F=image\n" + mounts + use + "\n" + mounts + "sleep 1000\n"}.plant(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	cmd := e.xcCommand(ctx, "build", "--secret", "id=f,src="+secret, "--secret", "id=v,env=XC_TEST_SECRET", dir)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last step runs", func() bool {
		return strings.Contains(e.must("ps", "--no-trunc", "--format", "{{.Command}}"), "sleep 1000")
	})
	seen := e.must("inspect", e.must("ps", "-q"))
	cancel()
	cmd.Wait() //nolint:errcheck // it was killed
	eventually(t, "the step is gone", func() bool { return e.must("ps", "-aq") == "" })
	seen += out.String() + e.must("events", "--since", "10m", "--until", "0s")
	for _, mark := range []string{file, variable} {
		if strings.Contains(seen, mark) {
			t.Errorf("%s is shown:\n%s", mark, seen)
		}
		if in := e.marked(mark); len(in) > 0 {
			t.Errorf("%s is in %v", mark, in)
		}
	}
}

// The name and the password of an address serve to fetch from its host, submodules too, and are in no error, log or image.
func TestCredentialsOfAddressesAreKept(t *testing.T) {
	if kit.skip != "" {
		t.Skip(kit.skip)
	}
	const mark = "mark-of-the-address"
	repository, _ := gitRepository(t)
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	top := filepath.Dir(repository)
	for _, args := range [][]string{
		{"clone", "-q", "--bare", repository, filepath.Join(top, "part.git")},
		{"-C", repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "-b", "main", repository, "part"},
		{"-C", repository, "submodule", "--quiet", "set-url", "part", "../part.git"},
		{"-C", repository, "-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "-q", "-a", "-m", "a part"},
	} {
		if out, err := exec.Command(git, args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	serve := &cgi.Handler{Path: git, Args: []string{"http-backend"}, Dir: top, Env: []string{"GIT_PROJECT_ROOT=" + top, "GIT_HTTP_EXPORT_ALL=1"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user+password != mark:
			w.Header().Set("WWW-Authenticate", `Basic realm="closed"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/none":
			w.WriteHeader(http.StatusNotFound)
		default:
			serve.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	e := start(t, talkative)
	_, host, _ := strings.Cut(server.URL, "://")
	for _, with := range []string{"http://" + mark + "@" + host, "http://mark-of:-the-address@" + host} {
		if got := e.remoteBuild(t, with+"/repo.git", ""); !strings.Contains(got, "part/a=second") {
			t.Errorf("a closed repository with a part: %s", got)
		}
		add := recipe{text: "FROM testbox\nADD --keep-git-dir=true " + with + "/repo.git /x\nRUN cat /x/part/a > /f\n"}.plant(t)
		e.must("build", "-t", "added", add)
		if got := e.must("run", "--rm", "added", "cat", "/f"); got != "second" {
			t.Errorf("of the part came %q", got)
		}
		for _, at := range []string{"/none", "/none.git", "/repo.git#none", "/%zz"} {
			got := e.remoteBuild(t, with+at, "")
			add := recipe{text: "FROM testbox\nADD " + with + at + " /x\n"}.plant(t)
			if r := e.docker("build", "-q", add); r.code != 1 {
				t.Errorf("%s was added", at)
			} else if _, err, ok := strings.Cut(r.err, "ADD failed"); ok { // what goes before is the recipe's own text
				got += err
			}
			if !strings.HasPrefix(got, "error: ") || strings.Contains(got, "mark-of") {
				t.Errorf("%s: %s", at, got)
			}
		}
	}
	for _, text := range []string{mark, "mark-of:"} {
		if in := e.marked(text); len(in) > 0 {
			t.Errorf("%s is in %v", text, in)
		}
	}
	e.must("rmi", "added")
}
