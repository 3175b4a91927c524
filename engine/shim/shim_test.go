package shim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
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
	s, err := logs.Open(b.sup.Log, engine.LogQuery{Stdout: true, Stderr: true, Tail: -1}, nil)
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

// Attach made before Run misses nothing, however short-lived the process is, and everything is there when the end is told.
func TestAttachBeforeRunMissesNothing(t *testing.T) {
	c := client(t)
	for i := range 100 {
		b := &box{t: t, c: c, sup: engine.Supervision{ID: "x", Dir: t.TempDir()}}
		b.sup.Log = engine.LogFile{Driver: logs.DriverJSON, Path: filepath.Join(b.sup.Dir, "log"), MaxFiles: 1}
		b.start()
		a := b.attach(nil)
		b.run(launch("echo", "hello", fmt.Sprint(i)))
		exit := b.end()
		out, _ := a.wait()
		want := fmt.Sprintf("hello %d\n", i)
		if exit.Code != 0 || out != want || b.logged() != want {
			t.Fatalf("run %d: code %d, output %q, log %q", i, exit.Code, out, b.logged())
		}
	}
}

func TestExitStatus(t *testing.T) {
	for _, tc := range []struct {
		script       string
		signal       engine.Signal
		code, number int
	}{
		{script: "exit 0"},
		{script: "exit 7", code: 7},
		{script: "exit 255", code: 255},
		{script: "kill -9 $$", code: 137, number: 9},
		{script: "exec sleep 30", signal: "TERM", code: 143, number: 15},
		{script: "exec sleep 30", signal: "SIGKILL", code: 137, number: 9},
		{script: "exec sleep 30", signal: "sigint", code: 130, number: 2},
		{script: "exec sleep 30", signal: "10", code: 138, number: 10},
		{script: "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done", signal: "TERM", code: 3},
	} {
		t.Run(tc.script+" "+string(tc.signal), func(t *testing.T) {
			b := newBox(t, nil)
			before := time.Now()
			pid := b.run(sh(tc.script))
			if tc.signal != "" {
				for strings.Contains(tc.script, "ready") && b.logged() == "" {
					time.Sleep(time.Millisecond)
				}
				if err := b.h.Signal(t.Context(), "", tc.signal); err != nil {
					t.Fatal(err)
				}
			}
			e := b.event()
			if e.Exit.Code != tc.code || e.Exit.Signal != tc.number || e.Exit.At.Before(before) || time.Since(e.Exit.At) > time.Minute {
				t.Errorf("%+v", e)
			}
			st, err := b.h.Status(t.Context())
			if err != nil || st.Pid != pid || st.Exit == nil || !cmp.Equal(*st.Exit, e.Exit) {
				t.Errorf("%+v %v", st, err)
			}
			disk, err := b.c.Exit(t.Context(), b.sup.Dir)
			if err != nil || !cmp.Equal(disk, e.Exit) {
				t.Errorf("on disk: %+v %v", disk, err)
			}
			if err := b.h.Signal(t.Context(), "", "TERM"); engine.KindOf(err) != engine.NotFound {
				t.Errorf("signal after the end: %v", err)
			}
			if err := b.h.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.isGone()
		})
	}
}

// isGone checks that the shim has left nothing but the exit status and the log.
func (b *box) isGone() {
	b.t.Helper()
	if _, err := b.c.Open(b.t.Context(), b.sup.ID, b.sup.Dir); engine.KindOf(err) != engine.NotFound {
		b.t.Errorf("open: %v", err)
	}
	if _, ok := <-b.h.Events(); ok {
		b.t.Error("another event")
	}
	var names []string
	entries, err := os.ReadDir(b.sup.Dir)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), filepath.Base(b.sup.Log.Path)) {
			names = append(names, e.Name())
		}
	}
	if d := cmp.Diff([]string{"exit.json"}, names); d != "" {
		b.t.Errorf("left: %s", d)
	}
}

