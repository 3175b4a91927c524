package shim_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs"
	"github.com/xcengine/xc/engine/shim"
)

// box is one container's directory and the shim in it.
type box struct {
	t   *testing.T
	c   *shim.Client
	sup engine.Supervision
	h   *shim.Handle
}

func client(t testing.TB) *shim.Client {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), shimName)
	if err := os.Symlink(self, binary); err != nil {
		t.Fatal(err)
	}
	return shim.NewClient(binary, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
}

// newBox starts a shim. change, if not nil, adapts what it is told.
func newBox(t *testing.T, change func(*engine.Supervision)) *box {
	t.Helper()
	dir := t.TempDir()
	b := &box{t: t, c: client(t), sup: engine.Supervision{
		ID: engine.ContainerID(engine.NewID()), Dir: dir,
		Log: engine.LogFile{Driver: logs.DriverJSON, Path: filepath.Join(dir, "x-json.log"), MaxFiles: 1},
	}}
	if change != nil {
		change(&b.sup)
	}
	t.Cleanup(func() {
		b.killAll()
		if err := b.c.Clean(context.Background(), b.sup.Dir); err != nil {
			t.Error(err)
		}
	})
	b.start()
	return b
}

func (b *box) start() {
	b.t.Helper()
	h, err := b.c.Start(b.t.Context(), b.sup)
	if err != nil {
		b.t.Fatal(err)
	}
	b.h = h
	b.t.Cleanup(func() { h.Close() })
}

// killAll ends what a failed test left running.
func (b *box) killAll() {
	if b.h == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	st, err := b.h.Status(ctx)
	if err == nil && st.Exit == nil && st.Pid != 0 {
		_ = b.h.Signal(ctx, "", "KILL")
	}
}

func (b *box) run(l engine.Launch) int {
	b.t.Helper()
	pid, err := b.h.Run(b.t.Context(), l)
	if err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// event waits for the next end.
func (b *box) event() engine.ShimEvent {
	b.t.Helper()
	select {
	case e, ok := <-b.h.Events():
		if !ok {
			b.t.Fatal("the shim has gone")
		}
		return e
	case <-time.After(20 * time.Second):
		b.t.Fatal("no event")
	}
	panic("unreachable")
}

// end waits for main's end and lets the shim go.
func (b *box) end() engine.ExitStatus {
	b.t.Helper()
	e := b.event()
	if e.Exec != "" {
		b.t.Fatalf("end of exec %s instead of main's", e.Exec)
	}
	if err := b.h.Release(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return e.Exit
}

// attached is a client whose output is collected.
type attached struct {
	t        *testing.T
	out, err bytes.Buffer
	done     chan error
	stop     context.CancelFunc
}

var all = engine.AttachOptions{Stdin: true, Stdout: true, Stderr: true, Stream: true}

func (b *box) attach(stdin io.Reader) *attached {
	b.t.Helper()
	c, err := b.h.Attach(b.t.Context(), all)
	if err != nil {
		b.t.Fatal(err)
	}
	return stream(b.t, c, stdin)
}

func stream(t *testing.T, c engine.Conn, stdin io.Reader) *attached {
	ctx, cancel := context.WithCancel(t.Context())
	a := &attached{t: t, done: make(chan error, 1), stop: cancel}
	go func() {
		defer c.Close()
		a.done <- c.Stream(ctx, engine.Stdio{Stdin: stdin, Stdout: &a.out, Stderr: &a.err})
	}()
	return a
}

// wait returns the output after the stream's end.
func (a *attached) wait() (stdout, stderr string) {
	a.t.Helper()
	select {
	case err := <-a.done:
		if err != nil {
			a.t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		a.t.Fatal("the stream does not end")
	}
	return a.out.String(), a.err.String()
}

// logged reads the whole log, stdout and stderr in the order of their records.
func (b *box) logged() string {
	b.t.Helper()
	return b.read(engine.LogQuery{Stdout: true, Stderr: true, Tail: -1})
}

// read reads what a query selects of the log.
func (b *box) read(q engine.LogQuery) string {
	b.t.Helper()
	s, err := logs.Open(b.sup.Log, q, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	if err := s.Read(b.t.Context(), func(r engine.LogRecord) error { out.Write(r.Data); return nil }, nil); err != nil {
		b.t.Fatal(err)
	}
	return out.String()
}

func expect(t *testing.T, what, want, got string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: %s", what, d)
	}
}
