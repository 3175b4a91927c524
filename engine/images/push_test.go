package images

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

func (w *world) push(ref string) []string {
	w.t.Helper()
	var l lines
	if err := w.svc.Push(w.t.Context(), engine.PushRequest{Ref: ref}, l.report); err != nil {
		w.t.Fatalf("push %s: %v", ref, err)
	}
	return l.take()
}

// remote reads what the registry has under a tag.
func (w *world) remote(repo, tag string) engine.RemoteManifest {
	w.t.Helper()
	m, err := w.client.Manifest(w.t.Context(), engine.Remote{Repository: repo}, tag)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func TestPushGivesBackTheSameDigests(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b")
	w.serve("docker.io/library/x", "1", img)
	w.pull("x:1")
	w.tag("x:1", w.host+"/team/y:2")
	w.events.take()
	got := w.push(w.host + "/team/y:2")
	one, two := shortID(img.DiffIDs[0]), shortID(img.DiffIDs[1])
	size := len(img.Manifest)
	end := []string{
		fmt.Sprintf("2: digest: %s size: %d", img.Digest(), size),
		fmt.Sprintf("aux 2 %s %d", img.Digest(), size),
	}
	if diff := cmp.Diff([]string{"The push refers to repository [" + w.host + "/team/y]", two + ": Preparing", one + ": Preparing"}, got[:3]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(end, got[len(got)-2:]); diff != "" {
		t.Error(diff)
	}
	if m := w.remote(w.host+"/team/y", "2"); m.Digest != img.Digest().String() {
		t.Errorf("the registry has %s", m.Digest)
	}
	if diff := cmp.Diff([]string{w.host + "/team/y@" + img.Digest().String(), "x@" + img.Digest().String()}, w.inspect("x:1").Digests); diff != "" {
		t.Error(diff)
	}
	name := w.host + "/team/y"
	if diff := cmp.Diff([]string{"push " + name + ":2 " + name}, w.events.take()); diff != "" {
		t.Error(diff)
	}
	// Again: everything is there.
	w.asked("")
	got = w.push(w.host + "/team/y:2")
	for _, id := range []string{one, two} {
		if !strings.Contains(strings.Join(got, "\n"), id+": Layer already exists") {
			t.Errorf("%s was sent again: %v", id, got)
		}
	}
	if sent := w.asked("PATCH"); len(sent) != 0 {
		t.Errorf("sent: %v", sent)
	}
}

func TestPushOfALocalImage(t *testing.T) {
	w := newWorld(t)
	root := imagetest.Tar(imagetest.File("f", strings.Repeat("text ", 50_000)))
	id, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: w.host + "/mine:1"}, bytes.NewReader(root))
	if err != nil {
		t.Fatal(err)
	}
	got := w.push(w.host + "/mine:1")
	if !strings.Contains(strings.Join(got, "\n"), shortID(digest.FromBytes(root))+": Pushed") {
		t.Errorf("%v", got)
	}
	m, err := imageformat.ParseManifest("", w.remote(w.host+"/mine", "1").Body)
	if err != nil || m.Config.Digest != digest.Digest(id) || m.Layers[0].MediaType != imageformat.OCILayerGzip || m.Layers[0].Size >= int64(len(root)) {
		t.Fatalf("%+v, %v", m, err)
	}
	// A second push, from a daemon that died since, gives the same digest; so does a pull elsewhere.
	first := w.remote(w.host+"/mine", "1").Digest
	w.svc.Close()
	w.open()
	w.tag(w.host+"/mine:1", w.host+"/mine:2")
	w.push(w.host + "/mine:2")
	if again := w.remote(w.host+"/mine", "2").Digest; again != first {
		t.Errorf("%s became %s", first, again)
	}
	w.remove(w.host+"/mine:1", false)
	w.remove(w.host+"/mine:2", false)
	w.nothing("after rmi")
	w.pull(w.host + "/mine:1")
	if i := w.inspect(w.host + "/mine:1"); i.ID != id || i.Layers[0] != digest.FromBytes(root).String() {
		t.Errorf("%s", i.ID)
	}
}

