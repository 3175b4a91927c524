package exec_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	docker "github.com/docker/docker/pkg/stdcopy"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/dockerapi"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// execs is a small engine: one container "c" runs; an exec writes its words to both streams, then what it is given.
type execs struct {
	mu    sync.Mutex
	known map[engine.ExecID]*engine.Exec
	start engine.ExecStart
	size  [2]uint16
	gone  chan error
}

func (e *execs) find(id engine.ExecID) (*engine.Exec, error) {
	if x, ok := e.known[id]; ok {
		return x, nil
	}
	return nil, &engine.Error{Op: "find", Kind: engine.NotFound, Resource: engine.ResourceExec, ID: string(id)}
}

func (e *execs) CreateExec(_ context.Context, ref string, spec engine.ExecSpec) (engine.ExecID, error) {
	if ref != "c" {
		return "", &engine.Error{Op: "exec", Kind: engine.Conflict, Resource: engine.ResourceExec, ID: ref, Reason: engine.ReasonNotRunning, Args: []string{"1234"}}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	id := engine.ExecID(engine.NewID())
	e.known[id] = &engine.Exec{ID: id, Container: "1234", Spec: spec}
	return id, nil
}

func (e *execs) InspectExec(_ context.Context, id engine.ExecID) (engine.Exec, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x, err := e.find(id)
	if err != nil {
		return engine.Exec{}, err
	}
	return *x, nil
}

func (e *execs) StartExec(_ context.Context, id engine.ExecID, o engine.ExecStart) (engine.AttachedStream, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x, err := e.find(id)
	if err != nil {
		return nil, err
	}
	if x.Started {
		return nil, &engine.Error{Op: "exec", Kind: engine.Conflict, Resource: engine.ResourceExec, ID: string(id), Reason: engine.ReasonRunning}
	}
	x.Started, e.start = true, o
	if o.Detach && x.Spec.Process.Cmd[0] == "nosuch" {
		return nil, unexecutable()
	}
	return &running{e, x}, nil
}

// unexecutable is what a shim says: it does not know whether its process is an exec.
func unexecutable() error {
	return &engine.Error{Op: "run", Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: engine.ReasonExecNotFound, Args: []string{"nosuch"}}
}

func (e *execs) ResizeExec(_ context.Context, id engine.ExecID, rows, cols uint16) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err := e.find(id)
	e.size = [2]uint16{rows, cols}
	return err
}

type running struct {
	e *execs
	x *engine.Exec
}

func (r *running) TTY() bool    { return r.x.Spec.Process.TTY }
func (r *running) Close() error { return nil }

func (r *running) Run(ctx context.Context, stdio engine.Stdio) error {
	switch r.x.Spec.Process.Cmd[0] {
	case "nosuch":
		return unexecutable()
	case "sleep":
		<-ctx.Done()
		r.e.gone <- ctx.Err()
		return ctx.Err()
	}
	words := strings.Join(r.x.Spec.Process.Cmd, " ")
	_, _ = io.WriteString(stdio.Stdout, words)
	_, _ = io.WriteString(stdio.Stderr, strings.ToUpper(words))
	_, _ = io.Copy(stdio.Stdout, stdio.Stdin)
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	code := 3
	r.x.ExitCode = &code
	return nil
}

