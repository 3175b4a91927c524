package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/net/websocket"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/layers/copy"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/platform/fake"
)

// What Docker publishes of API 1.51: the operations, as package dockerapi's test explains them, and of those that are served
// the statuses and the form of the answer. In a form a key with "!" is always there, "*" is any key.
const (
	publishedOperations = "../../dockerapi/testdata/operations-1.51.txt"
	publishedAnswers    = "../../dockerapi/testdata/answers-1.51.json"
)

// answer is what is published of one operation.
type answer struct {
	Statuses []int
	Answer   any
}

// unpublished are the members of answers that dockerd 28.5.2 sends as well.
var unpublished = map[string][]string{
	"GET /events":    {".status", ".id", ".from"}, // of Docker 1.10
	"GET /system/df": {".BuildCache[]. Parents"},  // sic
}

// call is one request. In path, {reg} is the registry, {exec} an exec that was made, {now} the time.
type call struct {
	op     string // as published
	path   string // the path and query, if it has variables or a query
	body   any    // JSON, or a string or bytes as they are
	status int
}

// calls exercise every operation that is served, upon each other's work.
var calls = []call{
	{"GET /_ping", "", nil, 200},
	{"HEAD /_ping", "", nil, 200},
	{"GET /version", "", nil, 200},
	{"GET /info", "", nil, 200},
	{"GET /plugins", "", nil, 200},
	{"POST /images/create", "/images/create?fromSrc=-&repo=box&changes=" + url.QueryEscape(`CMD ["sleep","1000"]`), rootTar, 200},
	{"GET /images/json", "/images/json?all=1&manifests=1", nil, 200},
	{"GET /images/{name}/json", "/images/box/json", nil, 200},
	{"GET /images/{name}/history", "/images/box/history", nil, 200},
	{"POST /images/{name}/tag", "/images/box/tag?repo={reg}/box&tag=1", nil, 201},
	{"POST /images/{name}/push", "/images/{reg}/box/push?tag=1", nil, 200},
	{"GET /distribution/{name}/json", "/distribution/{reg}/box:1/json", nil, 200},
	{"DELETE /images/{name}", "/images/{reg}/box:1", nil, 200},
	{"POST /images/create", "/images/create?fromImage={reg}/box&tag=1", nil, 200},
	{"GET /images/search", "/images/search?term={reg}/box", nil, 200},
	{"POST /auth", "", map[string]string{"username": "u", "password": "p", "serveraddress": "{reg}"}, 200},
	{"GET /images/{name}/get", "/images/box/get", nil, 200},
	{"GET /images/get", "/images/get?names=box", nil, 200},
	{"POST /images/load", "/images/load?quiet=1", rootTar, 200}, // what is no image is told in the stream

	{"POST /volumes/create", "", map[string]any{"Name": "vol", "Labels": map[string]string{"a": "b"}}, 201},
	{"GET /volumes", "", nil, 200},
	{"GET /volumes/{name}", "/volumes/vol", nil, 200},
	{"POST /networks/create", "", map[string]any{"Name": "net", "IPAM": map[string]any{"Config": []any{map[string]string{"Subnet": "10.9.8.0/24"}}}}, 201},
	{"GET /networks", "", nil, 200},
	{"GET /networks/{id}", "/networks/net", nil, 200},

	{"POST /containers/create", "/containers/create?name=c1", map[string]any{
		"Image": "box", "ExposedPorts": map[string]any{"80/tcp": map[string]any{}}, "Healthcheck": map[string]any{"Test": []string{"CMD", "true"}},
		"OpenStdin": true, "HostConfig": map[string]any{"Binds": []string{"vol:/v"}, "NetworkMode": "net", "Memory": 64 << 20},
	}, 201},
	{"POST /containers/create", "/containers/create?name=c2", map[string]any{"Image": "box", "Cmd": []string{"echo", "out"}}, 201},
	{"POST /containers/{id}/start", "/containers/c1/start", nil, 204},
	{"POST /containers/{id}/start", "/containers/c1/start", nil, 304},
	{"POST /containers/{id}/start", "/containers/c2/start", nil, 204},
	{"POST /containers/{id}/wait", "/containers/c2/wait", nil, 200},
	{"GET /containers/json", "/containers/json?all=1&size=1", nil, 200},
	{"GET /containers/{id}/json", "/containers/c1/json?size=1", nil, 200},
	{"GET /containers/{id}/json", "/containers/c2/json", nil, 200},
	{"GET /containers/{id}/top", "/containers/c1/top", nil, 200},
	{"GET /containers/{id}/logs", "/containers/c2/logs?stdout=1&timestamps=1", nil, 200},
	{"GET /containers/{id}/changes", "/containers/c1/changes", nil, 200},
	{"GET /containers/{id}/export", "/containers/c1/export", nil, 200},
	{"GET /containers/{id}/stats", "/containers/c1/stats?stream=0&one-shot=1", nil, 200},
	{"GET /containers/{id}/stats", "/containers/c2/stats?stream=0", nil, 200},
	{"POST /containers/{id}/resize", "/containers/c1/resize?h=10&w=20", nil, 200},
	{"POST /containers/{id}/attach", "/containers/c2/attach?logs=1&stdout=1&stderr=1", nil, 200},
	{"GET /containers/{id}/attach/ws", "/containers/c2/attach/ws?logs=1&stdout=1", nil, 101},
	{"POST /containers/{id}/update", "/containers/c1/update", map[string]any{"Memory": 32 << 20, "MemorySwap": 64 << 20}, 200},
	{"POST /containers/{id}/pause", "/containers/c1/pause", nil, 204},
	{"POST /containers/{id}/unpause", "/containers/c1/unpause", nil, 204},
	{"PUT /containers/{id}/archive", "/containers/c1/archive?path=/", rootTar, 200},
	{"HEAD /containers/{id}/archive", "/containers/c1/archive?path=/hello", nil, 200},
	{"GET /containers/{id}/archive", "/containers/c1/archive?path=/hello", nil, 200},
	{"POST /containers/{id}/exec", "/containers/c1/exec", map[string]any{"Cmd": []string{"echo", "of an exec"}, "AttachStdout": true}, 201},
	{"POST /exec/{id}/start", "/exec/{exec}/start", map[string]any{}, 200},
	{"GET /exec/{id}/json", "/exec/{exec}/json", nil, 200},
	{"POST /exec/{id}/start", "/exec/{exec}/start", map[string]any{}, 409},
	{"POST /containers/{id}/exec", "/containers/c1/exec", map[string]any{"Cmd": []string{"sleep", "1000"}, "Tty": true}, 201},
	{"POST /exec/{id}/start", "/exec/{exec}/start", map[string]any{"Detach": true, "Tty": true}, 200},
	{"POST /exec/{id}/resize", "/exec/{exec}/resize?h=10&w=20", nil, 200},
	{"POST /networks/{id}/connect", "/networks/bridge/connect", map[string]string{"Container": "c1"}, 200},
	{"POST /networks/{id}/disconnect", "/networks/bridge/disconnect", map[string]string{"Container": "c1"}, 200},
	{"DELETE /networks/{id}", "/networks/net", nil, 403},
	{"DELETE /volumes/{name}", "/volumes/vol", nil, 409},
	{"POST /commit", "/commit?container=c1&repo=made&comment=of+a+test", nil, 201},
	{"POST /build", "/build?t=built", buildTar, 200},
	{"GET /system/df", "", nil, 200},
	{"POST /containers/{id}/rename", "/containers/c2/rename?name=c3", nil, 204},
	{"POST /containers/{id}/kill", "/containers/c1/kill?signal=USR1", nil, 204},
	{"POST /containers/{id}/restart", "/containers/c1/restart?t=0", nil, 204},
	{"DELETE /containers/{id}", "/containers/c1", nil, 409},
	{"POST /containers/{id}/stop", "/containers/c1/stop?t=0", nil, 204},
	{"POST /containers/{id}/stop", "/containers/c1/stop", nil, 304},
	{"DELETE /containers/{id}", "/containers/c1?v=1", nil, 204},
	{"POST /containers/prune", "", nil, 200},
	{"POST /images/prune", "/images/prune?filters=" + url.QueryEscape(`{"dangling":["false"]}`), nil, 200},
	{"POST /build/prune", "/build/prune?all=1", nil, 200},
	{"DELETE /networks/{id}", "/networks/net", nil, 204},
	{"POST /networks/prune", "", nil, 200},
	{"DELETE /volumes/{name}", "/volumes/vol", nil, 204},
	{"POST /volumes/prune", "/volumes/prune?filters=" + url.QueryEscape(`{"all":["1"]}`), nil, 200},
	{"GET /events", "/events?since=0&until={now}", nil, 200},
}

