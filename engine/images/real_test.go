package images

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/archive"
	"github.com/xcengine/xc/engine/layers"
	layercopy "github.com/xcengine/xc/engine/layers/copy"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

// realWorld is a world whose layers are extracted files.
type realWorld struct {
	*world
	store *layers.Store
}

func newRealWorld(t *testing.T) realWorld {
	t.Helper()
	w := newWorld(t)
	driver, err := layercopy.Open(t.Context(), filepath.Join(w.dir, "layers", "copy"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := layers.New(t.Context(), layers.Config{Driver: driver, Dir: filepath.Join(w.dir, "layers")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	cfg := w.svc.cfg
	cfg.Layers = store.Layers()
	if w.svc, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.svc.Close)
	return realWorld{w, store}
}

// root makes a container's root of an image, and what removes it.
func (w realWorld) root(ref string) (path string, remove func()) {
	w.t.Helper()
	img := w.inspect(ref)
	id := engine.ContainerID(engine.NewID())
	if err := w.store.Roots().Create(w.t.Context(), id, img.Top, nil); err != nil {
		w.t.Fatal(err)
	}
	path, err := w.store.Roots().Mount(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return path, func() {
		if err := w.store.Roots().Remove(w.t.Context(), id); err != nil {
			w.t.Error(err)
		}
	}
}

// exported is the tar of a container's root made of an image.
func (w realWorld) exported(ref string) []byte {
	w.t.Helper()
	root, remove := w.root(ref)
	defer remove()
	r, err := archive.Files{}.Export(w.t.Context(), engine.MountedRoot{Path: root})
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	tar, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return tar
}

// content reads a container's root made of an image.
func (w realWorld) content(ref string) map[string]string {
	w.t.Helper()
	root, remove := w.root(ref)
	defer remove()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			raw, rerr := os.ReadFile(path)
			if rerr != nil {
				return rerr
			}
			rel, _ := filepath.Rel(root, path)
			files[rel] = string(raw)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return files
}

func TestFilesOfAPulledImage(t *testing.T) {
	w := newRealWorld(t)
	img := imagetest.New(nil,
		imagetest.Tar(imagetest.Dir("d"), imagetest.File("d/one", "1"), imagetest.File("d/two", "2"), imagetest.File("top", "t")),
		imagetest.Tar(imagetest.Dir("d"), imagetest.File("d/.wh.one", ""), imagetest.File("d/three", "3")),
		imagetest.Tar(imagetest.File("top", "changed")),
	)
	w.serve("docker.io/library/x", "1", img)
	w.pull("x:1")
	want := map[string]string{"d/two": "2", "d/three": "3", "top": "changed"}
	if diff := cmp.Diff(want, w.content("x:1")); diff != "" {
		t.Error(diff)
	}
	// By way of an archive, and by way of another registry and its digests, it is the same.
	v := newRealWorld(t)
	v.load(w.save("x:1"))
	if diff := cmp.Diff(want, v.content("x:1")); diff != "" {
		t.Error(diff)
	}
	v.tag("x:1", v.host+"/y:1")
	v.push(v.host + "/y:1")
	u := newRealWorld(t)
	u.pull(v.host + "/y@" + img.Digest().String())
	if diff := cmp.Diff(want, u.content(img.ID().String())); diff != "" {
		t.Error(diff)
	}
	// The blobs lost, the layer is written from its files; its digest must not change.
	if err := os.RemoveAll(filepath.Join(w.dir, "blobs", "sha256", digest.FromBytes(img.Blobs[0]).Encoded())); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := w.svc.Save(t.Context(), []string{"x:1"}, nil, &buf); err != nil && !strings.Contains(err.Error(), "cannot be written as it was") {
		t.Errorf("without a blob: %v", err)
	}
	for _, world := range []realWorld{w, v, u} {
		for _, img := range must(world.svc.List(t.Context(), engine.ImageQuery{All: true})) {
			world.remove(string(img.ID), true)
		}
		if all := must(world.store.Layers().List(t.Context())); len(all) != 0 {
			t.Errorf("%d layers are left", len(all))
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestHostileLayersTouchNothing(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "victim")
	writeFile(t, outside, "untouched")
	for name, tar := range map[string][]byte{
		"climbs":            imagetest.Tar(imagetest.File("../../../../../../../.."+outside, "owned")),
		"absolute link":     imagetest.Tar(imagetest.Symlink("l", filepath.Dir(outside)), imagetest.File("l/victim", "owned")),
		"whiteout outside":  imagetest.Tar(imagetest.File("../../../../../../../.."+filepath.Dir(outside)+"/.wh.victim", "")),
		"hard link outside": imagetest.Tar(imagetest.Link("x", outside), imagetest.File("x", "owned")),
		"no tar":            []byte(strings.Repeat("this is no tar. ", 200)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newRealWorld(t)
			img := imagetest.New(nil, tar)
			w.serve("docker.io/library/x", "1", img)
			err := w.svc.Pull(t.Context(), pullRequest("x:1"), nil)
			t.Logf("%v", err)
			if raw, rerr := os.ReadFile(outside); string(raw) != "untouched" || rerr != nil {
				t.Fatalf("%q, %v", raw, rerr)
			}
			if err == nil {
				w.remove("x:1", false)
			} else if _, err := w.svc.Collect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if all := must(w.store.Layers().List(t.Context())); len(all) != 0 {
				t.Errorf("%d layers are left", len(all))
			}
			if left := w.files(); len(left) != 0 {
				t.Errorf("files are left: %v", left)
			}
		})
	}
}

func TestCommittedAndImportedFiles(t *testing.T) {
	w := newRealWorld(t)
	if _, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "base"}, bytes.NewReader(imagetest.Compress(imagetest.Tar(imagetest.File("a", "1"), imagetest.File("b", "2")), layer.Gzip))); err != nil {
		t.Fatal(err)
	}
	base := w.inspect("base")
	c := engine.Container{ID: engine.ContainerID(engine.NewID()), Name: "web", Image: base.ID, Platform: base.Platform}
	roots := w.store.Roots()
	if err := roots.Create(t.Context(), c.ID, base.Top, nil); err != nil {
		t.Fatal(err)
	}
	root := must(roots.Mount(t.Context(), c.ID))
	writeFile(t, filepath.Join(root, "new"), "3")
	if err := os.Remove(filepath.Join(root, "a")); err != nil {
		t.Fatal(err)
	}
	w.containers.all = []engine.Container{c}
	// Twice: one commit must not spoil the next.
	for _, ref := range []string{"one", "two"} {
		if _, err := w.svc.Commit(t.Context(), engine.CommitRequest{Container: "web", Ref: ref}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"b": "2", "new": "3"}, w.content(ref)); diff != "" {
			t.Errorf("%s: %s", ref, diff)
		}
	}
	h := must(w.svc.History(t.Context(), "one", nil))
	if len(h) != 2 || h[0].Size == 0 || h[1].ID != base.ID {
		t.Errorf("%+v", h)
	}
	v := newRealWorld(t)
	v.load(w.save("one"))
	if diff := cmp.Diff(map[string]string{"b": "2", "new": "3"}, v.content("one")); diff != "" {
		t.Error(diff)
	}
	// A layer kept by a container's root stays until the root is gone.
	w.containers.all = nil
	for _, ref := range []string{"one", "two", "base"} {
		w.remove(ref, true)
	}
	if all := must(w.store.Layers().List(t.Context())); !slices.Equal(all, []engine.LayerID{base.Top}) {
		t.Errorf("%v are left under a root", all)
	}
	if err := roots.Remove(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := must(w.store.Layers().List(t.Context())); len(all) != 0 || len(w.files()) != 0 {
		t.Errorf("%v, %v are left", all, w.files())
	}
}

// validate lets go-containerregistry look at what was pushed and saved; it downloads and hashes everything.
func (w realWorld) validate(ref string, tar []byte, whole bool) {
	w.t.Helper()
	level := []validate.Option{validate.Fast}
	if whole {
		level = nil
	}
	tag := must(name.NewTag(ref, name.Insecure))
	if err := validate.Image(must(remote.Image(tag)), level...); err != nil {
		w.t.Errorf("pushed: %v", err)
	}
	saved := must(tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(tar)), nil }, &tag))
	if err := validate.Image(saved, level...); err != nil {
		w.t.Errorf("saved: %v", err)
	}
}

