package images

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

func TestPull(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b")
	w.serve("docker.io/library/x", "latest", img)
	got := w.pull("x")
	one, two := shortID(digest.FromBytes(img.Blobs[0])), shortID(digest.FromBytes(img.Blobs[1]))
	count := map[string]int{}
	for _, l := range got {
		count[l]++
	}
	for _, id := range []string{one, two} {
		for _, status := range []string{"Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"} {
			if count[id+": "+status] != 1 {
				t.Errorf("%q came %d times", id+": "+status, count[id+": "+status])
			}
		}
	}
	if got[0] != "latest: Pulling from library/x" {
		t.Errorf("it begins with %q", got[0])
	}
	end := []string{"Digest: " + img.Digest().String(), "Status: Downloaded newer image for x:latest"}
	if diff := cmp.Diff(end, got[len(got)-2:]); diff != "" {
		t.Error(diff)
	}
	i := w.inspect("x")
	want := engine.Image{
		ID: engine.ImageID(img.ID()), Digest: img.Digest().String(), Tags: []string{"x:latest"}, Digests: []string{"x@" + img.Digest().String()},
		Created: imagetest.Epoch, Manifest: i.Manifest, Platform: amd64, Layers: []string{img.DiffIDs[0].String(), img.DiffIDs[1].String()},
		Top: engine.LayerID(imageformat.ChainIDs(img.DiffIDs)[1]), Size: int64(len(img.Diffs[0]) + len(img.Diffs[1])), Driver: "memory",
	}
	want.Dir = map[string]string{"id": string(want.Top)}
	if diff := cmp.Diff(want, i); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"pull x:latest x"}, w.events.take()); diff != "" {
		t.Error(diff)
	}
	w.asked("")
	again := w.pull("docker.io/library/x:latest")
	if last := again[len(again)-1]; last != "Status: Image is up to date for x:latest" {
		t.Errorf("the second pull ends with %q", last)
	}
	if got := w.asked("GET /v2/library"); len(got) != 0 {
		t.Errorf("the second pull fetched %v", got)
	}
	for _, ref := range []string{
		"x", "x:latest", "docker.io/library/x", "library/x:latest", img.ID().String(), img.ID().Encoded(), img.ID().Encoded()[:7],
		"sha256:" + img.ID().Encoded()[:9], "x@" + img.Digest().String(), "x:latest@" + img.Digest().String(), img.Digest().String(),
	} {
		if got, err := w.svc.Lookup(t.Context(), ref, nil); err != nil || got.ID != want.ID {
			t.Errorf("%s: %v %v", ref, got.ID, err)
		}
	}
}

func TestPullOfWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.serve("docker.io/library/x", "latest", simple("a"))
	for ref, reason := range map[string]engine.Reason{
		"x:none": engine.ReasonManifestUnknown, "none": engine.ReasonNameUnknown, "x@" + digest.FromString("").String(): engine.ReasonManifestUnknown,
	} {
		var l lines
		err := w.svc.Pull(t.Context(), pullRequest(ref), l.report)
		if engine.KindOf(err) != engine.NotFound || !engine.HasReason(err, reason) {
			t.Errorf("%s: %v", ref, err)
		}
		if got := l.take(); len(got) != 0 {
			t.Errorf("%s: reported %v", ref, got)
		}
	}
	if err := w.svc.Pull(t.Context(), pullRequest("scratch"), nil); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("scratch: %v", err)
	}
	if err := w.svc.Pull(t.Context(), pullRequest("UPPER"), nil); engine.KindOf(err) != engine.Invalid {
		t.Errorf("UPPER: %v", err)
	}
	w.nothing("after refusals")
}

func TestPullOfAllTags(t *testing.T) {
	w := newWorld(t)
	a, b := simple("a"), simple("a", "b")
	w.serve("docker.io/library/x", "one", a)
	w.serve("docker.io/library/x", "two", b)
	w.serve("docker.io/library/x", "three", b)
	w.putManifest("docker.io/library/x", "one", imageformat.OCIManifest, a.Manifest)
	// The registry's digests are tags to it as well, as far as go-containerregistry's goes; they are not listed.
	var l lines
	if err := w.svc.Pull(t.Context(), engine.PullRequest{Ref: "x", All: true}, l.report); err != nil {
		t.Fatal(err)
	}
	if got := l.take(); got[len(got)-1] != "Status: Downloaded newer image for x" {
		t.Errorf("it ends with %q", got[len(got)-1])
	}
	if diff := cmp.Diff([]string{"x:three", "x:two"}, w.inspect(string(b.ID())).Tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x:one"}, w.inspect(string(a.ID())).Tags); diff != "" {
		t.Error(diff)
	}
}

