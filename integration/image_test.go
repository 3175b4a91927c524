package integration

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// oracle is a real dockerd to compare with, given by XC_ORACLE (unix:///…), with the test image loaded.
func oracle(t *testing.T) *engine {
	t.Helper()
	host := os.Getenv("XC_ORACLE")
	if host == "" {
		t.Skip("XC_ORACLE names no dockerd to compare with")
	}
	e := &engine{t: t, host: host}
	e.must("load", "-i", kit.image)
	return e
}

func localRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestRegistry(t *testing.T) {
	e := start(t)
	ref := localRegistry(t) + "/some/box:1"
	id := e.must("image", "inspect", "-f", "{{.Id}}", "testbox")
	e.must("tag", "testbox", ref)
	pushed := e.must("push", ref)
	e.must("rmi", ref)
	e.fails(1, "No such image: "+ref, "image", "inspect", ref)

	r := e.docker("run", "--rm", ref, "echo", "pulled")
	if r.code != 0 || r.out != "pulled\n" || !strings.Contains(r.err, "Unable to find image '"+ref+"' locally") || !strings.Contains(r.err, "Status: Downloaded newer image for "+ref) {
		t.Errorf("run of an absent image: %d %q %q", r.code, r.out, r.err)
	}
	if got := e.must("image", "inspect", "-f", "{{.Id}}", ref); got != id {
		t.Errorf("the image came back as %s, was %s", got, id)
	}
	digest := e.must("image", "inspect", "-f", "{{index .RepoDigests 0}}", ref)
	if _, d, _ := strings.Cut(digest, "@"); !strings.Contains(pushed, "1: digest: "+d+" size: ") {
		t.Errorf("pushed %q, pulled %q", pushed, digest)
	}
	if got := e.must("run", "--rm", digest, "echo", "by digest"); got != "by digest" {
		t.Errorf("run by digest: %q", got)
	}
	if got := e.must("pull", ref); !strings.Contains(got, "Status: Image is up to date for "+ref) {
		t.Errorf("second pull: %q", got)
	}
	e.fails(1, "manifest unknown", "pull", strings.TrimSuffix(ref, "1")+"none")
	e.must("tag", "testbox", "127.0.0.1:1/box:1")
	began := time.Now()
	e.fails(1, "connect: connection refused", "push", "127.0.0.1:1/box:1")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a push to no registry took %v", took)
	}
	e.fails(1, "An image does not exist locally with the tag", "push", "none.example/none")
}

// What either engine pushed has the same digests and the same image on the other.
func TestRegistryWithDockerd(t *testing.T) {
	e, o := start(t), oracle(t)
	host := localRegistry(t)
	for _, side := range []struct {
		name     string
		from, to *engine
	}{{"ours", e, o}, {"theirs", o, e}} {
		ref := host + "/" + side.name + ":1"
		side.from.must("tag", "testbox", ref)
		side.from.must("push", ref)
		side.to.must("pull", ref)
		const format = "{{.Id}} {{.RepoDigests}} {{.RootFS.Layers}}"
		if a, b := side.from.must("image", "inspect", "-f", format, ref), side.to.must("image", "inspect", "-f", format, ref); !sameDigest(a, b, ref) {
			t.Errorf("%s: pushed %s, pulled %s", side.name, a, b)
		}
		side.from.must("rmi", ref)
		side.to.must("rmi", ref)
	}
}

// Images that are made here, by a commit and by an import, are pulled by digest and run by dockerd.
func TestMadeImagesRunOnDockerd(t *testing.T) {
	e, o := start(t), oracle(t)
	host := localRegistry(t)
	e.must("run", "--name", "box", "testbox", "sh", "-c", "write /added new; rm /data/seed")
	e.must("commit", "-c", `CMD ["cat","/added"]`, "box", host+"/committed:1")
	flat := filepath.Join(t.TempDir(), "flat.tar")
	e.must("export", "-o", flat, "box")
	e.must("import", "-c", `CMD ["/bin/cat","/added"]`, flat, host+"/imported:1")
	for _, name := range []string{"committed", "imported"} {
		ref := host + "/" + name + ":1"
		e.must("push", ref)
		_, digest, _ := strings.Cut(e.must("image", "inspect", "-f", "{{index .RepoDigests 0}}", ref), "@")
		pinned := host + "/" + name + "@" + digest
		o.must("pull", pinned)
		if got := o.must("run", "--rm", pinned); got != "new" {
			t.Errorf("%s: it says %q", name, got)
		}
		o.fails(1, "", "run", "--rm", pinned, "/bin/cat", "/data/seed")
		if a, b := e.must("image", "inspect", "-f", "{{.Id}}", ref), o.must("image", "inspect", "-f", "{{.Id}}", pinned); a != b {
			t.Errorf("%s: made as %s, pulled as %s", name, a, b)
		}
		o.must("rmi", pinned)
	}
}

// sameDigest compares what two engines know of an image, of whose digests only those in the reference's repository count.
func sameDigest(a, b, ref string) bool {
	repo, _, _ := strings.Cut(ref[strings.IndexByte(ref, '/'):], ":")
	pick := func(s string) string {
		var kept []string
		for _, w := range strings.Fields(strings.Trim(s, "[]")) {
			if !strings.Contains(w, "@") || strings.Contains(w, repo+"@") {
				kept = append(kept, strings.Trim(w, "[]"))
			}
		}
		return strings.Join(kept, " ")
	}
	return pick(a) == pick(b)
}

func TestImageArchives(t *testing.T) {
	e := start(t)
	dir := t.TempDir()
	e.must("run", "--name", "box", "testbox", "sh", "-c", "write /added new; rm /data/seed")
	e.must("commit", "-m", "why", "-a", "who", "-c", `CMD ["cat","/added"]`, "-c", "EXPOSE 80", "box", "made:1")
	if got := e.must("run", "--rm", "made:1"); got != "new" {
		t.Errorf("the committed image says %q", got)
	}
	if got := e.must("image", "inspect", "-f", "{{.Author}} {{.Comment}} {{len .RootFS.Layers}} {{json .Config.ExposedPorts}}", "made:1"); got != `who why 2 {"80/tcp":{}}` {
		t.Errorf("inspect: %s", got)
	}
	id := e.must("image", "inspect", "-f", "{{.Id}}", "made:1")
	tar := filepath.Join(dir, "made.tar")
	e.must("save", "-o", tar, "made:1")
	e.must("rmi", "made:1")
	if got := e.must("load", "-i", tar); got != "Loaded image: made:1" {
		t.Errorf("load: %q", got)
	}
	if got := e.must("image", "inspect", "-f", "{{.Id}}", "made:1"); got != id {
		t.Errorf("loaded as %s, saved as %s", got, id)
	}
	flat := filepath.Join(dir, "flat.tar")
	e.must("export", "-o", flat, "box")
	e.must("import", "-m", "flat", "-c", `ENTRYPOINT ["/bin/ls"]`, flat, "flat:1")
	if got := e.must("run", "--rm", "flat:1", "/data"); got != "" {
		t.Errorf("a removed file was exported: %q", got)
	}
	e.fails(1, "No such image: none", "rmi", "none")
	e.must("create", "--name", "user", "flat:1")
	e.fails(1, "conflict: unable to remove repository reference \"flat:1\" (must force)", "rmi", "flat:1")
}