// Every operation of the published list that is served is called, by today's version and without one, and answers with a
// published status and, when it succeeds, in the published form: no member of another type, none that is not published, and
// none missing that is always there.
func TestPublishedOperations(t *testing.T) {
	d := serveFake(t)
	answers := readJSON[map[string]answer](t, publishedAnswers)
	called := map[string]bool{}
	for _, c := range calls {
		spec, ok := answers[c.op]
		if !ok {
			t.Errorf("%s: not in %s", c.op, publishedAnswers)
			continue
		}
		if !slices.Contains(spec.Statuses, c.status) {
			t.Errorf("%s: %d is not published", c.op, c.status)
		}
		status, kind, body := d.call(c, "")
		if status != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.op, c.path, status, body, c.status)
			continue
		}
		if method, _, _ := strings.Cut(c.op, " "); method == http.MethodGet && status == 200 {
			for _, version := range []string{"/v1.51", "/v1.24"} {
				if got, _, text := d.call(c, version); got != status {
					t.Errorf("%s%s: %d %s", version, c.path, got, text)
				}
			}
		}
		if status < 300 {
			called[c.op] = true
			for _, fault := range checkAnswer(c.op, spec.Answer, kind, body) {
				t.Errorf("%s %s: %s", c.op, c.path, fault)
			}
		}
	}
	list, err := os.ReadFile(publishedOperations)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		op, outcome, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if outcome == "served" && !called[op] {
			t.Errorf("%s: no call of it succeeds", op)
		}
	}
}

