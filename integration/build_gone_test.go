package integration

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/build"
)

// A client that leaves while the daemon waits for it or for somebody else's server ends its build, which leaves nothing: neither files nor
// programs.
func TestBuildsEndWithTheirClients(t *testing.T) {
	e := start(t)
	asked := make(chan struct{}, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		io.WriteString(w, "a beginning")      //nolint:errcheck // the client will have gone
		http.NewResponseController(w).Flush() //nolint:errcheck // so will it here
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	running := filepath.Join(e.dir, "s", "builder", "running")
	for name, c := range map[string]struct{ recipe, remote string }{
		"sending the context":  {},
		"ADD of a file":        {recipe: "FROM testbox\nADD " + server.URL + "/f /\n"},
		"ADD of a repository":  {recipe: "FROM testbox\nADD " + server.URL + "/f.git /\n"},
		"a tar as context":     {remote: server.URL + "/x.tar"},
		"a repository as that": {remote: server.URL + "/x.git"},
	} {
		t.Run(name, func(t *testing.T) {
			e := e.as(t)
			if strings.Contains(c.recipe+c.remote, ".git") {
				if _, err := exec.LookPath("git"); err != nil {
					t.Skip("needs git")
				}
			}
			before := e.footprint()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var body io.Reader
			switch {
			case c.recipe != "":
				body = contextOf(t, [2]string{"Dockerfile", c.recipe})
			case c.remote == "":
				r, w := io.Pipe()
				context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })                                                             // the client waits for who reads its body
				go io.CopyN(w, contextOf(t, [2]string{"Dockerfile", "FROM testbox\n"}, [2]string{"f", strings.Repeat("x", 1<<20)}), 1<<19) //nolint:errcheck // the build ends
				body = r
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				res, err := e.client().ImageBuild(ctx, body, build.ImageBuildOptions{RemoteContext: c.remote, Remove: true, ForceRemove: true})
				if err == nil {
					io.Copy(io.Discard, res.Body) //nolint:errcheck // it is cancelled
					res.Body.Close()
				}
			}()
			if c.recipe+c.remote != "" {
				<-asked
			}
			eventually(t, "the build is there", func() bool {
				files, err := filepath.Glob(filepath.Join(running, "*", "*"))
				return err == nil && len(files) > 0 || c.remote != "" && !strings.HasSuffix(c.remote, ".git")
			})
			cancel()
			<-done
			eventually(t, "nothing of the build is left", func() bool {
				left, err := os.ReadDir(running)
				return err == nil && len(left) == 0
			})
			e.asBefore(before)
			if out, err := exec.Command("pgrep", "-f", running).Output(); err == nil {
				t.Errorf("programs run on: %s", out)
			}
		})
	}
}
