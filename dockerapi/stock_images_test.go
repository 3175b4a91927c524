package dockerapi_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/xcengine/xc/engine"
)

func TestPull(t *testing.T) {
	b := newBed(t)
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: "u", Password: "p"})
	ok(t, err)
	r, err := b.docker.ImagePull(t.Context(), "busybox:1", image.PullOptions{RegistryAuth: auth})
	ok(t, err)
	got, err := all(r)
	ok(t, err)
	if diff := cmp.Diff(`{"status":"Pulling from library/busybox","id":"1"}`+"\r\n"+
		`{"status":"Downloading","progressDetail":{"current":5,"total":10},"progress":"[=========================\u003e                         ]       5B/10B","id":"716d801f842f"}`+"\r\n"+
		`{"status":"Pull complete","progressDetail":{},"id":"716d801f842f"}`+"\r\n"+
		`{"status":"Status: Downloaded newer image for busybox:1"}`+"\r\n", got); diff != "" {
		t.Error(diff)
	}
	if b.images.auth.Username != "u" {
		t.Error("the credentials did not arrive")
	}
	_, err = b.docker.ImagePull(t.Context(), "nothere:1", image.PullOptions{})
	want(t, err, cerrdefs.IsNotFound, "pull access denied for nothere, repository does not exist or may require 'docker login': denied: requested access to the resource is denied")
	b.images.broken = errors.New("the line was cut")
	r, err = b.docker.ImagePull(t.Context(), "busybox:1", image.PullOptions{})
	ok(t, err)
	if got, err = all(r); err != nil || !strings.HasSuffix(got, `{"errorDetail":{"message":"the line was cut"},"error":"the line was cut"}`+"\r\n") {
		t.Errorf("half-way: %s, %v", got, err)
	}
}

func TestPush(t *testing.T) {
	b := newBed(t)
	b.images.images["app:1"] = engine.Image{ID: "sha256:a1"}
	r, err := b.docker.ImagePush(t.Context(), "app:1", image.PushOptions{RegistryAuth: "e30="})
	ok(t, err)
	if got, err := all(r); err != nil || !strings.HasSuffix(got, `{"progressDetail":{},"aux":{"Tag":"1","Digest":"sha256:ab","Size":528}}`+"\r\n") {
		t.Errorf("got %s, %v", got, err)
	}
	r, err = b.docker.ImagePush(t.Context(), "nothere:1", image.PushOptions{RegistryAuth: "e30="})
	ok(t, err)
	if got, err := all(r); err != nil || !strings.Contains(got, `"error":"An image does not exist locally with the tag: nothere"`) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestLoadAndSave(t *testing.T) {
	b := newBed(t)
	load := func(body string, o ...client.ImageLoadOption) string {
		t.Helper()
		resp, err := b.docker.ImageLoad(t.Context(), strings.NewReader(body), o...)
		ok(t, err)
		got, err := all(resp.Body)
		ok(t, err)
		if !resp.JSON {
			t.Error("not told to be JSON")
		}
		return got
	}
	if got := load("tar of app:1", client.ImageLoadWithQuiet(true)); got != `{"stream":"Loaded image: app:1\n"}`+"\r\n" {
		t.Errorf("quiet: %s", got)
	}
	if got := load("tar of app:2", client.ImageLoadWithQuiet(false)); !strings.HasPrefix(got, `{"status":"Loading layer"`) {
		t.Errorf("not quiet: %s", got)
	}
	if got := load("garbage"); got != `{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}`+"\r\n" {
		t.Errorf("garbage: %s", got)
	}
	r, err := b.docker.ImageSave(t.Context(), []string{"app:1", "app:2"})
	ok(t, err)
	if got, err := all(r); got != "tar of app:1 app:2" || err != nil {
		t.Errorf("saved %q, %v", got, err)
	}
	_, err = b.docker.ImageSave(t.Context(), []string{"app:1", "none"})
	want(t, err, cerrdefs.IsNotFound, "No such image: none:latest")
	b.images.broken = errors.New("the disk is gone")
	r, err = b.docker.ImageSave(t.Context(), []string{"app:1"})
	if err == nil {
		_, err = all(r)
	}
	if err == nil {
		t.Error("half a tar was taken for a whole one")
	}
}

func TestImport(t *testing.T) {
	b := newBed(t)
	r, err := b.docker.ImageImport(t.Context(), image.ImportSource{Source: strings.NewReader("root"), SourceName: "-"}, "app:1", image.ImportOptions{Changes: []string{"CMD x"}})
	ok(t, err)
	if got, err := all(r); got != `{"status":"sha256:imported"}`+"\r\n" || err != nil || string(b.images.got) != "root" || b.images.images["app:1"].Comment != "Imported from -" {
		t.Errorf("got %s, %v, %+v", got, err, b.images.images)
	}
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/root.tar" {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		io.WriteString(w, "root from afar")
	}))
	defer files.Close()
	r, err = b.docker.ImageImport(t.Context(), image.ImportSource{SourceName: files.URL + "/root.tar"}, "app:2", image.ImportOptions{Message: "mine"})
	ok(t, err)
	got, err := all(r)
	ok(t, err)
	for _, line := range []string{`{"status":"Downloading from ` + files.URL + `/root.tar"}`, `{"status":"Importing","progressDetail":{"current":14,"total":14}`, `{"status":"sha256:imported"}`} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s in %s", line, got)
		}
	}
	if string(b.images.got) != "root from afar" || b.images.images["app:2"].Comment != "mine" {
		t.Errorf("got %q, %+v", b.images.got, b.images.images)
	}
	_, err = b.docker.ImageImport(t.Context(), image.ImportSource{SourceName: files.URL + "/none"}, "app:3", image.ImportOptions{})
	want(t, err, cerrdefs.IsNotFound, "with status 404 Not Found: not here")
}