// checkAnswer compares an answer with the published form of it.
func checkAnswer(op string, form any, kind string, body []byte) []string {
	if _, text := form.(string); text || form == nil || len(body) == 0 {
		return nil
	}
	if kind != "application/json" {
		return []string{fmt.Sprintf("Content-Type %q", kind)}
	}
	var faults []string
	dec := json.NewDecoder(bytes.NewReader(body))
	for {
		var v any
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return faults
		} else if err != nil {
			return append(faults, err.Error())
		}
		faults = append(faults, differ("", form, v, unpublished[op])...)
	}
}

// differ says where a value is not of a form. Null is of any, for Docker's maps and lists may be.
func differ(at string, form, value any, more []string) []string {
	wrong := []string{fmt.Sprintf("%s is %v, not of the form %v", at, value, form)}
	switch f := form.(type) {
	case string:
		of := map[string]func(any) bool{
			"string": is[string], "number": is[float64], "boolean": is[bool], "any": func(any) bool { return true },
		}[f]
		if value != nil && !of(value) {
			return wrong
		}
		return nil
	case []any:
		list, ok := value.([]any)
		if !ok && value != nil {
			return wrong
		}
		var faults []string
		for _, v := range list {
			faults = append(faults, differ(at+"[]", f[0], v, more)...)
		}
		return faults
	}
	members, ok := value.(map[string]any)
	if !ok && value != nil {
		return wrong
	}
	return differObject(at, form.(map[string]any), members, more)
}

func differObject(at string, form, members map[string]any, more []string) []string {
	var faults []string
	for _, k := range slices.Sorted(maps.Keys(members)) {
		f, ok := form[k]
		for _, other := range []string{k + "!", "*"} {
			if !ok {
				f, ok = form[other]
			}
		}
		path := at + "." + k
		switch {
		case ok:
			faults = append(faults, differ(path, f, members[k], more)...)
		case !slices.Contains(more, path):
			faults = append(faults, path+" is not published")
		}
	}
	for k := range form {
		if always, ok := strings.CutSuffix(k, "!"); ok && members != nil {
			if _, there := members[always]; !there {
				faults = append(faults, at+"."+always+" is missing")
			}
		}
	}
	return faults
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

// fakeDaemon is a whole daemon on a platform in memory, behind its Docker API.
type fakeDaemon struct {
	t        *testing.T
	url      string
	registry string
	exec     string // made last
}

func serveFake(t *testing.T) *fakeDaemon {
	t.Helper()
	host := fake.NewHost()
	cfg := daemon.Defaults()
	cfg.StateDir = t.TempDir()
	log := slog.New(slog.DiscardHandler)
	d, err := daemon.Open(t.Context(), cfg, fakePlatform(host), daemon.Build{Version: "1", Commit: "c"}, log)
	if err != nil {
		t.Fatal(err)
	}
	api, err := dockerAPI(t.Context(), d, log)
	if err != nil {
		t.Fatal(err)
	}
	server, reg := httptest.NewServer(api), httptest.NewServer(searchable(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))))
	t.Cleanup(func() {
		server.Close()
		reg.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		host.Shutdown()
	})
	return &fakeDaemon{t: t, url: server.URL, registry: strings.TrimPrefix(reg.URL, "http://")}
}

