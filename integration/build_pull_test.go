package integration

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// closedRegistry is a registry that answers one user alone. config is a directory of the docker CLI that knows the user's
// password; asked counts the requests for manifests that were answered.
func closedRegistry(t *testing.T) (domain, config string, asked *atomic.Int64) {
	t.Helper()
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	asked = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != "hush" {
			w.Header().Set("WWW-Authenticate", `Basic realm="closed"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method != http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			asked.Add(1)
		}
		open.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	domain, config = strings.TrimPrefix(server.URL, "http://"), t.TempDir()
	auth := base64.StdEncoding.EncodeToString([]byte("reader:hush"))
	text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, domain, auth)
	if err := os.WriteFile(filepath.Join(config, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return domain, config, asked
}

// A build asks a registry for what is not here, or for everything when it is told to, with the credentials that came with
// the request. Stages and scratch are no images to ask for.
func TestBuildPulls(t *testing.T) {
	engines := map[string]func(*testing.T) *engine{"here": func(t *testing.T) *engine { return start(t) }}
	if os.Getenv("XC_ORACLE") != "" {
		engines["dockerd"] = oracle
	}
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			e.sparing(t)
			domain, config, asked := closedRegistry(t)
			base, tool := domain+"/base:1", domain+"/tool:1"
			t.Cleanup(func() { e.docker("rmi", "-f", base, tool, "pulled") })
			publish := func(ref, text string) {
				t.Helper()
				e.must("build", "-q", "-t", ref, recipe{text: "FROM testbox\nRUN echo " + text + " > /f\n"}.plant(t))
				e.must("--config", config, "push", ref)
			}
			publish(base, "old")
			publish(tool, "tool")
			dir := recipe{text: "FROM scratch AS none\nFROM " + base + " AS one\nFROM one\nCOPY --from=" + tool + " /f /g\nRUN cat /f /g\n"}.plant(t)
			build := func(want string, args ...string) {
				t.Helper()
				out := e.must(append(append([]string{"--config", config, "build", "-t", "pulled"}, args...), dir)...)
				if got := strings.Fields(e.must("run", "--rm", "pulled", "cat", "/f", "/g")); strings.Join(got, " ") != want {
					t.Errorf("%v made %v, want %s:\n%s", args, got, want, out)
				}
			}
			asked.Store(0)
			build("old tool")
			if n := asked.Load(); n != 0 {
				t.Errorf("what is here was asked for %d times", n)
			}
			publish(base, "new")
			e.must("--config", config, "build", "-q", "-t", base, recipe{text: "FROM testbox\nRUN echo old > /f\n"}.plant(t))
			build("old tool")
			build("new tool", "--pull")
			if n := asked.Load(); n == 0 {
				t.Error("--pull asked for nothing")
			}
			build("new tool")
			if out := e.must("--config", config, "build", "--pull", dir); strings.Contains(out, "Running in") {
				t.Errorf("--pull of what has not changed ran a step:\n%s", out)
			}
			e.must("rmi", "-f", "pulled", base, tool)
			build("new tool")

			for _, args := range [][]string{{"--pull"}, nil} {
				asked.Store(0)
				if len(args) == 0 {
					e.must("rmi", "-f", "pulled", base, tool)
				}
				r := e.docker(append(append([]string{"build"}, args...), dir)...)
				if r.code != 1 || !strings.Contains(r.err, "no basic auth credentials") && !strings.Contains(r.err, "authentication required") || asked.Load() != 0 {
					t.Errorf("%v without credentials: %d %s", args, r.code, r.err)
				}
				if strings.Contains(r.out+r.err, "hush") {
					t.Errorf("the password is told: %s%s", r.out, r.err)
				}
			}
		})
	}
}