func TestPushOfWhatNoRegistryTakes(t *testing.T) {
	w := newWorld(t)
	diff := imagetest.Tar(imagetest.File("a", "a"))
	img := imagetest.New(nil, diff)
	// An archive whose layer is compressed as no registry's clients expect it.
	tar := imagetest.Tar(imagetest.File("c", string(img.Config)), imagetest.File("l", string(xzOf(t, diff))),
		imagetest.File("manifest.json", `[{"Config":"c","Layers":["l"],"RepoTags":["`+w.host+`/z:1"]}]`))
	w.load(tar)
	w.push(w.host + "/z:1")
	m, err := imageformat.ParseManifest("", w.remote(w.host+"/z", "1").Body)
	if err != nil || m.Layers[0].MediaType != imageformat.OCILayerGzip {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestPushMountsFromAnotherRepository(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b")
	w.serve(w.host+"/team/x", "1", img)
	w.pull(w.host + "/team/x:1")
	var mounts atomic.Int32
	// go-containerregistry's registry has one pool of blobs for all repositories: this one keeps them apart.
	w.between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/v2/team/y/blobs/") && mounts.Load() < 2:
				rw.WriteHeader(http.StatusNotFound)
			case r.Method == http.MethodPost && r.URL.Query().Get("mount") != "":
				if from := r.URL.Query().Get("from"); from != "team/x" {
					t.Errorf("mount from %q", from)
				}
				mounts.Add(1)
				rw.WriteHeader(http.StatusCreated)
			default:
				next.ServeHTTP(rw, r)
			}
		})
	})
	w.tag(w.host+"/team/x:1", w.host+"/team/y:1")
	got := strings.Join(w.push(w.host+"/team/y:1"), "\n")
	for _, d := range img.DiffIDs {
		if !strings.Contains(got, shortID(d)+": Mounted from team/x") {
			t.Errorf("%s was not mounted: %s", shortID(d), got)
		}
	}
}

func TestPushOfAWholeIndex(t *testing.T) {
	w := newWorld(t)
	amd, arm := forPlatform("linux", "amd64", "a"), forPlatform("linux", "arm64", "a")
	index := digest.FromBytes(w.serveIndex("docker.io/library/x", "1", amd, arm)).String()
	w.pull("x:1")
	w.tag("x:1", w.host+"/y:half")
	w.push(w.host + "/y:half")
	if got := w.remote(w.host+"/y", "half").Digest; got != amd.Digest().String() {
		t.Errorf("with one of two platforms it pushed %s", got)
	}
	p := &engine.Platform{OS: "linux", Architecture: "arm64"}
	if err := w.svc.Pull(t.Context(), engine.PullRequest{Ref: "x:1", Platform: p}, nil); err != nil {
		t.Fatal(err)
	}
	w.push("x:1")
	if got := w.remote("docker.io/library/x", "1").Digest; got != index {
		t.Errorf("the index %s became %s", index, got)
	}
	if err := w.svc.Push(t.Context(), engine.PushRequest{Ref: "x:1", Platform: p}, nil); err != nil {
		t.Fatal(err)
	}
	if got := w.remote("docker.io/library/x", "1").Digest; got != arm.Digest().String() {
		t.Errorf("of one platform it pushed %s", got)
	}
}

func TestPushMergesIntoAnIndex(t *testing.T) {
	w := newWorld(t)
	repo := w.host + "/multi"
	images := map[string]imagetest.Image{}
	for _, arch := range []string{"amd64", "arm64", "amd64"} {
		img := forPlatform("freebsd", arch, "a", fmt.Sprint(len(images)))
		images[arch] = img
		w.load(img.Archive("local:1"))
		w.tag("local:1", repo+":1")
		if err := w.svc.Push(t.Context(), engine.PushRequest{Ref: repo + ":1", MergeIndex: true}, nil); err != nil {
			t.Fatal(err)
		}
	}
	x, err := imageformat.ParseIndex("", w.remote(repo, "1").Body)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range x.Manifests {
		got[d.Platform.Architecture] = d.Digest.String()
	}
	if len(got) != 2 || got["amd64"] == got["arm64"] {
		t.Fatalf("%+v", x.Manifests)
	}
	for arch, img := range images {
		if got[arch] != img.Digest().String() {
			t.Errorf("%s: %s", arch, got[arch])
		}
	}
}

func TestPushRefusals(t *testing.T) {
	w := newWorld(t)
	w.load(simple("a").Archive("x:1"))
	for ref, want := range map[string]string{
		"none": "An image does not exist locally with the tag: none", "x:2": "tag does not exist: x:2",
		"x@" + digest.FromString("").String(): "cannot push a digest reference",
	} {
		var l lines
		err := w.svc.Push(t.Context(), engine.PushRequest{Ref: ref}, l.report)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	w.between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Path == "/v2/" {
				return
			}
			rw.WriteHeader(http.StatusForbidden)
			json.NewEncoder(rw).Encode(map[string]any{"errors": []map[string]string{{"code": "DENIED", "message": "requested access to the resource is denied"}}})
		})
	})
	err := w.svc.Push(t.Context(), engine.PushRequest{Ref: "x:1"}, nil)
	if engine.KindOf(err) != engine.Forbidden || !strings.Contains(err.Error(), "denied: requested access to the resource is denied") {
		t.Errorf("denied: %v", err)
	}
}

