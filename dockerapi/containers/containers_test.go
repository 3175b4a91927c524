package containers_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	docker "github.com/docker/docker/pkg/stdcopy"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/websocket"

	"github.com/xcengine/xc/dockerapi"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// patience bounds what must happen soon; only failures take that long.
const patience = 10 * time.Second

// bed is a server upon a Unix socket with an engine in memory behind it.
type bed struct {
	t      *testing.T
	engine *engineInMemory
	socket string
	docker *client.Client
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, engine: newEngine(), socket: filepath.Join(t.TempDir(), "docker.sock")}
	srv := dockerapi.New(dockerapi.Config{
		Backends: dockerapi.Backends{Containers: b.engine},
		Host:     translate.Host{OSType: "linux", Version: "1", Runtime: "crun", LogDriver: "json-file"},
		Log:      slog.New(slog.DiscardHandler), Now: time.Now,
	})
	l, err := net.Listen("unix", b.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	b.docker, err = client.NewClientWithOpts(client.WithHost("unix://"+b.socket), client.WithVersion("1.51"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.docker.Close() })
	return b
}

func (b *bed) create(name string, c container.Config) string {
	b.t.Helper()
	if c.Image == "" {
		c.Image = "i:1"
	}
	made, err := b.docker.ContainerCreate(b.t.Context(), &c, nil, nil, nil, name)
	if err != nil {
		b.t.Fatal(err)
	}
	return made.ID
}

// call makes a plain request and returns status, content type and body.
func (b *bed) call(method, path, body string) (int, string, string) {
	b.t.Helper()
	http1 := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", b.socket)
	}, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(b.t.Context(), method, "http://d"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http1.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(text)
}