// searchable gives a registry the index of repositories that it lacks.
func searchable(r http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/v1/search" {
			r.ServeHTTP(w, req)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"results":[{"name":"box","description":"a box","star_count":1,"is_official":false,"is_automated":false}]}`)
	})
}

// fakePlatform opens the host's drivers. Layers are directories, for images and archives have content.
func fakePlatform(host *fake.Host) daemon.OpenFunc {
	return func(ctx context.Context, cfg daemon.HostConfig) (daemon.Backends, error) {
		storage, err := copy.Open(ctx, filepath.Join(cfg.StateDir, "layers", "copy"))
		if err != nil {
			return daemon.Backends{}, err
		}
		return daemon.Backends{
			Native: engine.Platform{OS: "linux", Architecture: runtime.GOARCH}, Runtime: host.Runtime(), Shims: fakeShims{host.Shims()},
			Layers: storage, Plumber: &fake.Plumber{}, Firewall: &fake.Firewall{}, Mounter: noMounts{}, FirewallName: "fake",
		}, nil
	}
}

// fakeShims gives the fake's shims the type that lifecycle wants.
type fakeShims struct{ *fake.Shims }

func (s fakeShims) Start(ctx context.Context, sup engine.Supervision) (lifecycle.Shim, error) {
	c, err := s.Shims.Start(ctx, sup)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (s fakeShims) Open(ctx context.Context, id engine.ContainerID, dir string) (lifecycle.Shim, error) {
	c, err := s.Shims.Open(ctx, id, dir)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// noMounts is for volumes, which are directories here.
type noMounts struct{}

func (noMounts) Mount(context.Context, string, string, string, string) error { return nil }
func (noMounts) Unmount(context.Context, string) error                       { return nil }
func (noMounts) Mounted(context.Context, string) (bool, error)               { return false, nil }

// call makes a request of an API version ("/v1.24", or none) and returns what was answered, read to its end.
func (d *fakeDaemon) call(c call, version string) (status int, kind string, body []byte) {
	d.t.Helper()
	method, path, _ := strings.Cut(c.op, " ")
	if c.path != "" {
		path = c.path
	}
	fill := strings.NewReplacer("{reg}", d.registry, "{exec}", d.exec, "{now}", strconv.FormatInt(time.Now().Unix(), 10))
	target := d.url + version + fill.Replace(path)
	if c.status == http.StatusSwitchingProtocols {
		return d.webSocket(target)
	}
	var content io.Reader
	var contentType string
	switch b := c.body.(type) {
	case nil:
	case func() []byte:
		content, contentType = bytes.NewReader(b()), "application/x-tar"
	default:
		data, err := json.Marshal(b)
		if err != nil {
			d.t.Fatal(err)
		}
		content, contentType = strings.NewReader(fill.Replace(string(data))), "application/json"
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, target, content)
	if err != nil {
		d.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if strings.HasSuffix(c.op, "/push") {
		req.Header.Set("X-Registry-Auth", "e30=") // {}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatalf("%s: %v", c.op, err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		d.t.Fatalf("%s: %v", c.op, err)
	}
	if c.op == "POST /containers/{id}/exec" {
		var made struct{ ID string }
		if err := json.Unmarshal(body, &made); err != nil {
			d.t.Fatalf("%s: %v", c.op, err)
		}
		d.exec = made.ID
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), body
}

// webSocket reads all that comes over a web socket.
func (d *fakeDaemon) webSocket(target string) (status int, kind string, body []byte) {
	d.t.Helper()
	conn, err := websocket.Dial("ws"+strings.TrimPrefix(target, "http"), "", d.url)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	if body, err = io.ReadAll(conn); err != nil {
		d.t.Fatal(err)
	}
	if string(body) != "out\n" {
		d.t.Errorf("over a web socket came %q", body)
	}
	return http.StatusSwitchingProtocols, "", body
}

// rootTar is a root with one file; buildTar a build's context.
func rootTar() []byte  { return tarOf("hello", "world\n") }
func buildTar() []byte { return tarOf("Dockerfile", "FROM scratch\nCOPY Dockerfile /\nLABEL a=b\n") }

func tarOf(name, content string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	// Into memory: it cannot fail.
	_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Uid: os.Getuid(), Gid: os.Getgid()})
	_, _ = w.Write([]byte(content))
	_ = w.Close()
	return b.Bytes()
}

func readJSON[T any](t *testing.T, path string) (v T) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