func TestBadSignals(t *testing.T) {
	b := newBox(t, nil)
	if err := b.h.Signal(t.Context(), "", "TERM"); engine.KindOf(err) != engine.NotFound {
		t.Errorf("before Run: %v", err)
	}
	b.run(launch("sleep", "30"))
	for _, s := range []engine.Signal{"", "FOO", "0", "-1", "1000", "RTMIN-1", "RTMAX+1", "RTMIN7"} {
		if err := b.h.Signal(t.Context(), "", s); engine.KindOf(err) != engine.Invalid {
			t.Errorf("%q: %v", s, err)
		}
	}
	if err := b.h.Signal(t.Context(), "no such exec", "TERM"); engine.KindOf(err) != engine.NotFound {
		t.Errorf("unknown exec: %v", err)
	}
	if err := b.h.Signal(t.Context(), "", "RTMIN+1"); err != nil {
		t.Error(err)
	}
	if exit := b.end(); exit.Signal == 0 || exit.Code != 128+exit.Signal {
		t.Errorf("%+v", exit)
	}
}

func TestRunFailureSaysWhyAndEndsTheShim(t *testing.T) {
	denied := filepath.Join(t.TempDir(), "denied")
	if err := os.WriteFile(denied, []byte("#!/nonexistent\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		program string
		reason  engine.Reason
	}{{"no-such-program", engine.ReasonExecNotFound}, {denied, engine.ReasonExecDenied}} {
		b := newBox(t, nil)
		a := b.attach(nil)
		_, err := b.h.Run(t.Context(), launch(tc.program))
		if engine.KindOf(err) != engine.Invalid || !engine.HasReason(err, tc.reason) {
			t.Errorf("%v", err)
		}
		var e *engine.Error
		if errors.As(err, &e) && !cmp.Equal(e.Args, []string{tc.program}) {
			t.Errorf("%q", e.Args)
		}
		a.wait()
		if _, ok := <-b.h.Events(); ok {
			t.Error("an event of a main that never ran")
		}
		if _, err := b.c.Exit(t.Context(), b.sup.Dir); engine.KindOf(err) != engine.NotFound {
			t.Errorf("exit status: %v", err)
		}
		if b.logged() != "" {
			t.Error("something was logged")
		}
	}
}

func TestRunIsRefused(t *testing.T) {
	b := newBox(t, nil)
	b.run(launch("sleep", "30"))
	if _, err := b.h.Run(t.Context(), launch("true")); engine.KindOf(err) != engine.Conflict {
		t.Errorf("second: %v", err)
	}
	if err := b.h.Release(t.Context()); engine.KindOf(err) != engine.Conflict {
		t.Errorf("release of a running one: %v", err)
	}
	other := newBox(t, nil)
	l := launch("true")
	l.Platform = "another"
	if _, err := other.h.Run(t.Context(), l); engine.KindOf(err) != engine.Invalid {
		t.Errorf("another platform: %v", err)
	}
}

func TestStreamsAreKeptApart(t *testing.T) {
	b := newBox(t, nil)
	both := b.attach(nil)
	onlyErr, err := b.h.Attach(t.Context(), engine.AttachOptions{Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	second := stream(t, onlyErr, nil)
	b.run(sh("echo out; echo err >&2; printf 'no line feed'"))
	b.end()
	stdout, stderr := both.wait()
	expect(t, "stdout", "out\nno line feed", stdout)
	expect(t, "stderr", "err\n", stderr)
	stdout, stderr = second.wait()
	expect(t, "stdout of who wants stderr", "", stdout)
	expect(t, "stderr of who wants stderr", "err\n", stderr)
	for _, part := range []string{"out\n", "err\n", "no line feed"} {
		if !strings.Contains(b.logged(), part) {
			t.Errorf("%q is missing in the log", part)
		}
	}
}

func TestMuchOutput(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(nil)
	b.run(sh("seq 1 200000; seq 1 1000 >&2"))
	b.end()
	var want strings.Builder
	for i := range 200000 {
		fmt.Fprintln(&want, i+1)
	}
	stdout, _ := a.wait()
	if stdout != want.String() {
		t.Errorf("%d bytes of %d", len(stdout), want.Len())
	}
	if n := strings.Count(b.logged(), "\n"); n != 201000 {
		t.Errorf("%d lines in the log", n)
	}
}

func TestStdin(t *testing.T) {
	for _, once := range []bool{true, false} {
		t.Run(fmt.Sprintf("once %v", once), func(t *testing.T) {
			b := newBox(t, nil)
			// The input stands there, and has ended, before the process is started.
			first := b.attach(strings.NewReader("first\n"))
			l := launch("cat")
			l.Stdin, l.StdinOnce = true, once
			b.run(l)
			if once {
				if exit := b.end(); exit.Code != 0 {
					t.Errorf("%+v", exit)
				}
				out, _ := first.wait()
				expect(t, "output", "first\n", out)
				return
			}
			for b.logged() != "first\n" {
				time.Sleep(time.Millisecond)
			}
			second := b.attach(strings.NewReader("second\n"))
			for b.logged() != "first\nsecond\n" {
				time.Sleep(time.Millisecond)
			}
			if err := b.h.Signal(t.Context(), "", "TERM"); err != nil {
				t.Fatal(err)
			}
			b.end()
			out, _ := first.wait()
			expect(t, "first client", "first\nsecond\n", out)
			out, _ = second.wait()
			expect(t, "second client", "second\n", out)
		})
	}
}

func TestMuchInput(t *testing.T) {
	b := newBox(t, nil)
	data := strings.Repeat("0123456789abcde\n", 200_000)
	a := b.attach(strings.NewReader(data))
	l := launch("cat")
	l.Stdin, l.StdinOnce = true, true
	b.run(l)
	b.end()
	if out, _ := a.wait(); out != data {
		t.Errorf("%d bytes of %d", len(out), len(data))
	}
}

// A process that does not read its input must not keep its end from being told.
func TestInputThatNobodyReads(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(strings.NewReader(strings.Repeat("x", 1<<20)))
	l := sh("sleep 0.2; exit 4")
	l.Stdin, l.StdinOnce = true, true
	b.run(l)
	if exit := b.end(); exit.Code != 4 {
		t.Errorf("%+v", exit)
	}
	a.wait()
}

// Without a wish for stdin the process has /dev/null, whatever clients send.
func TestNoStdin(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(strings.NewReader("ignored\n"))
	b.run(launch("cat"))
	if exit := b.end(); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
	out, _ := a.wait()
	expect(t, "output", "", out)
}

var errDetached = errors.New("detached")

// leaver is an input that fails, as the detach keys make it.
type leaver struct{ after chan struct{} }

func (l leaver) Read([]byte) (int, error) {
	<-l.after
	return 0, errDetached
}

func TestClientsComeAndGo(t *testing.T) {
	b := newBox(t, nil)
	l := launch("cat")
	l.Stdin = true
	b.run(l)
	leave := leaver{make(chan struct{})}
	detached := b.attach(leave)
	canceled := b.attach(nil)
	r, w := io.Pipe()
	stays := b.attach(r)
	fmt.Fprintln(w, "one")
	for b.logged() != "one\n" {
		time.Sleep(time.Millisecond)
	}
	close(leave.after)
	if err := <-detached.done; !errors.Is(err, errDetached) {
		t.Errorf("detached: %v", err)
	}
	canceled.stop()
	if err := <-canceled.done; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	fmt.Fprintln(w, "two")
	for b.logged() != "one\ntwo\n" {
		time.Sleep(time.Millisecond)
	}
	if err := b.h.Signal(t.Context(), "", "KILL"); err != nil {
		t.Fatal(err)
	}
	b.end()
	out, _ := stays.wait()
	expect(t, "who stayed", "one\ntwo\n", out)
	expect(t, "who detached", "one\n", detached.out.String())
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestStreamEndsWithItsWriter(t *testing.T) {
	b := newBox(t, nil)
	c, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	b.run(sh("echo x; sleep 30"))
	if err := c.Stream(t.Context(), engine.Stdio{Stdout: failing{}}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

// slow takes nothing until it is let go.
type slow struct {
	go_ chan struct{}
	n   int
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.go_
	s.n += len(p)
	return len(p), nil
}

// A client that does not read holds the process up; when it reads on, it gets everything.
func TestSlowClientHoldsTheProcess(t *testing.T) {
	b := newBox(t, nil)
	c, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	w := &slow{go_: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- c.Stream(t.Context(), engine.Stdio{Stdout: w}) }()
	b.run(sh("head -c 20000000 /dev/zero"))
	select {
	case e := <-b.h.Events():
		t.Fatalf("the process was not held: %+v", e)
	case <-time.After(300 * time.Millisecond):
	}
	// Others are served meanwhile.
	if _, err := b.h.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(w.go_)
	b.end()
	if err := <-done; err != nil || w.n != 20_000_000 {
		t.Errorf("%v, %d bytes", err, w.n)
	}
}

// A client that has vanished holds nothing up.
func TestVanishedClientFreesTheProcess(t *testing.T) {
	b := newBox(t, nil)
	c, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	b.run(sh("head -c 20000000 /dev/zero"))
	time.Sleep(100 * time.Millisecond)
	c.Close()
	if exit := b.end(); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
}

// The end of main is told in bounded time even if a client never reads, and the log is whole.
func TestStuckClientDoesNotHideTheEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than ten seconds")
	}
	b := newBox(t, nil)
	c, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.run(sh("yes | head -c 3000000; exit 6"))
	time.Sleep(300 * time.Millisecond)
	if err := b.h.Signal(t.Context(), "", "KILL"); err != nil && engine.KindOf(err) != engine.NotFound {
		t.Fatal(err)
	}
	select {
	case <-b.h.Events():
	case <-time.After(30 * time.Second):
		t.Fatal("the end was not told")
	}
}

func TestTTY(t *testing.T) {
	b := newBox(t, nil)
	if err := b.h.Resize(t.Context(), "", 20, 70); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	a := b.attach(r)
	l := sh("test -t 0 && test -t 1 && test -t 2 || exit 9; stty size; read word; stty size; echo got $word; stty -echo; echo ready; read x; exit 5")
	l.TTY, l.Stdin, l.StdinOnce = true, true, true
	b.run(l)
	for !strings.Contains(b.logged(), "20 70") {
		time.Sleep(time.Millisecond)
	}
	if err := b.h.Resize(t.Context(), "", 44, 99); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w, "hello")
	for !strings.Contains(b.logged(), "ready") {
		time.Sleep(time.Millisecond)
	}
	w.Close() // the end of a client's input does not close a terminal
	again := b.attach(strings.NewReader("\n"))
	if exit := b.end(); exit.Code != 5 {
		t.Errorf("%+v", exit)
	}
	out, stderr := a.wait()
	expect(t, "terminal", "20 70\r\nhello\r\n44 99\r\ngot hello\r\nready\r\n", out)
	expect(t, "stderr", "", stderr)
	again.wait()
}

func TestTTYInterruptAndHangup(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(strings.NewReader("\x03"))
	l := launch("sleep", "30")
	l.TTY, l.Stdin = true, true
	b.run(l)
	if exit := b.end(); exit.Signal != int(syscall.SIGINT) {
		t.Errorf("%+v", exit)
	}
	a.wait()
}

func TestLaunchSizesTheTerminal(t *testing.T) {
	b := newBox(t, nil)
	a := b.attach(nil)
	l := launch("stty", "size")
	l.TTY, l.Size = true, [2]uint16{31, 101}
	l.Stdin = true
	b.run(l)
	b.end()
	out, _ := a.wait()
	expect(t, "size", "31 101\r\n", out)
}

func TestResizeWithoutTerminalDoesNothing(t *testing.T) {
	b := newBox(t, nil)
	b.run(launch("sleep", "30"))
	if err := b.h.Resize(t.Context(), "", 20, 70); err != nil {
		t.Error(err)
	}
}

func TestLogDriverNone(t *testing.T) {
	b := newBox(t, func(s *engine.Supervision) { s.Log = engine.LogFile{Driver: logs.DriverNone, MaxFiles: 1} })
	a := b.attach(nil)
	b.run(launch("echo", "x"))
	b.end()
	out, _ := a.wait()
	expect(t, "output", "x\n", out)
}

func TestManyClientsAtOnce(t *testing.T) {
	b := newBox(t, nil)
	var clients []*attached
	for range 20 {
		clients = append(clients, b.attach(nil))
	}
	b.run(sh("seq 1 50000"))
	b.end()
	var want strings.Builder
	for i := range 50000 {
		fmt.Fprintln(&want, i+1)
	}
	for _, a := range clients {
		if out, _ := a.wait(); out != want.String() {
			t.Errorf("%d bytes of %d", len(out), want.Len())
		}
	}
}

func TestManyShimsAtOnce(t *testing.T) {
	c := client(t)
	var wg sync.WaitGroup
	for i := range 20 {
		b := &box{t: t, c: c, sup: engine.Supervision{ID: "x", Dir: t.TempDir()}}
		b.sup.Log = engine.LogFile{Driver: logs.DriverJSON, Path: filepath.Join(b.sup.Dir, "log"), MaxFiles: 1}
		wg.Go(func() {
			h, err := c.Start(t.Context(), b.sup)
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Close()
			if _, err := h.Run(t.Context(), sh(fmt.Sprintf("exit %d", i))); err != nil {
				t.Error(err)
				return
			}
			if e := <-h.Events(); e.Exit.Code != i {
				t.Errorf("%d: %+v", i, e)
			}
			if err := h.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