func TestManyImagesThereAndBack(t *testing.T) {
	w := newRealWorld(t)
	count := 20
	if os.Getenv("XC_LONG") != "" {
		count = 200
	}
	for n := range count {
		var diffs [][]byte
		want := map[string]string{}
		for i := range 1 + n%4 {
			name := string(rune('a'+i)) + "/" + strings.Repeat("long name ", n%7)
			body := strings.Repeat(string(rune('a'+n%26)), n*37*i)
			diffs = append(diffs, imagetest.Tar(imagetest.Dir(string(rune('a'+i))), imagetest.File(name+"f", body)))
			want[name+"f"] = body
		}
		img := imagetest.New(func(c *imageformat.JailImage) { c.Author = strings.Repeat("n", n) }, diffs...)
		ref := w.host + "/trip:1"
		w.load(img.Archive(ref))
		w.push(ref)
		tar := w.save(ref)
		w.validate(ref, tar, n%10 == 0)
		w.remove(ref, false)
		w.pull(ref)
		if diff := cmp.Diff(want, w.content(ref)); diff != "" {
			t.Errorf("%d pulled: %s", n, diff)
		}
		w.remove(ref, false)
		w.load(tar)
		if got := w.inspect(ref); got.ID != engine.ImageID(img.ID()) || got.Digest != img.Digest().String() {
			t.Errorf("%d: %s %s", n, got.ID, got.Digest)
		}
		if diff := cmp.Diff(want, w.content(ref)); diff != "" {
			t.Errorf("%d loaded: %s", n, diff)
		}
		flat := w.exported(ref)
		w.remove(ref, false)
		if _, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: ref}, bytes.NewReader(flat)); err != nil {
			t.Fatal(err)
		}
		w.validate(ref, w.save(ref), false)
		if diff := cmp.Diff(want, w.content(ref)); diff != "" {
			t.Errorf("%d exported and imported: %s", n, diff)
		}
		w.remove(ref, false)
	}
	if left := w.files(); len(left) != 0 {
		t.Errorf("files are left: %v", left)
	}
}