func TestPullChoosesThePlatform(t *testing.T) {
	w := newWorld(t)
	mine, other, bsd := forPlatform("linux", "amd64", "a"), forPlatform("linux", "arm64", "a"), forPlatform("freebsd", "amd64", "a")
	index := w.serveIndex("docker.io/library/x", "latest", other, bsd, mine)
	w.pull("x")
	i := w.inspect("x")
	if i.ID != engine.ImageID(mine.ID()) {
		t.Fatalf("pulled %v", i.Platform)
	}
	if diff := cmp.Diff([]string{"x@" + digest.FromBytes(index).String()}, i.Digests); diff != "" {
		t.Error(diff)
	}
	arm := engine.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	if err := w.svc.Pull(t.Context(), engine.PullRequest{Ref: "x", Platform: &arm}, nil); err != nil {
		t.Fatal(err)
	}
	// Both are there side by side; without a wish the host's own is meant.
	for want, p := range map[digest.Digest]*engine.Platform{mine.ID(): nil, other.ID(): &arm} {
		if got, err := w.svc.Lookup(t.Context(), "x", p); err != nil || got.ID != engine.ImageID(want) {
			t.Errorf("%v: %v %v", p, got.Platform, err)
		}
	}
	_, err := w.svc.Lookup(t.Context(), "x", &engine.Platform{OS: "freebsd", Architecture: "amd64"})
	var e *engine.Error
	if !errors.As(err, &e) || e.Reason != engine.ReasonNoPlatform || e.Kind != engine.NotFound || e.Args[0] != "freebsd/amd64" {
		t.Errorf("a platform that was not pulled: %v", err)
	}
	err = w.svc.Pull(t.Context(), engine.PullRequest{Ref: "x", Platform: &engine.Platform{OS: "linux", Architecture: "s390x"}}, nil)
	if !errors.As(err, &e) || e.Reason != engine.ReasonNoPlatform || e.Op != "pull" || e.Args[0] != "linux/s390x" {
		t.Errorf("a platform that the registry has not: %v", err)
	}
	// A tag that is given takes the name from all of them.
	w.load(simple("z").Archive("x:latest"))
	if got, err := w.svc.Lookup(t.Context(), "x", &arm); err == nil {
		t.Errorf("the name still means %v", got.Platform)
	}
}

func TestPullOnFreeBSDPrefersItsOwn(t *testing.T) {
	w := newWorld(t)
	lin, bsd := forPlatform("linux", "amd64", "a"), forPlatform("freebsd", "amd64", "a")
	w.serveIndex("docker.io/library/x", "both", lin, bsd)
	w.serveIndex("docker.io/library/x", "linux", lin)
	w.svc.cfg.Host = engine.Platform{OS: "freebsd", Architecture: "amd64"}
	w.pull("x:both")
	w.pull("x:linux")
	if got := w.inspect("x:both").Platform.OS; got != "freebsd" {
		t.Errorf("of both it took %s", got)
	}
	if got := w.inspect("x:linux").Platform.OS; got != "linux" {
		t.Errorf("of Linux alone it took %s", got)
	}
}

func TestSingleImageOfAnotherPlatform(t *testing.T) {
	w := newWorld(t)
	w.serve("docker.io/library/arm", "latest", forPlatform("linux", "arm64", "a"))
	w.serve("docker.io/library/win", "latest", forPlatform("windows", "amd64", "a"))
	w.pull("arm") // as Docker: nobody chose, and Linux may emulate
	if err := w.svc.Pull(t.Context(), pullRequest("win"), nil); engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), `image operating system "windows" cannot be used`) {
		t.Errorf("windows: %v", err)
	}
	var l lines
	if err := w.svc.Pull(t.Context(), engine.PullRequest{Ref: "arm", Platform: &amd64}, l.report); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(l.take(), "\n"); !strings.Contains(got, "WARNING: image with reference arm:latest was found but its platform (linux/arm64) does not match the specified platform (linux/amd64)") {
		t.Errorf("no warning: %s", got)
	}
}

