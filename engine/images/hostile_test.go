package images

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// lying serves other bytes than asked for under a path.
func lying(part string, body []byte) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, part) && r.Method == http.MethodGet {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				w.Write(body)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestNothingWrongBecomesVisible(t *testing.T) {
	img := big(t, 200_000)
	blob, config := digest.FromBytes(img.Blobs[0]), img.ID()
	other := imagetest.Compress(imagetest.Tar(imagetest.File("f", "not what was promised")), "gzip")
	flipped := bytes.Clone(img.Blobs[0])
	flipped[len(flipped)/2] ^= 1
	// A layer whose blob is what the manifest says and whose content is not what the config says.
	swapped := imagetest.New(nil, img.Diffs[0])
	swapped.Blobs = [][]byte{other}
	m := imageformat.Manifest{
		Config: imageformat.DescriptorOf(imageformat.OCIConfig, swapped.Config),
		Layers: []imageformat.Descriptor{imageformat.DescriptorOf(imageformat.OCILayerGzip, other)},
	}
	swapped.Manifest, _ = m.Marshal()
	garbage := imagetest.New(nil, []byte("this is no tar"))
	short := img
	m = imageformat.Manifest{Config: imageformat.DescriptorOf(imageformat.OCIConfig, img.Config)}
	short.Manifest, _ = m.Marshal()
	bomb := imagetest.New(nil, img.Diffs[0])
	m = imageformat.Manifest{
		Config: imageformat.DescriptorOf(imageformat.OCIConfig, bomb.Config),
		Layers: []imageformat.Descriptor{{MediaType: imageformat.OCILayerGzip, Digest: blob, Size: 10}},
	}
	bomb.Manifest, _ = m.Marshal()
	for name, test := range map[string]struct {
		img  imagetest.Image
		wrap func(http.Handler) http.Handler
		want string
	}{
		"another blob":                {img, lying("/blobs/"+blob.String(), other), "bytes at the registry"},
		"one bit of the blob":         {img, lying("/blobs/"+blob.String(), flipped), "filesystem layer verification failed"},
		"another config":              {img, lying("/blobs/"+config.String(), []byte("{}")), "image config verification failed"},
		"an endless config":           {img, lying("/blobs/"+config.String(), bytes.Repeat([]byte(" "), 1<<20)), "image config verification failed"},
		"content of another layer":    {swapped, nil, "layer"},
		"fewer layers than diff ids":  {short, nil, "layers from manifest don't match image configuration"},
		"a blob longer than promised": {bomb, nil, "bytes"},
		"a blob without end": {img, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, "/blobs/"+blob.String()) {
					next.ServeHTTP(w, r)
					return
				}
				junk := bytes.Repeat([]byte("x"), 1<<16)
				for r.Context().Err() == nil {
					if _, err := w.Write(junk); err != nil {
						return
					}
				}
			})
		}, "longer than"},
		"a manifest with a path in its digest": {img, lying("/manifests/", []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
			"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:../../../../etc/passwd","size":1},"layers":[]}`)), ""},
		"both index and manifest": {img, lying("/manifests/", []byte(`{"schemaVersion":2,"manifests":[],"layers":[],"config":{}}`)), ""},
		"no tar at all":           {garbage, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.layers.gate = nil
			w.serve("docker.io/library/x", "latest", test.img)
			w.between(test.wrap)
			err := w.svc.Pull(t.Context(), pullRequest("x"), nil)
			if name == "no tar at all" {
				return // the fake of the layers does not look into them
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v", err)
			}
			if n := w.layers.count(); n != 0 {
				t.Errorf("%d layers are visible", n)
			}
			if _, err := w.svc.Lookup(t.Context(), "x", nil); engine.KindOf(err) != engine.NotFound {
				t.Errorf("the image is visible: %v", err)
			}
			if list, _ := w.svc.List(t.Context(), engine.ImageQuery{All: true}); len(list) != 0 {
				t.Errorf("%d images", len(list))
			}
			if _, err := w.svc.Collect(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.nothing("after Collect")
			// The next pull from an honest registry goes through.
			w.between(nil)
			honest := simple("a")
			w.serve("docker.io/library/x", "latest", honest)
			w.pull("x")
		})
	}
}

// everyBlob puts f before each answer that brings the layer's blob.
func everyBlob(blob digest.Digest, f func(n int, next http.Handler, w http.ResponseWriter, r *http.Request)) func(http.Handler) http.Handler {
	var n atomic.Int32
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/"+blob.String()) {
				next.ServeHTTP(w, r)
				return
			}
			f(int(n.Add(1)), next, w, r)
		})
	}
}

// trickle sends a few bytes at a time.
type trickle struct{ http.ResponseWriter }

func (s trickle) Write(p []byte) (int, error) {
	sent := 0
	for part := range slices.Chunk(p, 7000) {
		n, err := s.ResponseWriter.Write(part)
		if sent += n; err != nil {
			return sent, err
		}
		s.ResponseWriter.(http.Flusher).Flush()
		time.Sleep(time.Millisecond)
	}
	return sent, nil
}

// What a registry does while it sends a layer ends in the right bytes or in a clear error that leaves nothing.
func TestFaultsOfARegistry(t *testing.T) {
	img := big(t, 200_000)
	blob := digest.FromBytes(img.Blobs[0])
	foreign := img
	m := imageformat.Manifest{
		Config: imageformat.DescriptorOf(imageformat.OCIConfig, img.Config),
		Layers: []imageformat.Descriptor{{
			MediaType: imageformat.DockerForeign, Digest: blob, Size: int64(len(img.Blobs[0])), URLs: []string{"http://127.0.0.1:1/" + blob.Encoded()},
		}},
	}
	foreign.Manifest, _ = m.Marshal()
	refused := func(status int, words string) func(int, http.Handler, http.ResponseWriter, *http.Request) {
		return func(_ int, _ http.Handler, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"errors":[{"code":"X","message":%q}]}`, words)
		}
	}
	for name, test := range map[string]struct {
		img   imagetest.Image
		fault func(n int, next http.Handler, w http.ResponseWriter, r *http.Request)
		want  string // in the error; empty: it is pulled
	}{
		"500 twice": {img, func(n int, next http.Handler, w http.ResponseWriter, r *http.Request) {
			if n <= 2 {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			next.ServeHTTP(w, r)
		}, ""},
		"500 for ever": {img, refused(http.StatusInternalServerError, "disk on fire"), "disk on fire"},
		"a limit for a second": {img, func(n int, next http.Handler, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			next.ServeHTTP(w, r)
		}, ""},
		"a limit for hours": {img, func(_ int, _ http.Handler, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}`)
		}, "toomanyrequests: You have reached your pull rate limit."},
		"slow": {img, func(_ int, next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(trickle{w}, r) }, ""},
		"a redirect loop": {img, func(_ int, _ http.Handler, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, "stopped after 10 redirects"},
		"a redirect to a file": {img, func(_ int, _ http.Handler, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusTemporaryRedirect)
		}, "unsupported protocol scheme"},
		"a page of HTML": {img, func(_ int, _ http.Handler, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>log in first</html>")
		}, "bytes at the registry"},
		"a wrong content type": {img, func(_ int, next http.Handler, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			next.ServeHTTP(w, r)
		}, ""},
		"not there":               {img, refused(http.StatusNotFound, "gone"), "gone"},
		"a foreign layer":         {foreign, nil, ""},
		"a foreign layer's place": {foreign, refused(http.StatusNotFound, "not here"), "not here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve("docker.io/library/x", "latest", test.img)
			if test.fault != nil {
				w.between(everyBlob(blob, test.fault))
			}
			err := w.svc.Pull(t.Context(), pullRequest("x"), nil)
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := w.inspect("x"); got.ID != engine.ImageID(img.ID()) || got.Size != int64(len(img.Diffs[0])) {
					t.Errorf("%s with %d bytes", got.ID, got.Size)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v", err)
			}
			if _, err := w.svc.Lookup(t.Context(), "x", nil); engine.KindOf(err) != engine.NotFound {
				t.Errorf("the image is visible: %v", err)
			}
			if _, _, err := w.svc.Prune(t.Context(), engine.PruneQuery{All: true}); err != nil {
				t.Fatal(err)
			}
			w.nothing("after a prune")
		})
	}
}

func TestHostileArchives(t *testing.T) {
	img := simple("a")
	for name, tar := range map[string][]byte{
		"empty":                {},
		"no archive":           []byte("this is not a tar at all, but quite a long text that is no tar either, of more than one block. " + strings.Repeat("x", 1024)),
		"truncated":            img.Archive("x:1")[:2000],
		"no manifest":          imagetest.Tar(imagetest.File("x", "y")),
		"null manifest":        imagetest.Tar(imagetest.File("manifest.json", "null")),
		"a config that climbs": imagetest.Tar(imagetest.File("manifest.json", `[{"Config":"../../../../../etc/passwd","Layers":[]}]`)),
		"a layer that climbs": imagetest.Tar(imagetest.File("manifest.json", `[{"Config":"c","Layers":["/etc/passwd"]}]`),
			imagetest.File("c", `{"rootfs":{"type":"layers","diff_ids":["`+digest.FromString("").String()+`"]}}`)),
		"a wrong diff id": imagetest.Tar(imagetest.File("manifest.json", `[{"Config":"c","Layers":["l"]}]`), imagetest.File("l", string(imagetest.Tar())),
			imagetest.File("c", `{"os":"linux","rootfs":{"type":"layers","diff_ids":["`+digest.FromString("").String()+`"]}}`)),
		"a bad name": imagetest.Tar(imagetest.File("manifest.json", `[{"Config":"c","Layers":[],"RepoTags":["UPPER:1"]}]`),
			imagetest.File("c", `{"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			err := w.svc.Load(t.Context(), bytes.NewReader(tar), nil, nil)
			if name == "null manifest" && err == nil {
				t.Skip("an archive that says it holds nothing is taken at its word")
			}
			if err == nil {
				t.Fatal("it was loaded")
			}
			if k := engine.KindOf(err); k != engine.Invalid && name != "empty" && name != "truncated" {
				t.Errorf("kind %v: %v", k, err)
			}
			if _, err := w.svc.Collect(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.nothing("after Collect")
		})
	}
}

// failing breaks off in the middle.
type failing struct {
	io.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func TestBrokenInputLeavesNothing(t *testing.T) {
	w := newWorld(t)
	gone := fmt.Errorf("the client went away")
	tar := simple("a").Archive("x:1")
	if err := w.svc.Load(t.Context(), failing{bytes.NewReader(tar[:len(tar)/2]), gone}, nil, nil); err == nil {
		t.Error("half an archive was loaded")
	}
	if _, err := w.svc.Import(t.Context(), engine.ImportRequest{}, failing{strings.NewReader("abc"), gone}); err == nil {
		t.Error("half a root was imported")
	}
	w.layers.fail = fmt.Errorf("no space left on device")
	if err := w.svc.Load(t.Context(), bytes.NewReader(tar), nil, nil); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("a full disk: %v", err)
	}
	w.layers.fail = nil
	w.store.fail = fmt.Errorf("database is gone")
	if err := w.svc.Load(t.Context(), bytes.NewReader(tar), nil, nil); err == nil {
		t.Error("loaded without a store")
	}
	w.store.fail = nil
	if _, err := w.svc.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.nothing("after Collect")
}
