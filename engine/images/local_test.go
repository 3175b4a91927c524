package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"
	"github.com/ulikunitz/xz"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

func TestLoad(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b")
	got := w.load(img.Archive("busybox:glibc", "other:1"))
	if diff := cmp.Diff([]string{"Loaded image: busybox:glibc", "Loaded image: other:1"}, got); diff != "" {
		t.Error(diff)
	}
	i := w.inspect("busybox:glibc")
	if i.ID != engine.ImageID(img.ID()) || len(i.Digests) != 0 {
		t.Errorf("%v %v", i.ID, i.Digests)
	}
	if diff := cmp.Diff([]string{"busybox:glibc", "other:1"}, i.Tags); diff != "" {
		t.Error(diff)
	}
	id := string(img.ID())
	if diff := cmp.Diff([]string{"load " + id + " " + id}, w.events.take()); diff != "" {
		t.Error(diff)
	}
	// A name that another image has moves, and that is said.
	next := simple("c")
	got = w.load(next.Archive("busybox:glibc"))
	want := []string{"The image busybox:glibc already exists, renaming the old one with ID " + id + " to empty string", "Loaded image: busybox:glibc"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = w.load(simple("d").Archive())
	if diff := cmp.Diff([]string{"Loaded image ID: " + simple("d").ID().String()}, got); diff != "" {
		t.Error(diff)
	}
}

func xzOf(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := xz.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestLoadOfAnyCompression(t *testing.T) {
	tar := simple("a").Archive("x:1")
	for name, b := range map[string][]byte{
		"plain": tar, "gzip": imagetest.Compress(tar, layer.Gzip), "zstd": imagetest.Compress(tar, layer.Zstd), "xz": xzOf(t, tar),
	} {
		w := newWorld(t)
		if diff := cmp.Diff([]string{"Loaded image: x:1"}, w.load(b)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestLoadOfOnePlatform(t *testing.T) {
	w := newWorld(t)
	arm, amd := forPlatform("linux", "arm64", "a"), forPlatform("linux", "amd64", "a")
	w.load(arm.Archive("arm:1"))
	w.load(amd.Archive("amd:1"))
	both := w.save("arm:1", "amd:1")
	v := newWorld(t)
	if err := v.svc.Load(t.Context(), bytes.NewReader(both), &engine.Platform{OS: "linux", Architecture: "arm64"}, nil); err != nil {
		t.Fatal(err)
	}
	list, err := v.svc.List(t.Context(), engine.ImageQuery{})
	if err != nil || len(list) != 1 || list[0].ID != engine.ImageID(arm.ID()) {
		t.Errorf("%d images, %v", len(list), err)
	}
}

// layoutOf is an OCI layout whose index.json gives a name to an index of images, and that index.
func layoutOf(t *testing.T, name string, images ...imagetest.Image) (tar, index []byte) {
	t.Helper()
	blobs := map[string][]byte{}
	var inner, top imageformat.Index
	for _, img := range images {
		for _, b := range append(slices.Clone(img.Blobs), img.Config, img.Manifest) {
			blobs[digest.FromBytes(b).Encoded()] = b
		}
		d := imageformat.DescriptorOf(imageformat.OCIManifest, img.Manifest)
		config := must(imageformat.ParseConfig(img.Config))
		d.Platform = &config.Platform
		inner.Manifests = append(inner.Manifests, d)
	}
	index = must(inner.Marshal())
	blobs[digest.FromBytes(index).Encoded()] = index
	d := imageformat.DescriptorOf(imageformat.OCIIndex, index)
	d.Annotations = map[string]string{"io.containerd.image.name": name}
	top.Manifests = append(top.Manifests, d)
	entries := []imagetest.Entry{imagetest.File("oci-layout", `{"imageLayoutVersion":"1.0.0"}`), imagetest.File("index.json", string(must(top.Marshal())))}
	for hex, b := range blobs {
		entries = append(entries, imagetest.File("blobs/sha256/"+hex, string(b)))
	}
	return imagetest.Tar(entries...), index
}

// Images of several platforms that came in one archive under one name share it, and their index with it.
func TestLoadOfSeveralPlatforms(t *testing.T) {
	w := newWorld(t)
	amd, arm := forPlatform("linux", "amd64", "a"), forPlatform("linux", "arm64", "a")
	tar, index := layoutOf(t, w.host+"/x:1", amd, arm)
	old := simple("old")
	w.load(old.Archive(w.host + "/x:1"))
	want := []string{
		"The image " + w.host + "/x:1 already exists, renaming the old one with ID " + old.ID().String() + " to empty string",
		"Loaded image: " + w.host + "/x:1",
	}
	if diff := cmp.Diff(want, w.load(tar)); diff != "" {
		t.Error(diff)
	}
	for range 2 { // once more changes nothing
		for platform, img := range map[string]imagetest.Image{"amd64": amd, "arm64": arm} {
			i, err := w.svc.Inspect(t.Context(), w.host+"/x:1", &engine.Platform{OS: "linux", Architecture: platform})
			if err != nil || i.ID != engine.ImageID(img.ID()) {
				t.Errorf("%s: %s, %v", platform, i.ID, err)
			}
		}
		if diff := cmp.Diff(want[1:], w.load(tar)); diff != "" {
			t.Error(diff)
		}
	}
	w.push(w.host + "/x:1")
	if got, want := w.remote(w.host+"/x", "1").Digest, digest.FromBytes(index).String(); got != want {
		t.Errorf("the index %s became %s", want, got)
	}
	// An archive of one of them takes the name whole.
	w.load(arm.Archive(w.host + "/x:1"))
	if i := w.inspect(w.host + "/x:1"); i.ID != engine.ImageID(arm.ID()) {
		t.Errorf("the name still means %s", i.ID)
	}
}

func fileOf(t *testing.T, archive []byte, name string) []byte {
	t.Helper()
	for tr := tar.NewReader(bytes.NewReader(archive)); ; {
		hdr, err := tr.Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if hdr.Name == name {
			raw, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
	}
}

// A name is saved with the images of all platforms that are here, the preferred one under the name that programs know which know of no
// platforms, and is loaded so.
func TestSaveOfSeveralPlatforms(t *testing.T) {
	w := newWorld(t)
	amd, arm := forPlatform("linux", "amd64", "a"), forPlatform("linux", "arm64", "b")
	index := w.serveIndex("docker.io/library/x", "1", amd, arm)
	w.pull("x:1")
	if err := w.svc.Pull(t.Context(), engine.PullRequest{Ref: "x:1", Platform: &linuxArm}, nil); err != nil {
		t.Fatal(err)
	}
	w.load(simple("third").Archive("other:1"))
	for _, refs := range [][]string{{"x:1"}, {"x"}, {"other:1", "x:1"}} {
		saved := w.save(refs...)
		if named := digest.FromBytes(index).String(); !strings.Contains(string(fileOf(t, saved, "index.json")), named) {
			t.Errorf("%q: the index that the images came by is not in the archive", refs)
		}
		tags := map[string][]string{}
		var items []struct {
			Config   string
			RepoTags []string
		}
		if err := json.Unmarshal(fileOf(t, saved, "manifest.json"), &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			tags[path.Base(item.Config)] = item.RepoTags
		}
		if len(items) != len(refs)+1 || !slices.Equal(tags[amd.ID().Encoded()], []string{"x:1"}) || tags[arm.ID().Encoded()] != nil {
			t.Errorf("%q: manifest.json says %+v", refs, items)
		}
		there := newWorld(t)
		there.load(saved)
		for platform, img := range map[string]imagetest.Image{"amd64": amd, "arm64": arm} {
			i, err := there.svc.Inspect(t.Context(), "x:1", &engine.Platform{OS: "linux", Architecture: platform})
			if err != nil || i.ID != engine.ImageID(img.ID()) {
				t.Errorf("%q: %s: %s, %v", refs, platform, i.ID, err)
			}
		}
	}
	var one bytes.Buffer
	if err := w.svc.Save(t.Context(), []string{"x:1"}, &linuxArm, &one); err != nil {
		t.Fatal(err)
	}
	there := newWorld(t)
	there.load(one.Bytes())
	if i := there.inspect("x:1"); i.ID != engine.ImageID(arm.ID()) {
		t.Errorf("of one platform: %s", i.ID)
	}
}

// A list shows the manifest by which an image came, for its platform, and what of it is kept; one that never had one has none.
func TestManifestsOfAList(t *testing.T) {
	w := newWorld(t)
	amd, arm := forPlatform("linux", "amd64", "a"), forPlatform("linux", "arm64", "a", "b")
	tar, _ := layoutOf(t, "two:1", amd, arm)
	w.load(tar)
	if _, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "none:1"}, bytes.NewReader(imagetest.Tar())); err != nil {
		t.Fatal(err)
	}
	w.containers.all = []engine.Container{{ID: "c1", Image: engine.ImageID(arm.ID())}}
	got := map[string]*engine.ImageManifest{}
	for _, row := range must(w.svc.List(t.Context(), engine.ImageQuery{Manifests: true})) {
		got[row.Tags[0]+" "+row.Platform.Architecture] = row.Manifest
	}
	of := func(img imagetest.Image, users ...engine.ContainerID) *engine.ImageManifest {
		n := len(img.Manifest) + len(img.Config)
		for _, b := range img.Blobs {
			n += len(b)
		}
		return &engine.ImageManifest{
			Digest: img.Digest().String(), MediaType: imageformat.OCIManifest, Size: int64(len(img.Manifest)), Content: int64(n), Containers: users,
		}
	}
	want := map[string]*engine.ImageManifest{"two:1 amd64": of(amd), "two:1 arm64": of(arm, "c1"), "none:1 amd64": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, row := range must(w.svc.List(t.Context(), engine.ImageQuery{})) {
		if row.Manifest != nil {
			t.Errorf("%s: nobody asked for %+v", row.Tags, row.Manifest)
		}
	}
}

// Only who names an image here tags it, as for dockerd.
func TestLastTagged(t *testing.T) {
	w := newWorld(t)
	img := simple("a")
	w.serve("docker.io/library/pulled", "1", img)
	w.pull("pulled:1")
	w.load(simple("b").Archive("loaded:1"))
	for _, ref := range []string{"pulled:1", "loaded:1"} {
		if i := w.inspect(ref); !i.LastTagged.IsZero() {
			t.Errorf("%s was tagged %v", ref, i.LastTagged)
		}
	}
	if _, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "imported:1"}, bytes.NewReader(imagetest.Tar())); err != nil {
		t.Fatal(err)
	}
	w.tag("loaded:1", "tagged:1")
	for _, ref := range []string{"imported:1", "tagged:1", "loaded:1"} {
		if w.inspect(ref).LastTagged.IsZero() {
			t.Errorf("%s was not tagged", ref)
		}
	}
}

func TestSaveGivesBackWhatCame(t *testing.T) {
	w := newWorld(t)
	pulled, loaded := simple("a", "b"), simple("a", "c")
	w.serve("docker.io/library/x", "1", pulled)
	w.pull("x:1")
	w.tag("x:1", "team/y:2")
	w.load(loaded.Archive("z:3"))
	tar := w.save("x:1", "z:3", "team/y:2")
	v := newWorld(t)
	if diff := cmp.Diff([]string{"Loaded image: x:1", "Loaded image: team/y:2", "Loaded image: z:3"}, v.load(tar)); diff != "" {
		t.Error(diff)
	}
	if got := v.inspect("x:1"); got.ID != engine.ImageID(pulled.ID()) || got.Digest != pulled.Digest().String() {
		t.Errorf("%s %s", got.ID, got.Digest)
	}
	if got := v.inspect("z:3"); got.ID != engine.ImageID(loaded.ID()) {
		t.Errorf("%s", got.ID)
	}
	// The same request gives the same bytes.
	if !bytes.Equal(tar, w.save("x:1", "z:3", "team/y:2")) {
		t.Error("a second save differs")
	}
	for _, ref := range []string{"none", "x:none"} {
		if err := w.svc.CanSave(t.Context(), []string{"x:1", ref}, nil); engine.KindOf(err) != engine.NotFound || err.(*engine.Error).ID != ref {
			t.Errorf("%s: %v", ref, err)
		}
	}
	// A repository without a tag is all of its tags; an id has no name.
	w.tag("z:3", "x:2")
	v = newWorld(t)
	if diff := cmp.Diff([]string{"Loaded image: x:1", "Loaded image: x:2"}, v.load(w.save("x"))); diff != "" {
		t.Error(diff)
	}
	v = newWorld(t)
	if diff := cmp.Diff([]string{"Loaded image ID: " + pulled.ID().String()}, v.load(w.save(pulled.ID().Encoded()[:12]))); diff != "" {
		t.Error(diff)
	}
}

func TestSaveWithoutTheBlobs(t *testing.T) {
	w := newWorld(t)
	img := simple("a", "b")
	w.serve("docker.io/library/x", "1", img)
	w.pull("x:1")
	for _, b := range img.Blobs {
		if _, err := w.svc.blobs.remove(w.svc.blobs.path(digest.FromBytes(b))); err != nil {
			t.Fatal(err)
		}
	}
	v := newWorld(t)
	v.load(w.save("x:1"))
	if got := v.inspect("x:1"); got.ID != engine.ImageID(img.ID()) {
		t.Errorf("%s", got.ID)
	}
}

func TestImport(t *testing.T) {
	root := imagetest.Tar(imagetest.File("bin/sh", "#!"))
	for name, tar := range map[string][]byte{"plain": root, "gzip": imagetest.Compress(root, layer.Gzip), "xz": xzOf(t, root)} {
		w := newWorld(t)
		req := engine.ImportRequest{Ref: "me/root", Message: "Imported from -", Changes: []string{
			`CMD ["/bin/sh", "-l"]`, "ENV PATH=/bin A=${PATH}:/x", "EXPOSE 80 8000-8001/udp", "LABEL a=b c=\"d e\"", "USER 7:8", "WORKDIR /srv\nWORKDIR sub",
			"VOLUME /data", "STOPSIGNAL SIGUSR1", "HEALTHCHECK --interval=5s --retries=2 CMD true", "ONBUILD RUN echo hi", "ENTRYPOINT exec top",
		}}
		id, err := w.svc.Import(t.Context(), req, bytes.NewReader(tar))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		i := w.inspect("me/root")
		want := engine.ImageConfig{
			Process: engine.ProcessSpec{
				Entrypoint: []string{"/bin/sh", "-c", "exec top"}, Cmd: []string{"/bin/sh", "-l"}, Env: []string{"PATH=/bin", "A=:/x"}, WorkDir: "/srv/sub", User: "7:8",
			},
			ExposedPorts: []engine.Port{{Number: 80, Proto: "tcp"}, {Number: 8000, Proto: "udp"}, {Number: 8001, Proto: "udp"}},
			VolumePaths:  []string{"/data"}, Labels: map[string]string{"a": "b", "c": "d e"}, StopSignal: "SIGUSR1",
			Health: &engine.HealthSpec{Test: []string{"CMD-SHELL", "true"}, Interval: 5 * time.Second, Retries: 2}, OnBuild: []string{"RUN echo hi"},
		}
		if diff := cmp.Diff(want, i.Config, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if i.ID != id || i.Comment != "Imported from -" || i.Platform != amd64 || i.Layers[0] != digest.FromBytes(root).String() {
			t.Errorf("%s: %+v", name, i)
		}
		if diff := cmp.Diff([]string{"tag " + string(id) + " me/root:latest", "import " + string(id) + " " + string(id)}, w.events.take()); diff != "" {
			t.Error(diff)
		}
		h, err := w.svc.History(t.Context(), "me/root", nil)
		if err != nil || len(h) != 1 || h[0].Size != int64(len(root)) || h[0].ID != id {
			t.Errorf("%s: history %+v, %v", name, h, err)
		}
	}
}

func TestBadChanges(t *testing.T) {
	w := newWorld(t)
	for change, want := range map[string]string{
		"RUN true": "RUN is not a valid change command", "FROM x": "FROM is not a valid change command", "EXPOSE 0": "invalid containerPort: 0",
		"EXPOSE 99999": "invalid containerPort: 99999", "EXPOSE 80/icmp": "invalid proto: icmp", "STOPSIGNAL nope": "nope", "WORKDIR": "WORKDIR",
		"NONSENSE x": "NONSENSE is not a valid change command", "HEALTHCHECK --interval=x CMD true": "x",
	} {
		_, err := w.svc.Import(t.Context(), engine.ImportRequest{Changes: []string{change}}, strings.NewReader(""))
		if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", change, err)
		}
	}
	if _, err := w.svc.Import(t.Context(), engine.ImportRequest{Ref: "x@" + digest.FromString("").String()}, strings.NewReader("")); engine.KindOf(err) != engine.Invalid {
		t.Errorf("a digest for a name: %v", err)
	}
	w.nothing("after refusals")
}

// container makes a container of an image, with something changed in its root.
func (w *world) container(name, image string, state engine.State, diff []byte) engine.Container {
	w.t.Helper()
	i := w.inspect(image)
	c := engine.Container{
		ID: engine.ContainerID(engine.NewID()), Name: name, Image: i.ID, Platform: i.Platform, Status: engine.Status{State: state},
		Spec: engine.Spec{ImageRef: image, Process: engine.ProcessSpec{Cmd: []string{"sleep", "1"}, Env: []string{"A=1", "B=2"}}, Labels: map[string]string{"own": "yes"}},
	}
	w.containers.mu.Lock()
	w.containers.all = append(w.containers.all, c)
	w.containers.mu.Unlock()
	w.layers.mu.Lock()
	w.layers.roots[c.ID] = memoryRoot{i.Top, diff}
	w.layers.mu.Unlock()
	return c
}

func (w *world) dropContainer(c engine.Container) {
	w.containers.mu.Lock()
	for i := range w.containers.all {
		if w.containers.all[i].ID == c.ID {
			w.containers.all = append(w.containers.all[:i], w.containers.all[i+1:]...)
			break
		}
	}
	w.containers.mu.Unlock()
	w.layers.mu.Lock()
	delete(w.layers.roots, c.ID)
	w.layers.mu.Unlock()
}

func TestCommit(t *testing.T) {
	w := newWorld(t)
	base := imagetest.New(func(c *imageformat.JailImage) {
		c.Run = imageformat.RunConfig{Env: []string{"A=0"}, Cmd: []string{"sh"}}
		c.Jail = &imageformat.JailConfig{Allow: []string{"raw_sockets"}}
	}, imagetest.Tar(imagetest.File("a", "a")))
	w.load(base.Archive("base:1"))
	diff := imagetest.Tar(imagetest.File("new", "new"))
	c := w.container("web", "base:1", engine.StateRunning, diff)
	w.events.take()
	id, err := w.svc.Commit(t.Context(), engine.CommitRequest{
		Container: "web", Ref: "mine", Comment: "why", Author: "ada", Pause: true, Changes: []string{"ENV B=3 C=4", "LABEL x=y"},
	})
	if err != nil {
		t.Fatal(err)
	}
	i := w.inspect("mine")
	if i.ID != id || i.Parent != engine.ImageID(base.ID()) || i.Author != "ada" || i.Comment != "why" || len(i.Layers) != 2 {
		t.Errorf("%+v", i)
	}
	want := engine.ImageConfig{
		Process: engine.ProcessSpec{Cmd: []string{"sleep", "1"}, Env: []string{"A=1", "B=3", "C=4"}}, Labels: map[string]string{"own": "yes", "x": "y"},
	}
	if diff := cmp.Diff(want, i.Config, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	raw, err := w.svc.document(digest.Digest(id))
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := imageformat.ParseConfig(raw); err != nil || doc.Jail == nil || doc.Jail.Allow[0] != "raw_sockets" {
		t.Errorf("the extension of the parent is lost: %v", err)
	}
	sid := string(id)
	if diff := cmp.Diff([]string{"create " + sid + " " + sid, "tag " + sid + " mine:latest", "commit " + string(c.ID) + " web"}, w.events.take()); diff != "" {
		t.Error(diff)
	}
	h, err := w.svc.History(t.Context(), "mine", nil)
	if err != nil || len(h) != 2 || h[0].CreatedBy != "sleep 1" || h[0].Comment != "why" || h[0].Size != int64(len(diff)) {
		t.Errorf("%+v %v", h, err)
	}
	if h[1].ID != engine.ImageID(base.ID()) || h[1].Tags[0] != "base:1" {
		t.Errorf("the parent in history: %+v", h[1])
	}
	// A container that changed nothing adds no layer.
	w.container("still", "base:1", engine.StateExited, imagetest.Tar())
	if _, err := w.svc.Commit(t.Context(), engine.CommitRequest{Container: "still", Ref: "same"}); err != nil {
		t.Fatal(err)
	}
	if i := w.inspect("same"); len(i.Layers) != 1 {
		t.Errorf("%d layers", len(i.Layers))
	}
	for state, kind := range map[engine.State]engine.Kind{engine.StateDead: engine.Conflict, engine.StateRemoving: engine.Conflict} {
		c := w.container(string(state), "base:1", state, nil)
		if _, err := w.svc.Commit(t.Context(), engine.CommitRequest{Container: c.Name}); engine.KindOf(err) != kind {
			t.Errorf("%s: %v", state, err)
		}
	}
	// What another daemon gets is the whole image.
	v := newWorld(t)
	v.load(w.save("mine"))
	if got := v.inspect("mine"); got.ID != id {
		t.Errorf("%s", got.ID)
	}
}

func TestCreateForABuilder(t *testing.T) {
	w := newWorld(t)
	first, err := w.svc.Create(t.Context(), engine.NewImage{Platform: amd64, Layer: bytes.NewReader(imagetest.Tar(imagetest.File("a", "a"))), CreatedBy: "ADD a"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.svc.Create(t.Context(), engine.NewImage{Parent: first, Config: engine.ImageConfig{Process: engine.ProcessSpec{Cmd: []string{"x"}}}, CreatedBy: "CMD x"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]engine.ImageID{second}, w.svc.Children(first)); diff != "" {
		t.Error(diff)
	}
	list, err := w.svc.List(t.Context(), engine.ImageQuery{})
	if err != nil || len(list) != 1 || list[0].ID != second {
		t.Errorf("intermediate images are listed: %d, %v", len(list), err)
	}
	if list, _ := w.svc.List(t.Context(), engine.ImageQuery{All: true}); len(list) != 2 {
		t.Errorf("%d of all", len(list))
	}
	done, err := w.svc.Remove(t.Context(), string(second), engine.ImageRemoval{Prune: true})
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, d := range done {
		gone = append(gone, d.Deleted)
	}
	want := []string{string(second), string(first), w.firstLayer(imagetest.Tar(imagetest.File("a", "a")))}
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Error(diff)
	}
	w.nothing("after its removal")
}

// A step that an image's history tells is taken from there; what the history tells otherwise, or the layers, is not.
func TestResumeOfAnImagesHistory(t *testing.T) {
	w := newWorld(t)
	create := func(n engine.NewImage) engine.ImageID {
		t.Helper()
		n.Platform, n.Intermediate = amd64, true
		id, err := w.svc.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	layer := func(name string) *bytes.Reader { return bytes.NewReader(imagetest.Tar(imagetest.File(name, name))) }
	config := engine.ImageConfig{Process: engine.ProcessSpec{Cmd: []string{"x"}}}
	base := create(engine.NewImage{Layer: layer("base"), CreatedBy: "ADD base"})
	env := create(engine.NewImage{Parent: base, CreatedBy: "ENV x"})
	run := create(engine.NewImage{Parent: env, Layer: layer("run"), CreatedBy: "RUN it"})
	like := create(engine.NewImage{Parent: run, Config: config, CreatedBy: "CMD x"})
	var saved bytes.Buffer
	if err := w.svc.Save(t.Context(), []string{string(like)}, nil, &saved); err != nil {
		t.Fatal(err)
	}

	there := newWorld(t) // which knows nothing of the steps
	there.load(saved.Bytes())
	resume := func(n engine.NewImage) (engine.ImageID, bool) {
		t.Helper()
		n.Platform, n.Intermediate = amd64, true
		id, ok, err := there.svc.Resume(t.Context(), n, like)
		if err != nil {
			t.Fatal(err)
		}
		return id, ok
	}
	var parent engine.ImageID
	for _, by := range []string{"ADD base", "ENV x", "RUN it"} {
		id, ok := resume(engine.NewImage{Parent: parent, CreatedBy: by})
		if !ok || id == like {
			t.Fatalf("%s gave %s, %t", by, id, ok)
		}
		parent = id
	}
	if got, want := there.inspect(string(parent)).Layers, w.inspect(string(run)).Layers; !slices.Equal(got, want) {
		t.Errorf("layers %v, want %v", got, want)
	}
	if id, ok := resume(engine.NewImage{Parent: parent, CreatedBy: "CMD x", Config: config}); !ok || id != like {
		t.Errorf("the last step gave %s, %t, want %s", id, ok, like)
	}
	if id, ok := resume(engine.NewImage{Parent: parent, CreatedBy: "CMD x", Config: engine.ImageConfig{StopSignal: "INT"}}); !ok || id == like {
		t.Errorf("the last step with another configuration gave %s, %t", id, ok)
	}
	for name, n := range map[string]engine.NewImage{
		"another command": {Parent: parent, CreatedBy: "CMD y"}, "another place": {CreatedBy: "RUN it"}, "more steps than there are": {Parent: like, CreatedBy: "CMD x"},
	} {
		if id, ok := resume(n); ok {
			t.Errorf("%s gave %s", name, id)
		}
	}
	other, err := there.svc.Create(t.Context(), engine.NewImage{Platform: amd64, Layer: layer("other"), CreatedBy: "ADD base", Intermediate: true})
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := resume(engine.NewImage{Parent: other, CreatedBy: "ENV x"}); ok {
		t.Errorf("upon other layers: %s", id)
	}
}

// Steps that made no image of their own stand in the history of the next, which their parent's id does not stand for, and
// serve as a cache like all others.
func TestStepsWithoutImages(t *testing.T) {
	w := newWorld(t)
	create := func(n engine.NewImage) engine.ImageID {
		t.Helper()
		n.Platform = amd64
		id, err := w.svc.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	base := create(engine.NewImage{Layer: bytes.NewReader(imagetest.Tar(imagetest.File("a", "a"))), CreatedBy: "ADD a"})
	row := engine.NewImage{Parent: base, Platform: amd64, Before: []string{"ENV a", "ENV b"}, CreatedBy: "ENV c"}
	last := create(row)
	steps, err := w.svc.History(t.Context(), string(last), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, s.CreatedBy+" "+string(s.ID))
	}
	if diff := cmp.Diff([]string{"ENV c " + string(last), "ENV b ", "ENV a ", "ADD a " + string(base)}, got); diff != "" {
		t.Error(diff)
	}
	if id, ok, err := w.svc.Resume(t.Context(), row, last); err != nil || !ok || id != last {
		t.Errorf("it goes on with %s, %t, %v", id, ok, err)
	}
	row.Before = []string{"ENV a", "ENV x"}
	if id, ok, err := w.svc.Resume(t.Context(), row, last); err != nil || ok {
		t.Errorf("after other steps it goes on with %s, %v", id, err)
	}
}

func (w *world) firstLayer(tar []byte) string { return digest.FromBytes(tar).String() }
