package dockerapi_test

import (
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

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
	report, err := b.docker.BuildCachePrune(ctx, build.CachePruneOptions{All: true})
	if err != nil || report.SpaceReclaimed != 0 || !b.build.query.All {
		t.Errorf("build cache: %+v, %v", report, err)
	}
}

// A build's stream begins with what there is to tell; an error before that is an answer of its own.
func TestBuildStreams(t *testing.T) {
	b := newBed(t)
	_, err := b.docker.ImageBuild(t.Context(), strings.NewReader("bad"), build.ImageBuildOptions{})
	want(t, err, cerrdefs.IsInvalidArgument, "dockerfile parse error on line 1: bad")
	_, err = b.docker.ImageBuild(t.Context(), strings.NewReader(""), build.ImageBuildOptions{Version: build.BuilderBuildKit})
	want(t, err, cerrdefs.IsNotImplemented, "set DOCKER_BUILDKIT=0 to build without it")
	_, err = b.docker.ImageBuild(t.Context(), strings.NewReader(""), build.ImageBuildOptions{Squash: true})
	want(t, err, cerrdefs.IsInvalidArgument, "squash is only supported with experimental mode")
	const step = `{"stream":"Step 1/1 : FROM a"}` + "\r\n" + `{"stream":"\n"}` + "\r\n"
	for _, c := range []struct {
		context string
		quiet   bool
		want    string
	}{
		{"good", false, step + `{"stream":"\u001b[91me\n\u001b[0m"}` + "\r\n" + `{"aux":{"ID":"sha256:abc"}}` + "\r\n"},
		{"good", true, `{"stream":"sha256:abc\n"}` + "\r\n"},
		{"fail", false, step + `{"errorDetail":{"code":3,"message":"The command '/bin/sh -c x' returned a non-zero code: 3"},"error":"The command '/bin/sh -c x' returned a non-zero code: 3"}` + "\r\n"},
	} {
		res, err := b.docker.ImageBuild(t.Context(), strings.NewReader(c.context), build.ImageBuildOptions{SuppressOutput: c.quiet})
		ok(t, err)
		got, err := all(res.Body)
		ok(t, err)
		if got != c.want {
			t.Errorf("%s, quiet %t:\n%s\nwant\n%s", c.context, c.quiet, got, c.want)
		}
	}
	ok(t, b.docker.BuildCancel(t.Context(), "x"))
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
	// A client with a BuildKit of its own begins a session and then a build of it.
	session, err := b.docker.DialHijack(t.Context(), "/session", "h2c", nil)
	ok(t, err)
	defer session.Close()
	_, err = b.docker.ImageBuild(t.Context(), strings.NewReader(""), build.ImageBuildOptions{Version: build.BuilderBuildKit, SessionID: "x"})
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("a build of a session: %v", err)
	}
}