func TestLayersOfAnyCompression(t *testing.T) {
	for _, c := range []layer.Compression{layer.None, layer.Gzip, layer.Zstd} {
		w := newWorld(t)
		diff := imagetest.Tar(imagetest.File("f", strings.Repeat("text ", 100_000)))
		blob := imagetest.Compress(diff, c)
		img := imagetest.New(nil, diff)
		m := imageformat.Manifest{
			Config: imageformat.DescriptorOf(imageformat.OCIConfig, img.Config),
			Layers: []imageformat.Descriptor{imageformat.DescriptorOf(mediaTypeOf(c), blob)},
		}
		img.Blobs = [][]byte{blob}
		img.Manifest, _ = m.Marshal()
		w.serve("docker.io/library/x", "latest", img)
		w.pull("x")
		if got := w.inspect("x"); got.Size != int64(len(diff)) {
			t.Errorf("%s: %d bytes", c, got.Size)
		}
	}
}

func TestArtifactsAreRefused(t *testing.T) {
	w := newWorld(t)
	chart := []byte(`{"name":"chart"}`)
	w.putBlob("docker.io/library/chart", chart)
	m := imageformat.Manifest{Config: imageformat.DescriptorOf("application/vnd.cncf.helm.config.v1+json", chart)}
	raw, _ := m.Marshal()
	w.putManifest("docker.io/library/chart", "latest", imageformat.OCIManifest, raw)
	err := w.svc.Pull(t.Context(), pullRequest("chart"), nil)
	if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), `Encountered remote "application/vnd.cncf.helm.config.v1+json"(unknown) when fetching`) {
		t.Errorf("got %v", err)
	}
	w.nothing("after a chart")
}

// cutting serves the first bytes of every blob above a size and then breaks off, a number of times.
func cutting(times int32, at int) func(http.Handler) http.Handler {
	left := &atomic.Int32{}
	left.Store(times)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && left.Add(-1) >= 0 {
				next.ServeHTTP(&cutWriter{ResponseWriter: w, left: at}, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		c.ResponseWriter.Write(p[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// big is an image whose layer does not compress.
func big(t *testing.T, n int) imagetest.Image {
	t.Helper()
	var b strings.Builder
	for d := digest.FromString("seed"); b.Len() < n; d = digest.FromString(string(d)) {
		b.WriteString(d.Encoded())
	}
	return imagetest.New(nil, imagetest.Tar(imagetest.File("f", b.String())))
}

func TestPullResumesABrokenBlob(t *testing.T) {
	w := newWorld(t)
	img := big(t, 400_000)
	w.serve("docker.io/library/x", "latest", img)
	// The config comes first and is smaller than the cut.
	w.between(cutting(4, 60_000))
	w.asked("")
	w.pull("x")
	blobs := w.asked("GET /v2/library/x/blobs/" + digest.FromBytes(img.Blobs[0]).String())
	if len(blobs) != 4 {
		t.Errorf("the blob was asked for %d times", len(blobs))
	}
	if got := w.inspect("x").Size; got != int64(len(img.Diffs[0])) {
		t.Errorf("%d bytes", got)
	}
}

func TestPullGoesOnWhereTheLastOneStopped(t *testing.T) {
	w := newWorld(t)
	img := big(t, 1_000_000)
	w.serve("docker.io/library/x", "latest", img)
	w.between(cutting(1000, 60_000))
	if err := w.svc.Pull(t.Context(), pullRequest("x"), nil); engine.KindOf(err) != engine.Unavailable {
		t.Fatalf("a line that always breaks: %v", err)
	}
	if n := w.layers.count(); n != 0 {
		t.Errorf("%d layers are visible", n)
	}
	if _, err := w.svc.Lookup(t.Context(), "x", nil); engine.KindOf(err) != engine.NotFound {
		t.Errorf("the image is visible: %v", err)
	}
	// The daemon dies; the next one cleans up and keeps what came.
	w.svc.Close()
	w.open()
	if _, err := w.svc.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ranges := make(chan string, 10)
	w.between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				ranges <- r.Header.Get("Range")
			}
			next.ServeHTTP(rw, r)
		})
	})
	w.pull("x")
	close(ranges)
	resumed := false
	for r := range ranges {
		resumed = resumed || strings.HasPrefix(r, "bytes=") && !strings.HasPrefix(r, "bytes=0-")
	}
	if !resumed {
		t.Error("nothing was resumed")
	}
	if _, err := w.svc.Remove(t.Context(), "x", engine.ImageRemoval{Prune: true}); err != nil {
		t.Fatal(err)
	}
	w.nothing("after its removal")
}

