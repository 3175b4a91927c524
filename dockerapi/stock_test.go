package dockerapi_test

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"

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
	if m := <-got; m.ID != "c1" || m.Status != "die" || m.From != "busybox" || m.TimeNano != made.UnixNano() || m.Scope != "local" {
		t.Errorf("past: %+v", m)
	}
	b.system.live <- engine.Event{Time: made, Type: engine.EventVolume, Action: "create", ID: "v1"}
	if m := <-got; m.Type != "volume" || m.Actor.ID != "v1" || m.Actor.Attributes == nil || m.Status != "" {
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