func TestImagesOfTheStore(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	b.images.images["busybox:1"] = b.images.remote["busybox:1"]
	list, err := b.docker.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "b*"))})
	ok(t, err)
	if len(list) != 1 || list[0].RepoTags[0] != "busybox:1" || !cmp.Equal(b.images.query.References, []string{"b*"}) {
		t.Errorf("list %+v, asked %+v", list, b.images.query)
	}
	got, err := b.docker.ImageInspect(ctx, "busybox:1")
	ok(t, err)
	if got.ID != "sha256:b1" || got.Os != "linux" || got.GraphDriver.Name != "zfs" || got.Config == nil {
		t.Errorf("inspect %+v", got)
	}
	one := b.images.images["busybox:1"]
	one.Size = 100
	one.Manifest = &engine.ImageManifest{Digest: "sha256:m1", MediaType: ocispec.MediaTypeImageManifest, Size: 10, Content: 60, Containers: []engine.ContainerID{"c1"}}
	b.images.images["busybox:1"] = one
	platform := ocispec.Platform{OS: "linux", Architecture: "amd64"}
	manifest := image.ManifestSummary{
		ID: "sha256:m1", Available: true, Kind: image.ManifestKindImage,
		Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: "sha256:m1", Size: 10, Platform: &platform},
		ImageData:  &image.ImageProperties{Platform: platform, Containers: []string{"c1"}},
	}
	manifest.Size.Content, manifest.Size.Total, manifest.ImageData.Size.Unpacked = 60, 160, 100
	got, err = b.docker.ImageInspect(ctx, "busybox:1", client.ImageInspectWithManifests(true))
	ok(t, err)
	if diff := cmp.Diff([]image.ManifestSummary{manifest}, got.Manifests); diff != "" {
		t.Error(diff)
	}
	if got, err = b.docker.ImageInspect(ctx, "busybox:1"); err != nil || got.Manifests != nil {
		t.Errorf("manifests that nobody asked for: %+v, %v", got.Manifests, err)
	}
	list, err = b.docker.ImageList(ctx, image.ListOptions{Manifests: true})
	ok(t, err)
	if diff := cmp.Diff([]image.ManifestSummary{manifest}, list[0].Manifests); diff != "" || !b.images.query.Manifests {
		t.Error(diff)
	}
	_, err = b.docker.ImageInspect(ctx, "busybox:1", client.ImageInspectWithPlatform(&ocispec.Platform{OS: "freebsd", Architecture: "amd64"}))
	want(t, err, cerrdefs.IsNotFound, "image with reference busybox:1 was found but its platform (linux/amd64) does not match the specified platform (freebsd/amd64)")
	_, err = b.docker.ImageInspect(ctx, "team/none")
	want(t, err, cerrdefs.IsNotFound, "No such image: team/none:latest")
	history, err := b.docker.ImageHistory(ctx, "busybox:1")
	ok(t, err)
	if len(history) != 2 || history[1].ID != "<missing>" || history[1].CreatedBy != "RUN x" {
		t.Errorf("history %+v", history)
	}
	ok(t, b.docker.ImageTag(ctx, "busybox:1", "used"))
	want(t, b.docker.ImageTag(ctx, "none", "x"), cerrdefs.IsNotFound, "No such image: none:latest")
	_, err = b.docker.ImageRemove(ctx, "used", image.RemoveOptions{})
	want(t, err, cerrdefs.IsConflict, `conflict: unable to remove repository reference "used" (must force) - container cccccccccccc is using its referenced image aaaaaaaaaaaa`)
	removed, err := b.docker.ImageRemove(ctx, "used", image.RemoveOptions{Force: true})
	ok(t, err)
	if diff := cmp.Diff([]image.DeleteResponse{{Untagged: "used:latest"}, {Deleted: "sha256:b1"}}, removed); diff != "" {
		t.Error(diff)
	}
	pruned, err := b.docker.ImagesPrune(ctx, filters.NewArgs(filters.Arg("dangling", "false")))
	ok(t, err)
	if pruned.SpaceReclaimed != 42 || len(pruned.ImagesDeleted) != 1 || !b.images.prune.All {
		t.Errorf("pruned %+v, asked %+v", pruned, b.images.prune)
	}
}