func TestARemnantThatIsWrongIsFetchedAnew(t *testing.T) {
	img := big(t, 200_000)
	d := digest.FromBytes(img.Blobs[0])
	for name, remnant := range map[string]string{
		"of another kind": strings.Repeat("wrong", 10_000),
		// Decompression finds this out long before the download has come to its end.
		"from its tenth byte": string(img.Blobs[0][:10]) + strings.Repeat("wrong", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.serve("docker.io/library/x", "latest", img)
			writeFile(t, w.svc.blobs.ingest(d), remnant)
			w.between(everyBlob(d, func(n int, next http.Handler, rw http.ResponseWriter, r *http.Request) {
				time.Sleep(100 * time.Millisecond)
				next.ServeHTTP(rw, r)
			}))
			w.pull("x")
			if got := w.inspect("x").Size; got != int64(len(img.Diffs[0])) {
				t.Errorf("%d bytes", got)
			}
		})
	}
}

func TestConcurrentPullsShareTheirDownloads(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b", "c")
	other := simple("a", "b", "c", "d") // shares three layers
	w.serve("docker.io/library/x", "latest", img)
	w.serve("docker.io/library/y", "latest", other)
	// Layers stand still until every pull waits for them.
	release := make(chan struct{})
	w.layers.gate = func() { <-release }
	w.asked("")
	var all sync.WaitGroup
	for i := range 20 {
		ref := []string{"x", "y"}[i%2]
		all.Go(func() {
			if err := w.svc.Pull(t.Context(), pullRequest(ref), nil); err != nil {
				t.Errorf("pull %s: %v", ref, err)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	close(release)
	all.Wait()
	seen := map[string]int{}
	for _, s := range w.asked("GET /v2/library/") {
		if i := strings.Index(s, "/blobs/"); i >= 0 {
			seen[s[i:]]++
		}
	}
	for _, b := range other.Blobs {
		if n := seen["/blobs/"+digest.FromBytes(b).String()]; n != 1 {
			t.Errorf("blob %s was fetched %d times", digest.FromBytes(b), n)
		}
	}
	if w.layers.calls != 4 {
		t.Errorf("%d layers were unpacked", w.layers.calls)
	}
}

func TestAPullIsCancelledWithItsLastClient(t *testing.T) {
	w := newWorld(t)
	img := big(t, 300_000)
	w.serve("docker.io/library/x", "latest", img)
	d := digest.FromBytes(img.Blobs[0]).String()
	var open atomic.Int32
	w.between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, d) && r.Method == http.MethodGet {
				open.Add(1)
				rw.WriteHeader(http.StatusOK)
				rw.(http.Flusher).Flush()
				<-r.Context().Done()
				open.Add(-1)
				return
			}
			next.ServeHTTP(rw, r)
		})
	})
	first, cancelFirst := context.WithCancel(t.Context())
	second, cancelSecond := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	for _, ctx := range []context.Context{first, second} {
		go func() { errs <- w.svc.Pull(ctx, pullRequest("x"), nil) }()
	}
	until(t, func() bool { return open.Load() == 1 && w.waiters(d) == 2 })
	cancelFirst()
	if err := <-errs; engine.KindOf(err) != engine.Canceled {
		t.Errorf("the first: %v", err)
	}
	if open.Load() != 1 {
		t.Error("the download ended with the first client")
	}
	cancelSecond()
	if err := <-errs; engine.KindOf(err) != engine.Canceled {
		t.Errorf("the second: %v", err)
	}
	until(t, func() bool { return open.Load() == 0 })
	w.svc.Close()
	if n := len(w.svc.transfers.jobs) + len(w.svc.transfers.downloads) + len(w.svc.transfers.ending); n != 0 {
		t.Errorf("%d transfers are left", n)
	}
	w.between(nil)
	w.pull("x")
}

// waiters counts who wants a blob.
func (w *world) waiters(blob string) int {
	t := w.svc.transfers
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for key, j := range t.jobs {
		if key.blob.String() == blob {
			n += j.refs
		}
	}
	return n
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen")
}

func TestDownloadsAreBounded(t *testing.T) {
	w := newWorld(t)
	var names []string
	for c := 'a'; c < 'a'+12; c++ {
		names = append(names, string(c))
	}
	w.serve("docker.io/library/x", "latest", simple(names...))
	var now, most atomic.Int32
	w.between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				n := now.Add(1)
				defer now.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(10 * time.Millisecond)
			}
			next.ServeHTTP(rw, r)
		})
	})
	got := w.pull("x")
	if most.Load() > 3 {
		t.Errorf("%d at once", most.Load())
	}
	if !strings.Contains(strings.Join(got, "\n"), ": Waiting") {
		t.Error("nobody waited")
	}
}