func newBed(t *testing.T) (*execs, *client.Client, string) {
	t.Helper()
	e := &execs{known: map[engine.ExecID]*engine.Exec{}, gone: make(chan error, 1)}
	srv := dockerapi.New(dockerapi.Config{
		Backends: dockerapi.Backends{Exec: e}, Host: translate.Host{OSType: "linux"}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, l) }()
	c, err := client.NewClientWithOpts(client.WithHost("unix://"+socket), client.WithVersion("1.51"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return e, c, socket
}

func TestExec(t *testing.T) {
	e, c, _ := newBed(t)
	ctx := t.Context()
	size := [2]uint{24, 80}
	made, err := c.ContainerExecCreate(ctx, "c", container.ExecOptions{Cmd: []string{"say", "it"}, AttachStdin: true, AttachStdout: true})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{ConsoleSize: &size})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if kind, _ := stream.MediaType(); kind != "application/vnd.docker.multiplexed-stream" {
		t.Errorf("media type %q", kind)
	}
	if _, err := io.WriteString(stream.Conn, " all"); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if _, err := docker.StdCopy(&out, &errs, stream.Reader); err != nil || out.String() != "say it all" || errs.String() != "SAY IT" {
		t.Errorf("%q %q, %v", out.String(), errs.String(), err)
	}
	// The exit code is there as soon as the stream has ended.
	got, err := c.ContainerExecInspect(ctx, made.ID)
	if err != nil || got.ExitCode != 3 || got.ContainerID != "1234" {
		t.Errorf("%+v, %v", got, err)
	}
	if e.start.Size != [2]uint16{} {
		t.Errorf("no terminal, no size: %v", e.start.Size)
	}
	if err := c.ContainerExecResize(ctx, made.ID, container.ResizeOptions{Height: 5, Width: 6}); err != nil || e.size != [2]uint16{5, 6} {
		t.Errorf("%v, %v", e.size, err)
	}
}

func TestExecWithTerminal(t *testing.T) {
	e, c, _ := newBed(t)
	size := [2]uint{24, 80}
	made, err := c.ContainerExecCreate(t.Context(), "c", container.ExecOptions{Cmd: []string{"say"}, Tty: true, DetachKeys: "ctrl-a"})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.ContainerExecAttach(t.Context(), made.ID, container.ExecAttachOptions{Tty: true, ConsoleSize: &size})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if kind, _ := stream.MediaType(); kind != "application/vnd.docker.raw-stream" {
		t.Errorf("media type %q", kind)
	}
	if err := stream.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(stream.Reader); err != nil || string(out) != "saySAY" {
		t.Errorf("%q, %v", out, err)
	}
	if diff := cmp.Diff(engine.ExecStart{Size: [2]uint16{24, 80}}, e.start); diff != "" {
		t.Error(diff)
	}
}

// TestFailures holds how a program that cannot be executed is told: in the answer when detached, else in the stream.
func TestFailures(t *testing.T) {
	_, c, socket := newBed(t)
	const sentence = `OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown`
	create := func() string {
		made, err := c.ContainerExecCreate(t.Context(), "c", container.ExecOptions{Cmd: []string{"nosuch"}})
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	err := c.ContainerExecStart(t.Context(), create(), container.ExecStartOptions{Detach: true})
	if err == nil || !strings.HasSuffix(err.Error(), sentence) {
		t.Error(err)
	}
	stream, err := c.ContainerExecAttach(t.Context(), create(), container.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var out, errs strings.Builder
	if _, err := docker.StdCopy(&out, &errs, stream.Reader); err != nil || out.String() != sentence+"\r\n" || errs.String() != "" {
		t.Errorf("%q %q, %v", out.String(), errs.String(), err)
	}

	id := create()
	for i, want := range []string{"", `{"message":"exec command ` + id + ` is already running"}`} {
		status, body := post(t, socket, "/exec/"+id+"/start", `{}`)
		if i == 1 && (status != 409 || body != want+"\n") {
			t.Errorf("%d %q", status, body)
		}
	}
	for _, r := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/containers/c/exec", `{}`, 400, `{"message":"No exec command specified"}`},
		{"/containers/c/exec", ``, 400, `{"message":"No exec command specified"}`},
		{"/containers/other/exec", `{"Cmd":["a"]}`, 409, `{"message":"container 1234 is not running"}`},
		{"/containers/c/exec", `{"Cmd":["a"],"DetachKeys":"zz"}`, 500, `{"message":"Invalid escape keys (zz) provided"}`},
		{"/exec/none/start", `{"Detach":true}`, 404, `{"message":"No such exec instance: none"}`},
		{"/exec/none/start", ``, 404, `{"message":"No such exec instance: none"}`},
		{"/exec/none/resize?h=1&w=1", ``, 404, `{"message":"No such exec instance: none"}`},
		{"/exec/none/resize?h=x&w=1", ``, 400, `{"message":"invalid resize height \"x\": invalid syntax"}`},
	} {
		if status, body := post(t, socket, r.path, r.body); status != r.status || body != r.want+"\n" {
			t.Errorf("%s %s: %d %q", r.path, r.body, status, body)
		}
	}
}

// TestWithoutUpgrade is how dockerode and curl start an exec: 200 and the stream until the connection ends.
func TestWithoutUpgrade(t *testing.T) {
	_, c, socket := newBed(t)
	made, err := c.ContainerExecCreate(t.Context(), "c", container.ExecOptions{Cmd: []string{"say"}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"Detach":false,"Tty":true}`
	// The end of the body and the first input travel together.
	if _, err := io.WriteString(conn, "POST /exec/"+made.ID+"/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n"+body+"early"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/vnd.docker.raw-stream" || resp.ContentLength != -1 {
		t.Fatalf("%+v, %v", resp, err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(r); err != nil || string(out) != "saySAYearly" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestClientVanishes(t *testing.T) {
	e, c, _ := newBed(t)
	made, err := c.ContainerExecCreate(t.Context(), "c", container.ExecOptions{Cmd: []string{"sleep"}})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.ContainerExecAttach(t.Context(), made.ID, container.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stream.Close()
	select {
	case <-e.gone:
	case <-time.After(10 * time.Second):
		t.Error("not noticed")
	}
}

func post(t *testing.T, socket, path, body string) (int, string) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req, err := http.NewRequest("POST", "http://d"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == 200 {
		return 200, "" // a stream
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
