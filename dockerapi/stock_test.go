package dockerapi_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/xcengine/xc/dockerapi"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// bed is a server upon a Unix socket, an engine in memory behind it, and docker's own client before it.
type bed struct {
	docker   *client.Client
	socket   string
	images   *imagesInMemory
	networks *networksInMemory
	volumes  *volumesInMemory
	system   *systemInMemory
	build    *buildInMemory
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{
		socket:   filepath.Join(t.TempDir(), "docker.sock"),
		images:   &imagesInMemory{images: map[string]engine.Image{}, remote: map[string]engine.Image{"busybox:1": {ID: "sha256:b1", Created: made, Platform: engine.Platform{OS: "linux", Architecture: "amd64"}, Driver: "zfs"}}},
		networks: &networksInMemory{networks: map[string]engine.NetworkDetail{}},
		volumes:  &volumesInMemory{volumes: map[string]engine.Volume{}},
		system:   &systemInMemory{live: make(chan engine.Event), query: make(chan engine.EventQuery, 1)},
		build:    &buildInMemory{},
	}
	srv := dockerapi.New(dockerapi.Config{
		Backends: dockerapi.Backends{Images: b.images, Networks: b.networks, Volumes: b.volumes, System: b.system, Build: b.build},
		Host:     translate.Host{OSType: "freebsd", Arch: "amd64", Version: "0.1", Runtime: "jail"}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	l, err := net.Listen("unix", b.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	b.docker, err = client.NewClientWithOpts(client.WithHost("unix://"+b.socket), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.docker.Close() })
	return b
}

// want reports an error that is not of the wanted class or does not say the wanted words.
func want(t *testing.T, err error, is func(error) bool, words string) {
	t.Helper()
	if err == nil || !is(err) || !strings.HasSuffix(err.Error(), words) {
		t.Errorf("got %v, want %q", err, words)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPing(t *testing.T) {
	b := newBed(t)
	got, err := b.docker.Ping(t.Context())
	ok(t, err)
	if got.APIVersion != "1.51" || got.OSType != "freebsd" || got.Experimental || got.BuilderVersion != build.BuilderV1 || *got.SwarmStatus != (swarm.Status{NodeState: swarm.LocalNodeStateInactive}) {
		t.Errorf("got %+v", got)
	}
	c := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", b.socket) }}}
	for method, length := range map[string]string{http.MethodGet: "2", http.MethodHead: "0"} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://d/v1.24/_ping", nil)
		ok(t, err)
		resp, err := c.Do(req)
		ok(t, err)
		body, err := all(resp.Body)
		ok(t, err)
		h := resp.Header
		if h.Get("Content-Length") != length || h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("Cache-Control") != "no-cache, no-store, must-revalidate" || h.Get("Pragma") != "no-cache" {
			t.Errorf("%s: %v %q", method, h, body)
		}
	}
}

func TestInfoVersionAndUsage(t *testing.T) {
	b := newBed(t)
	info, err := b.docker.Info(t.Context())
	ok(t, err)
	if info.OSType != "freebsd" || info.Containers != 3 || info.NCPU != 4 || info.Swarm.LocalNodeState != "inactive" || info.DefaultRuntime != "jail" {
		t.Errorf("got %+v", info)
	}
	v, err := b.docker.ServerVersion(t.Context())
	ok(t, err)
	if v.Version != "0.1" || v.APIVersion != "1.51" || v.MinAPIVersion != "1.24" || len(v.Components) != 2 || v.Components[1].Name != "jail" || v.GoVersion == "" {
		t.Errorf("got %+v", v)
	}
	u, err := b.docker.DiskUsage(t.Context(), types.DiskUsageOptions{})
	ok(t, err)
	if u.LayersSize != 11 || len(u.Volumes) != 1 || u.Volumes[0].UsageData.Size != 5 || u.Images == nil {
		t.Errorf("got %+v", u)
	}
	u, err = b.docker.DiskUsage(t.Context(), types.DiskUsageOptions{Types: []types.DiskUsageObject{types.ImageObject}})
	ok(t, err)
	if u.Volumes != nil || u.Images == nil {
		t.Errorf("of images alone: %+v", u)
	}
}

func TestEvents(t *testing.T) {
	b := newBed(t)
	b.system.past = []engine.Event{{Time: made, Type: engine.EventContainer, Action: "die", ID: "c1", Attributes: map[string]string{"image": "busybox", "exitCode": "0"}}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, errs := b.docker.Events(ctx, events.ListOptions{Since: "1", Filters: filters.NewArgs(filters.Arg("event", "die"), filters.Arg("label", "a=b"))})
	q := <-b.system.query
	if q.Since.IsZero() || !q.Until.IsZero() || !cmp.Equal(q.Actions, []string{"die"}) || len(q.Labels) != 1 {
		t.Errorf("asked %+v", q)
	}
	if m := <-got; m.ID != "c1" || m.Status != "die" || m.From != "busybox" || m.TimeNano != made.UnixNano() || m.Scope != "local" { //nolint:staticcheck // clients still read them
		t.Errorf("past: %+v", m)
	}
	b.system.live <- engine.Event{Time: made, Type: engine.EventVolume, Action: "create", ID: "v1"}
	if m := <-got; m.Type != "volume" || m.Actor.ID != "v1" || m.Actor.Attributes == nil || m.Status != "" { //nolint:staticcheck // clients still read them
		t.Errorf("live: %+v", m)
	}
	close(b.system.live)
	if err := <-errs; !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	_, errs = b.docker.Events(t.Context(), events.ListOptions{Since: "5", Until: "3"})
	want(t, <-errs, cerrdefs.IsInvalidArgument, "`since` time (5) cannot be after `until` time (3)")
}

// Headers come before the first event; and a client that goes ends its subscription.
func TestEventsAnswerAtOnce(t *testing.T) {
	b := newBed(t)
	conn, err := net.Dial("unix", b.socket)
	ok(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: d\r\n\r\n")
	ok(t, err)
	ok(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	head := make([]byte, 15)
	_, err = io.ReadFull(conn, head)
	if string(head) != "HTTP/1.1 200 OK" {
		t.Errorf("got %q, %v", head, err)
	}
}

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

func TestNetworks(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	made, err := b.docker.NetworkCreate(ctx, "front", network.CreateOptions{Labels: map[string]string{"a": "b"}, IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.0.0.0/24"}}}})
	ok(t, err)
	if len(made.ID) != 64 || made.Warning != "slow" {
		t.Errorf("made %+v", made)
	}
	_, err = b.docker.NetworkCreate(ctx, "front", network.CreateOptions{})
	want(t, err, cerrdefs.IsConflict, "network with name front already exists")
	ok(t, b.docker.NetworkConnect(ctx, "front", "c1", &network.EndpointSettings{Aliases: []string{"db"}, IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.0.0.2"}}))
	if b.networks.spec.IPv4.String() != "10.0.0.2" || b.networks.spec.Aliases[0] != "db" {
		t.Errorf("asked %+v", b.networks.spec)
	}
	want(t, b.docker.NetworkConnect(ctx, "none", "c1", nil), cerrdefs.IsNotFound, "network none not found")
	n, err := b.docker.NetworkInspect(ctx, "front", network.InspectOptions{Verbose: true})
	ok(t, err)
	if diff := cmp.Diff(network.EndpointResource{Name: "web", EndpointID: "e1", MacAddress: "02:42:00:00:00:01", IPv4Address: "10.0.0.2/24"}, n.Containers["c1"]); diff != "" {
		t.Error(diff)
	}
	_, err = b.docker.NetworkInspect(ctx, "front", network.InspectOptions{Scope: "swarm"})
	want(t, err, cerrdefs.IsNotFound, "network front not found")
	list, err := b.docker.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("driver", "bridge"))})
	ok(t, err)
	if len(list) != 1 || len(list[0].Containers) != 0 || !cmp.Equal(b.networks.query.Drivers, []string{"bridge"}) {
		t.Errorf("list %+v", list)
	}
	want(t, b.docker.NetworkRemove(ctx, "front"), cerrdefs.IsPermissionDenied, `error while removing network: network front has active endpoints (name:"web" id:"eeeeeeeeeeee")`)
	want(t, b.docker.NetworkDisconnect(ctx, "front", "c2", false), cerrdefs.IsInternal, "container c2 is not connected to network front")
	ok(t, b.docker.NetworkDisconnect(ctx, "front", "c1", false))
	ok(t, b.docker.NetworkRemove(ctx, "front"))
	want(t, b.docker.NetworkRemove(ctx, "front"), cerrdefs.IsNotFound, "network front not found")
	pruned, err := b.docker.NetworksPrune(ctx, filters.NewArgs(filters.Arg("until", "1h")))
	ok(t, err)
	if !cmp.Equal(pruned.NetworksDeleted, []string{"old"}) {
		t.Errorf("pruned %+v", pruned)
	}
}

func TestVolumes(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	v, err := b.docker.VolumeCreate(ctx, volume.CreateOptions{Name: "data", Labels: map[string]string{"a": "b"}, DriverOpts: map[string]string{"type": "tmpfs"}})
	ok(t, err)
	wanted := volume.Volume{CreatedAt: "2026-11-23T13:00:00Z", Driver: "local", Labels: map[string]string{"a": "b"}, Mountpoint: "/v/data/_data", Name: "data", Options: map[string]string{"type": "tmpfs"}, Scope: "local"}
	if diff := cmp.Diff(wanted, v); diff != "" {
		t.Error(diff)
	}
	_, err = b.docker.VolumeCreate(ctx, volume.CreateOptions{Name: "data", Driver: "nfsd"})
	want(t, err, cerrdefs.IsNotFound, `create data: error looking up volume plugin nfsd: plugin "nfsd" not found`)
	_, err = b.docker.VolumeInspect(ctx, "none")
	want(t, err, cerrdefs.IsNotFound, "get none: no such volume")
	if v, err = b.docker.VolumeInspect(ctx, "data"); err != nil || v.Name != "data" {
		t.Errorf("inspect %+v, %v", v, err)
	}
	list, err := b.docker.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("dangling", "true"))})
	ok(t, err)
	if len(list.Volumes) != 1 || b.volumes.query.Dangling == nil || !*b.volumes.query.Dangling {
		t.Errorf("list %+v", list)
	}
	b.volumes.volumes["used"] = engine.Volume{Name: "used"}
	want(t, b.docker.VolumeRemove(ctx, "used", false), cerrdefs.IsConflict, "remove used: volume is in use - [c1, c2]")
	ok(t, b.docker.VolumeRemove(ctx, "data", false))
	want(t, b.docker.VolumeRemove(ctx, "data", false), cerrdefs.IsNotFound, "get data: no such volume")
	ok(t, b.docker.VolumeRemove(ctx, "data", true))
	pruned, err := b.docker.VolumesPrune(ctx, filters.NewArgs(filters.Arg("all", "1"), filters.Arg("label!", "keep")))
	ok(t, err)
	if pruned.SpaceReclaimed != 7 || !b.volumes.prune.All || len(b.volumes.prune.NotLabels) != 1 {
		t.Errorf("pruned %+v, asked %+v", pruned, b.volumes.prune)
	}
	want(t, b.docker.VolumeUpdate(ctx, "data", swarm.Version{}, volume.UpdateOptions{}), cerrdefs.IsUnavailable, "volume update only valid for cluster volumes, but swarm is unavailable")
}

func TestWhatThereIsNoneOf(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	_, err := b.docker.SwarmInspect(ctx)
	want(t, err, cerrdefs.IsUnavailable, "connect this node to swarm and try again.")
	_, err = b.docker.ServiceList(ctx, swarm.ServiceListOptions{})
	want(t, err, cerrdefs.IsUnavailable, "connect this node to swarm and try again.")
	_, err = b.docker.NodeList(ctx, swarm.NodeListOptions{})
	want(t, err, cerrdefs.IsUnavailable, "connect this node to swarm and try again.")
	want(t, b.docker.SwarmLeave(ctx, true), cerrdefs.IsUnavailable, "This node is not part of a swarm")
	_, err = b.docker.SwarmInit(ctx, swarm.InitRequest{})
	want(t, err, cerrdefs.IsNotImplemented, "such as Nomad")
	plugins, err := b.docker.PluginList(ctx, filters.Args{})
	if err != nil || len(plugins) != 0 {
		t.Errorf("plugins %v, %v", plugins, err)
	}
	_, _, err = b.docker.PluginInspectWithRaw(ctx, "team/plug")
	want(t, err, cerrdefs.IsNotFound, `plugin "team/plug" not found`)
	want(t, b.docker.PluginRemove(ctx, "plug", types.PluginRemoveOptions{}), cerrdefs.IsNotFound, `plugin "plug" not found`)
	_, err = b.docker.ImageBuild(ctx, strings.NewReader(""), build.ImageBuildOptions{})
	want(t, err, cerrdefs.IsNotImplemented, "building images is not supported yet")
	report, err := b.docker.BuildCachePrune(ctx, build.CachePruneOptions{All: true})
	if err != nil || report.SpaceReclaimed != 0 || !b.build.query.All {
		t.Errorf("build cache: %+v, %v", report, err)
	}
}

// A client of BuildKit's protocol gets through to its first call, whose error says what to do.
func TestBuildKitIsToldWhatToDo(t *testing.T) {
	b := newBed(t)
	conn, err := b.docker.DialHijack(t.Context(), "/grpc", "h2c", nil)
	ok(t, err)
	defer conn.Close()
	status, message := callGRPC(t, conn)
	if status != "12" || message != "this engine does not serve BuildKit: set DOCKER_BUILDKIT=0 to build without it" {
		t.Errorf("status %s: %s", status, message)
	}
	if _, err := b.docker.DialHijack(t.Context(), "/session", "h2c", nil); err == nil {
		t.Error("a session was begun")
	}
}