// dial opens a connection and sends a request by hand.
func (b *bed) dial(request string) (net.Conn, *bufio.Reader) {
	b.t.Helper()
	c, err := net.Dial("unix", b.socket)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		b.t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func TestAnswers(t *testing.T) {
	b := newBed(t)
	id := b.create("web", container.Config{})
	b.create("broken", container.Config{})
	b.create("badcmd", container.Config{Image: "bad:1"})
	b.create("port", container.Config{Image: "port:1"})
	if err := b.docker.ContainerStart(t.Context(), "web", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	const task = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
	msg := func(s string) string {
		text, _ := json.Marshal(map[string]string{"message": s})
		return string(text) + "\n"
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/containers/create?name=web", `{"Image":"i"}`, 409, msg(`Conflict. The container name "/web" is already in use by container "` + id + `". You have to remove (or rename) that container to be able to reuse that name.`)},
		{"POST", "/containers/create", `{"Image":"missing:1"}`, 404, msg("No such image: missing:1")},
		{"POST", "/containers/create", `{"Image":"i","HostConfig":{"Memory":5}}`, 400, msg("Minimum memory limit allowed is 6MB")},
		{"POST", "/containers/create", `{"Image":"i","HostConfig":{"Binds":["a:b:c:d"]}}`, 500, msg("invalid volume specification: 'a:b:c:d'")},
		{"POST", "/containers/create", `null`, 400, msg("config cannot be empty in order to create a container")},
		{"POST", "/containers/create", ``, 400, msg("invalid JSON: got EOF while reading request body")},
		{"POST", "/containers/create", `{"Image":"i","HostConfig":{"Memory":"x"}}`, 400, msg("invalid JSON: json: cannot unmarshal string into Go struct field HostConfig.HostConfig.Resources.Memory of type int64")},
		{"POST", "/containers/web/start", ``, 304, ""},
		{"POST", "/containers/web/start", `{"Binds":[]}`, 400, msg("starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")},
		{"POST", "/containers/web/start?checkpoint=x", ``, 400, msg("checkpoint is only supported in experimental mode")},
		{"POST", "/containers/nosuch/start", ``, 404, msg("No such container: nosuch")},
		{"POST", "/containers/badcmd/start", ``, 400, msg(task + `exec: "nosuch": executable file not found in $PATH: unknown`)},
		{"POST", "/containers/port/start", ``, 500, msg("failed to set up container networking: driver failed programming external connectivity on endpoint port: Bind for 127.0.0.1:80 failed: port is already allocated")},
		{"POST", "/containers/port/stop", ``, 304, ""},
		{"POST", "/containers/web/stop?t=abc", ``, 500, msg(`strconv.Atoi: parsing "abc": invalid syntax`)},
		{"POST", "/containers/web/stop?signal=ZZ", ``, 500, msg("cannot stop container: web: invalid signal: ZZ")},
		{"POST", "/containers/web/kill?signal=ZZ", ``, 400, msg("cannot kill container: web: invalid signal: ZZ")},
		{"POST", "/containers/port/kill", ``, 409, ""},
		{"POST", "/containers/nosuch/kill", ``, 404, msg("cannot kill container: nosuch: No such container: nosuch")},
		{"POST", "/containers/web/restart?t=1", ``, 204, ""},
		{"POST", "/containers/web/unpause", ``, 500, msg("Container " + id + " is not paused")},
		{"POST", "/containers/web/rename?name=port", ``, 409, ""},
		{"POST", "/containers/port/rename?name=harbour", ``, 204, ""},
		{"POST", "/containers/web/update", `{"Memory":64000000}`, 200, "{\"Warnings\":null}\n"},
		{"POST", "/containers/web/update", `{"RestartPolicy":{"Name":"zz"}}`, 400, msg("invalid restart policy: unknown policy 'zz'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'")},
		{"POST", "/containers/nosuch/update", `{}`, 404, msg("No such container: nosuch")},
		{"DELETE", "/containers/web", ``, 409, msg(`cannot remove container "web": container is running: stop the container before removing or force remove`)},
		{"DELETE", "/containers/nosuch?force=1", ``, 404, msg("No such container: nosuch")},
		{"DELETE", "/containers/", ``, 400, msg(`invalid name or ID supplied: ""`)},
		{"POST", "/containers/web/wait?condition=zz", ``, 400, msg(`invalid condition: "zz"`)},
		{"POST", "/containers/nosuch/wait", ``, 404, msg("No such container: nosuch")},
		{"POST", "/containers/badcmd/wait", ``, 200, "{\"StatusCode\":0}\n"},
		{"GET", "/containers/json?filters=zz", ``, 400, msg("invalid filter")},
		{"GET", "/containers/json?filters={\"foo\":[\"x\"]}", ``, 400, msg("invalid filter 'foo'")},
		{"GET", "/containers/json?limit=zz", ``, 500, msg(`strconv.Atoi: parsing "zz": invalid syntax`)},
		{"POST", "/containers/prune?filters={\"until\":[\"zz\"]}", ``, 400, msg(`failed to parse value as time or duration: "zz"`)},
		{"POST", "/containers/prune", ``, 200, "{\"ContainersDeleted\":[\"a\"],\"SpaceReclaimed\":5}\n"},
		{"GET", "/containers/web/logs", ``, 400, msg("Bad parameters: you must choose at least one stream")},
		{"GET", "/containers/nosuch/logs?stdout=1", ``, 404, msg("No such container: nosuch")},
		{"GET", "/containers/web/top?ps_args=a%20b", ``, 200, "{\"Processes\":[[\"1\"],[\"a\",\"b\"]],\"Titles\":[\"PID\"]}\n"},
		{"GET", "/containers/web/changes", ``, 200, "[{\"Kind\":1,\"Path\":\"/x\"}]\n"},
		{"GET", "/containers/web/stats?one-shot=1", ``, 400, msg("cannot have stream=true and one-shot=true")},
		{"GET", "/containers/nosuch/stats", ``, 404, msg("No such container: nosuch")},
		{"POST", "/containers/web/resize?h=24&w=80", ``, 200, ""},
		{"POST", "/containers/web/resize", ``, 400, msg(`invalid resize height "": invalid syntax`)},
		{"GET", "/containers/web/archive", ``, 400, msg("bad parameter: pathcannot be empty")},
		{"GET", "/containers/web/archive?path=/no/such", ``, 404, msg("Could not find the file /no/such in container web")},
		{"HEAD", "/containers/web/archive?path=/no/such", ``, 404, ""},
		{"GET", "/containers/panic/json", ``, 500, msg("internal error of the daemon; its log says more")},
		{"GET", "/containers//json", ``, 200, ""},
	} {
		status, kind, body := b.call(c.method, "/v1.51"+c.path, c.body)
		if status != c.status || c.want != "" && body != c.want {
			t.Errorf("%s %s %s:\ngot  %d %q\nwant %d %q", c.method, c.path, c.body, status, body, c.status, c.want)
		}
		if status >= 400 && kind != "application/json" || (status == 204 || status == 304) && body != "" {
			t.Errorf("%s %s: content type %q, body %q", c.method, c.path, kind, body)
		}
	}
	if diff := cmp.Diff([2]uint16{24, 80}, b.engine.lastAsked("resize")); diff != "" {
		t.Error(diff)
	}
}

// TestRun makes the calls of `docker run --rm` in its order: create, attach, wait, start; and nothing of a process that is
// short is lost.
func TestRun(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	made, err := b.docker.ContainerCreate(ctx, &container.Config{Image: "i:1", OpenStdin: true, StdinOnce: true}, &container.HostConfig{AutoRemove: true}, nil, nil, "run")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"the engine warns"}, made.Warnings); diff != "" {
		t.Error(diff)
	}
	attached, err := b.docker.ContainerAttach(ctx, made.ID, container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	if kind, ok := attached.MediaType(); !ok || kind != "application/vnd.docker.multiplexed-stream" {
		t.Errorf("media type %q", kind)
	}
	waited, failed := b.docker.ContainerWait(ctx, made.ID, container.WaitConditionRemoved)
	if err := b.docker.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(attached.Conn, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := attached.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if _, err := docker.StdCopy(&out, &errs, attached.Reader); err != nil || out.String() != "hello" || errs.String() != "HELLO" {
		t.Errorf("%q, %q, %v", out.String(), errs.String(), err)
	}
	select {
	case res := <-waited:
		if res.StatusCode != 5 || res.Error != nil {
			t.Errorf("%+v", res)
		}
	case err := <-failed:
		t.Error(err)
	case <-time.After(patience):
		t.Error("wait does not end")
	}
}

// TestWaitSendsHeadersAtOnce: else docker run would hang, which starts the container after it.
func TestWaitSendsHeadersAtOnce(t *testing.T) {
	b := newBed(t)
	b.create("w", container.Config{})
	_, r := b.dial("POST /v1.51/containers/w/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v, %v", resp, err)
	}
	if err := b.docker.ContainerStart(t.Context(), "w", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	c, err := b.engine.find("w")
	if err != nil {
		t.Fatal(err)
	}
	b.engine.exit(c, 3)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "{\"StatusCode\":3}\n" {
		t.Errorf("%q, %v", body, err)
	}
}

// TestWaitOfOldClients: before 1.30 the answer came as a whole.
func TestWaitOfOldClients(t *testing.T) {
	b := newBed(t)
	b.create("w", container.Config{})
	status, kind, body := b.call("POST", "/v1.24/containers/w/wait?condition=zz", "")
	if status != 200 || kind != "application/json" || body != "{\"StatusCode\":0}\n" {
		t.Errorf("%d %q %q", status, kind, body)
	}
}

func TestAttachTerminal(t *testing.T) {
	b := newBed(t)
	b.create("tty", container.Config{Tty: true, OpenStdin: true})
	attached, err := b.docker.ContainerAttach(t.Context(), "tty", container.AttachOptions{Stream: true, Stdin: true, Stdout: true, DetachKeys: "ctrl-x"})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	if kind, _ := attached.MediaType(); kind != "application/vnd.docker.raw-stream" {
		t.Errorf("media type %q", kind)
	}
	if err := b.docker.ContainerStart(t.Context(), "tty", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(attached.Conn, "raw"); err != nil {
		t.Fatal(err)
	}
	if err := attached.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(attached.Reader); err != nil || string(out) != "raw" {
		t.Errorf("%q, %v", out, err)
	}
	want := engine.AttachOptions{Stdin: true, Stdout: true, Stream: true, DetachKeys: "ctrl-x"}
	if diff := cmp.Diff(want, b.engine.lastAsked("attach")); diff != "" {
		t.Error(diff)
	}
}

// TestAttachRefused: what is wrong is told in plain words that end with the connection, as dockerd answers this one operation.
func TestAttachRefused(t *testing.T) {
	b := newBed(t)
	b.create("p", container.Config{})
	if err := b.docker.ContainerPause(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, headers, want string }{
		{
			"/containers/p/attach?stream=1", "Connection: Upgrade\r\nUpgrade: tcp\r\n",
			"HTTP/1.1 409 Conflict\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\ncontainer p is paused, unpause the container before attach\r\n",
		},
		{
			"/v1.24/containers/nosuch/attach?stream=1", "",
			"HTTP/1.1 404 Not Found\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nNo such container: nosuch\r\n",
		},
	} {
		_, r := b.dial("POST " + c.path + " HTTP/1.1\r\nHost: d\r\n" + c.headers + "\r\n")
		if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.path, got, err, c.want)
		}
	}
}

// TestClientsVanish: whatever lasts as long as its client ends with it.
func TestClientsVanish(t *testing.T) {
	for _, path := range []string{"POST /containers/v/attach?stream=1&stdout=1", "GET /containers/v/logs?follow=1&stdout=1"} {
		t.Run(path, func(t *testing.T) {
			b := newBed(t)
			b.create("v", container.Config{})
			c, r := b.dial(path + " HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
			if _, err := http.ReadResponse(r, nil); err != nil {
				t.Fatal(err)
			}
			v, err := b.engine.find("v")
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			select {
			case err := <-v.gone:
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Error("not noticed")
			}
		})
	}
}

func TestWebSocket(t *testing.T) {
	b := newBed(t)
	b.create("ws", container.Config{OpenStdin: true})
	if err := b.docker.ContainerStart(t.Context(), "ws", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	cfg, err := websocket.NewConfig("ws://d/v1.51/containers/ws/attach/ws?stream=1&stdin=1&stdout=1", "http://d")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Dial("unix", b.socket)
	if err != nil {
		t.Fatal(err)
	}
	ws, err := websocket.NewClient(cfg, raw)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetDeadline(time.Now().Add(patience))
	if err := websocket.Message.Send(ws, "ping"); err != nil {
		t.Fatal(err)
	}
	var got []byte
	if err := websocket.Message.Receive(ws, &got); err != nil || string(got) != "ping" {
		t.Errorf("%q, %v", got, err)
	}
	c, err := b.engine.find("ws")
	if err != nil {
		t.Fatal(err)
	}
	ws.Close()
	select {
	case <-c.gone:
	case <-time.After(patience):
		t.Error("the client's end is not noticed")
	}
}

func TestLogs(t *testing.T) {
	b := newBed(t)
	b.create("l", container.Config{})
	c, err := b.engine.find("l")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 13, 10, 21, 879228895, time.UTC)
	c.log = []engine.LogRecord{
		{Time: at, Source: engine.SourceStdout, Data: []byte("one\n"), Attrs: map[string]string{"k": "v"}},
		{Time: at, Source: engine.SourceStderr, Data: []byte(strings.Repeat("x", 100<<10))},
	}
	read := func(o container.LogsOptions) (string, string) {
		t.Helper()
		body, err := b.docker.ContainerLogs(t.Context(), "l", o)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		var out, errs strings.Builder
		if _, err := docker.StdCopy(&out, &errs, body); err != nil {
			t.Fatal(err)
		}
		return out.String(), errs.String()
	}
	out, errs := read(container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Details: true, Tail: "7", Since: "1795437213.5"})
	if out != "2026-11-23T13:10:21.879228895Z k=v one\n" || len(errs) != 100<<10+len("2026-11-23T13:10:21.879228895Z  ") {
		t.Errorf("%q and %d bytes", out, len(errs))
	}
	q := b.engine.lastAsked("logs").(engine.LogQuery)
	if q.Tail != 7 || !q.Since.Equal(time.Unix(1795437213, 5e8)) || q.Follow {
		t.Errorf("%+v", q)
	}

	// Following: what is there comes before the container ends, the last line without a line feed with its end.
	body, err := b.docker.ContainerLogs(t.Context(), "l", container.LogsOptions{ShowStdout: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	first := make([]byte, 8+4)
	if _, err := io.ReadFull(body, first); err != nil || string(first[8:]) != "one\n" {
		t.Fatalf("%q, %v", first, err)
	}
	if err := b.docker.ContainerStart(t.Context(), "l", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	b.engine.exit(c, 0)
	rest, err := io.ReadAll(body)
	if err != nil || !strings.HasSuffix(string(rest), "\x01\x00\x00\x00\x00\x00\x00\x0alast words") {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
}

func TestLogsOfOldClientsAndTerminals(t *testing.T) {
	b := newBed(t)
	b.create("plain", container.Config{})
	b.create("tty", container.Config{Tty: true})
	for path, want := range map[string]string{
		"/v1.51/containers/plain/logs?stdout=1": "application/vnd.docker.multiplexed-stream",
		"/v1.41/containers/plain/logs?stdout=1": "application/vnd.docker.raw-stream",
		"/v1.51/containers/tty/logs?stdout=1":   "application/vnd.docker.raw-stream",
	} {
		if _, kind, _ := b.call("GET", path, ""); kind != want {
			t.Errorf("%s: %q", path, kind)
		}
	}
	if _, err := b.docker.ContainerCreate(t.Context(), &container.Config{Image: "i"}, &container.HostConfig{LogConfig: container.LogConfig{Type: "none"}}, nil, nil, "none"); err != nil {
		t.Fatal(err)
	}
	if status, _, body := b.call("GET", "/containers/none/logs?stdout=1", ""); status != 501 || body != "{\"message\":\"configured logging driver does not support reading\"}\n" {
		t.Errorf("%d %q", status, body)
	}
}

func TestStats(t *testing.T) {
	b := newBed(t)
	b.create("s", container.Config{})
	decode := func(path string, n int) (samples []container.StatsResponse) {
		t.Helper()
		_, r := b.dial("GET " + path + " HTTP/1.1\r\nHost: d\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%v, %v", resp, err)
		}
		dec := json.NewDecoder(resp.Body)
		for range n {
			var s container.StatsResponse
			if err := dec.Decode(&s); err != nil {
				t.Fatal(err)
			}
			samples = append(samples, s)
		}
		return samples
	}
	if s := decode("/containers/s/stats?stream=0", 1)[0]; s.Name != "/s" || !s.Read.IsZero() {
		t.Errorf("of a container that does not run: %+v", s)
	}
	if err := b.docker.ContainerStart(t.Context(), "s", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path       string
		total, pre []uint64
	}{
		{"/containers/s/stats?stream=0", []uint64{2}, []uint64{1}},
		{"/containers/s/stats?stream=0&one-shot=1", []uint64{1}, []uint64{0}},
		{"/v1.40/containers/s/stats?stream=false&one-shot=1", []uint64{2}, []uint64{1}},
		{"/containers/s/stats", []uint64{1, 2, 3}, []uint64{0, 1, 2}},
	} {
		for i, s := range decode(c.path, len(c.total)) {
			if s.CPUStats.CPUUsage.TotalUsage != c.total[i] || s.PreCPUStats.CPUUsage.TotalUsage != c.pre[i] || s.PreRead.IsZero() != (c.pre[i] == 0) {
				t.Errorf("%s, sample %d: %+v", c.path, i, s)
			}
		}
	}
}

func TestArchives(t *testing.T) {
	b := newBed(t)
	b.create("a", container.Config{})
	ctx := t.Context()
	stat, err := b.docker.ContainerStatPath(ctx, "a", "/etc/passwd")
	if err != nil || stat.Name != "passwd" || stat.Size != 4 || stat.Mode != 0o644 {
		t.Errorf("%+v, %v", stat, err)
	}
	tarball, stat, err := b.docker.CopyFromContainer(ctx, "a", "/etc/passwd")
	if err != nil || stat.Name != "passwd" {
		t.Fatalf("%+v, %v", stat, err)
	}
	defer tarball.Close()
	err = b.docker.CopyToContainer(ctx, "a", "/copy", tarball, container.CopyToContainerOptions{CopyUIDGID: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.engine.find("a")
	if err != nil {
		t.Fatal(err)
	}
	if c.files["/copy/passwd"] != "root" {
		t.Errorf("%q", c.files)
	}
	if diff := cmp.Diff(engine.ExtractOptions{KeepOwner: true, NoOverwriteDirNonDir: true}, b.engine.lastAsked("write")); diff != "" {
		t.Error(diff)
	}
	root, err := b.docker.ContainerExport(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if data, err := io.ReadAll(root); err != nil || !strings.Contains(string(data), "etc/passwd") {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// TestBrokenStreamIsCut: half a tar stream must not look like a whole one.
func TestBrokenStreamIsCut(t *testing.T) {
	b := newBed(t)
	b.create("broken", container.Config{})
	root, err := b.docker.ContainerExport(t.Context(), "broken")
	if err != nil {
		return // it broke before the first byte was sent
	}
	defer root.Close()
	if data, err := io.ReadAll(root); err == nil {
		t.Errorf("%d bytes were taken for everything", len(data))
	}
}

func TestListAndInspect(t *testing.T) {
	b := newBed(t)
	b.create("one", container.Config{Cmd: []string{"sleep", "1 2"}, Labels: map[string]string{"l": "1"}})
	rows, err := b.docker.ContainerList(t.Context(), container.ListOptions{All: true})
	if err != nil || len(rows) != 1 || rows[0].Names[0] != "/one" || rows[0].Command != "sleep '1 2'" || rows[0].Status != "Created" {
		t.Fatalf("%+v, %v", rows, err)
	}
	if _, _, body := b.call("GET", "/containers/json", ""); body != "[]\n" {
		t.Errorf("%q", body)
	}
	c, raw, err := b.docker.ContainerInspectWithRaw(t.Context(), "one", true)
	if err != nil || c.Name != "/one" || *c.SizeRw != 2 || *c.SizeRootFs != 7 || c.HostConfig.Runtime != "crun" {
		t.Errorf("%s, %v", raw, err)
	}
}
