package images

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/registry"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// world is a service with a registry of its own, over loopback, which stands for Docker Hub too.
type world struct {
	t          *testing.T
	dir        string
	host       string // of the registry
	layers     *memoryLayers
	store      *memoryStore
	containers *memoryContainers
	events     *memoryEvents
	client     *registry.Client
	svc        *Service

	mu   sync.Mutex
	wrap func(http.Handler) http.Handler
	seen []string // "GET /v2/x/blobs/…"
}

var amd64 = engine.Platform{OS: "linux", Architecture: "amd64"}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), layers: newMemoryLayers(), store: &memoryStore{}, containers: &memoryContainers{}, events: &memoryEvents{},
	}
	whole := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		h := whole
		if w.wrap != nil {
			h = w.wrap(whole)
		}
		w.seen = append(w.seen, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.host = u.Host
	file := filepath.Join(t.TempDir(), "registries.json")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(`{"registries": {"index.docker.io": {"base_url": %q}}}`, server.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.client, err = registry.New(registry.Config{
		CredentialsFile: file, IdleTimeout: 2 * time.Second, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.open()
	return w
}

// open starts the service anew upon what is kept, as after the daemon's death.
func (w *world) open() {
	w.t.Helper()
	s, err := New(Config{
		Dir: filepath.Join(w.dir, "blobs"), Host: amd64, Store: w.store, Layers: w.layers, Containers: w.containers, Events: w.events,
		Registry: w.client, Version: "test", RetryTick: time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.svc = s
	w.t.Cleanup(s.Close)
}

// between puts a handler before the registry; nil takes it away.
func (w *world) between(wrap func(http.Handler) http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrap = wrap
}

// asked returns what the registry was asked for since the last time that contains part.
func (w *world) asked(part string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, s := range w.seen {
		if strings.Contains(s, part) {
			out = append(out, s)
		}
	}
	w.seen = nil
	return out
}

func (w *world) putBlob(repo string, b []byte) {
	w.t.Helper()
	up := engine.BlobUpload{Digest: digest.FromBytes(b).String(), Size: int64(len(b)), Content: bytes.NewReader(b)}
	if err := w.client.PutBlob(w.t.Context(), engine.Remote{Repository: repo}, up); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) putManifest(repo, tag, mediaType string, raw []byte) {
	w.t.Helper()
	if err := w.client.PutManifest(w.t.Context(), engine.Remote{Repository: repo}, tag, mediaType, raw); err != nil {
		w.t.Fatal(err)
	}
}

// serve puts an image into the registry, under its digest and the tag.
func (w *world) serve(repo, tag string, img imagetest.Image) {
	w.t.Helper()
	for _, b := range append(img.Blobs, img.Config) {
		w.putBlob(repo, b)
	}
	for _, ref := range []string{img.Digest().String(), tag} {
		w.putManifest(repo, ref, imageformat.OCIManifest, img.Manifest)
	}
}

// serveIndex puts an index of images of several platforms under a tag and returns its bytes.
func (w *world) serveIndex(repo, tag string, images ...imagetest.Image) []byte {
	w.t.Helper()
	var x imageformat.Index
	for _, img := range images {
		w.serve(repo, img.Digest().Encoded(), img)
		doc, err := imageformat.ParseConfig(img.Config)
		if err != nil {
			w.t.Fatal(err)
		}
		d := imageformat.DescriptorOf(imageformat.OCIManifest, img.Manifest)
		d.Platform = &doc.Platform
		x.Manifests = append(x.Manifests, d)
	}
	raw, err := x.Marshal()
	if err != nil {
		w.t.Fatal(err)
	}
	w.putManifest(repo, tag, imageformat.OCIIndex, raw)
	return raw
}

// lines collects progress as text.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) report(p engine.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case p.Stream != "":
		l.all = append(l.all, strings.TrimSuffix(p.Stream, "\n"))
	case p.Aux != nil:
		l.all = append(l.all, fmt.Sprintf("aux %s %s %d", p.Aux.Tag, p.Aux.Digest, p.Aux.Size))
	case p.Current > 0: // how many there are depends on time
	case p.ID != "":
		l.all = append(l.all, p.ID+": "+p.Status)
	default:
		l.all = append(l.all, p.Status)
	}
}

func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.all
	l.all = nil
	return out
}

func (w *world) pull(ref string) []string {
	w.t.Helper()
	var l lines
	if err := w.svc.Pull(w.t.Context(), pullRequest(ref), l.report); err != nil {
		w.t.Fatalf("pull %s: %v", ref, err)
	}
	return l.take()
}

func pullRequest(ref string) engine.PullRequest { return engine.PullRequest{Ref: ref} }

func (w *world) load(tar []byte) []string {
	w.t.Helper()
	var l lines
	if err := w.svc.Load(w.t.Context(), bytes.NewReader(tar), nil, l.report); err != nil {
		w.t.Fatalf("load: %v", err)
	}
	return l.take()
}

func (w *world) save(refs ...string) []byte {
	w.t.Helper()
	var buf bytes.Buffer
	if err := w.svc.Save(w.t.Context(), refs, nil, &buf); err != nil {
		w.t.Fatalf("save %v: %v", refs, err)
	}
	return buf.Bytes()
}

func (w *world) inspect(ref string) engine.Image {
	w.t.Helper()
	img, err := w.svc.Inspect(w.t.Context(), ref, nil)
	if err != nil {
		w.t.Fatalf("inspect %s: %v", ref, err)
	}
	return img
}

func (w *world) tag(ref, target string) {
	w.t.Helper()
	if err := w.svc.Tag(w.t.Context(), ref, target); err != nil {
		w.t.Fatalf("tag %s %s: %v", ref, target, err)
	}
}

// files lists what is kept on disk below the blobs.
func (w *world) files() []string {
	w.t.Helper()
	var all []string
	err := filepath.Walk(filepath.Join(w.dir, "blobs"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			rel, _ := filepath.Rel(filepath.Join(w.dir, "blobs"), path)
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// nothing fails the test if anything is left of any image.
func (w *world) nothing(after string) {
	w.t.Helper()
	if n := w.layers.count(); n != 0 {
		w.t.Errorf("%s: %d layers are left", after, n)
	}
	if f := w.files(); len(f) != 0 {
		w.t.Errorf("%s: files are left: %v", after, f)
	}
	s, _ := w.store.ImageState(context.Background())
	if len(s.Images)+len(s.Names)+len(s.Blobs) != 0 {
		w.t.Errorf("%s: records are left: %d images, %d names, %d blobs", after, len(s.Images), len(s.Names), len(s.Blobs))
	}
}

func simple(names ...string) imagetest.Image {
	var diffs [][]byte
	for _, n := range names {
		diffs = append(diffs, imagetest.Tar(imagetest.File(n, "content of "+n)))
	}
	return imagetest.New(nil, diffs...)
}

func forPlatform(os, arch string, names ...string) imagetest.Image {
	var diffs [][]byte
	for _, n := range names {
		diffs = append(diffs, imagetest.Tar(imagetest.File(n, "content of "+n+" for "+os+arch)))
	}
	return imagetest.New(func(c *imageformat.JailImage) { c.Platform = imageformat.Platform{OS: os, Architecture: arch} }, diffs...)
}