func TestCommit(t *testing.T) {
	b := newBed(t)
	made, err := b.docker.ContainerCommit(t.Context(), "web", container.CommitOptions{Reference: "app:2", Author: "me", Comment: "hi", Changes: []string{"CMD x"}, Pause: true})
	ok(t, err)
	wanted := engine.CommitRequest{Container: "web", Ref: "app:2", Author: "me", Comment: "hi", Pause: true, Changes: []string{"CMD x"}}
	if diff := cmp.Diff(wanted, b.images.commit); diff != "" || made.ID != "sha256:committed" {
		t.Error(made.ID, diff)
	}
	_, err = b.docker.ContainerCommit(t.Context(), "web", container.CommitOptions{Config: &container.Config{User: "web"}})
	ok(t, err)
	if b.images.commit.Pause || b.images.commit.Config == nil || b.images.commit.Config.Process.User != "web" {
		t.Errorf("asked %+v", b.images.commit)
	}
	_, err = b.docker.ContainerCommit(t.Context(), "none", container.CommitOptions{})
	want(t, err, cerrdefs.IsNotFound, "No such container: none")
}

func TestRegistry(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	found, err := b.docker.ImageSearch(ctx, "nginx", registry.SearchOptions{Limit: 2, Filters: filters.NewArgs(filters.Arg("stars", "5"))})
	ok(t, err)
	if len(found) != 1 || found[0].Name != "nginx1" || found[0].StarCount != 10 {
		t.Errorf("found %+v", found)
	}
	d, err := b.docker.DistributionInspect(ctx, "busybox:1", base64.URLEncoding.EncodeToString([]byte(`{"identitytoken":"t"}`)))
	ok(t, err)
	if d.Descriptor.Size != 7 || d.Platforms[0].OS != "freebsd" || b.images.auth.IdentityToken != "t" {
		t.Errorf("got %+v", d)
	}
	_, err = b.docker.DistributionInspect(ctx, "private", "")
	want(t, err, cerrdefs.IsUnauthorized, "unauthorized: authentication required")
	in, err := b.docker.RegistryLogin(ctx, registry.AuthConfig{Username: "u", Password: "right"})
	ok(t, err)
	if in.Status != "Login Succeeded" || in.IdentityToken != "token" {
		t.Errorf("got %+v", in)
	}
	_, err = b.docker.RegistryLogin(ctx, registry.AuthConfig{Username: "u", Password: "wrong"})
	want(t, err, cerrdefs.IsUnauthorized, "unauthorized: incorrect username or password")
}