func TestPushGoesOnAfterFailures(t *testing.T) {
	w := newWorld(t)
	img := big(t, 500_000)
	w.load(img.Archive(w.host + "/x:1"))
	var n atomic.Int32
	w.between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch && n.Add(1)%2 == 1 {
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			next.ServeHTTP(rw, r)
		})
	})
	w.push(w.host + "/x:1")
	w.between(nil)
	w.remove(w.host+"/x:1", false)
	w.pull(w.host + "/x:1")
}

func TestDistribution(t *testing.T) {
	w := newWorld(t)
	amd, arm := forPlatform("linux", "amd64", "a"), forPlatform("linux", "arm64", "a")
	index := w.serveIndex("docker.io/library/x", "many", amd, arm)
	w.serve("docker.io/library/x", "one", arm)
	got, err := w.svc.Distribution(t.Context(), "x:many", engine.Credentials{})
	want := engine.Distribution{MediaType: imageformat.OCIIndex, Digest: digest.FromBytes(index).String(), Size: int64(len(index)), Platforms: []engine.Platform{amd64, {OS: "linux", Architecture: "arm64"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	got, err = w.svc.Distribution(t.Context(), "docker.io/library/x:one", engine.Credentials{})
	want = engine.Distribution{MediaType: imageformat.OCIManifest, Digest: arm.Digest().String(), Size: int64(len(arm.Manifest)), Platforms: []engine.Platform{{OS: "linux", Architecture: "arm64"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := w.svc.Distribution(t.Context(), "x:none", engine.Credentials{}); engine.KindOf(err) != engine.NotFound {
		t.Errorf("unknown: %v", err)
	}
	if _, err := w.svc.Distribution(t.Context(), arm.ID().String(), engine.Credentials{}); engine.KindOf(err) != engine.Invalid {
		t.Errorf("an id: %v", err)
	}
	w.nothing("after looks")
}

func TestRoundTrips(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		var diffs [][]byte
		for i := range n % 5 {
			diffs = append(diffs, imagetest.Tar(imagetest.Dir("d"), imagetest.File(fmt.Sprintf("d/%d-%d", n, i), strings.Repeat(fmt.Sprint(n, i), 1000*i))))
		}
		img := imagetest.New(func(c *imageformat.JailImage) { c.Author = fmt.Sprint(n) }, diffs...)
		ref := fmt.Sprintf("%s/trip:%d", w.host, n)
		w.load(img.Archive(ref))
		w.push(ref)
		v := newWorld(t)
		v.client = w.client
		v.open()
		v.pull(ref)
		u := newWorld(t)
		u.load(v.save(ref))
		got := u.inspect(ref)
		if got.ID != engine.ImageID(img.ID()) || got.Digest != img.Digest().String() {
			t.Errorf("%d: %s %s", n, got.ID, got.Digest)
		}
		for i, d := range img.DiffIDs {
			tar := u.layers.all[engine.LayerID(imageformat.ChainIDs(img.DiffIDs)[i])].tar
			if digest.FromBytes(tar) != d {
				t.Errorf("%d: layer %d differs", n, i)
			}
		}
	}
}

func TestLoadedZstdIsPushedAsItIs(t *testing.T) {
	w := newWorld(t)
	diff := imagetest.Tar(imagetest.File("a", strings.Repeat("a", 10_000)))
	img := imagetest.New(nil, diff)
	blob := imagetest.Compress(diff, layer.Zstd)
	w.load(imagetest.Tar(imagetest.File("c", string(img.Config)), imagetest.File("l", string(blob)),
		imagetest.File("manifest.json", `[{"Config":"c","Layers":["l"],"RepoTags":["`+w.host+`/z:1"]}]`)))
	w.push(w.host + "/z:1")
	m, err := imageformat.ParseManifest("", w.remote(w.host+"/z", "1").Body)
	if err != nil || m.Layers[0].Digest != digest.FromBytes(blob) || m.Layers[0].MediaType != imageformat.OCILayerZstd {
		t.Errorf("%+v, %v", m, err)
	}
}
