package shim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs"
	"github.com/xcengine/xc/engine/platform/pidlock"
	"github.com/xcengine/xc/engine/shim"
)

// A daemon of its own process, which a test can kill. It starts a shim, attaches, runs main and waits.
const daemonEnv = "XC_TEST_DAEMON"

// order is what such a daemon is to do.
type order struct {
	Binary string
	Sup    engine.Supervision
	Launch engine.Launch
	NoRun  bool
}

func daemon(text string) int {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Println(err)
		return 1
	}
	ctx := context.Background()
	h, err := shim.NewClient(o.Binary, slog.New(slog.DiscardHandler)).Start(ctx, o.Sup)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	c, err := h.Attach(ctx, all)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	never, _ := io.Pipe()
	go c.Stream(ctx, engine.Stdio{Stdin: never, Stdout: io.Discard, Stderr: io.Discard}) //nolint:errcheck // it is killed
	pid := 0
	if !o.NoRun {
		if pid, err = h.Run(ctx, o.Launch); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("pid", pid, "shim", h.Pid())
	select {}
}

// orphan starts a shim under another daemon and gives that daemon to kill.
func orphan(t *testing.T, o order) (b *box, pid int, kill func()) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Binary = filepath.Join(t.TempDir(), shimName)
	if err := os.Symlink(self, o.Binary); err != nil {
		t.Fatal(err)
	}
	o.Sup.ID, o.Sup.Dir = "orphan", dir
	if o.Sup.Log.Path == "" {
		o.Sup.Log = engine.LogFile{Driver: logs.DriverJSON, Path: filepath.Join(dir, "x-json.log"), MaxFiles: 1}
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	b = &box{t: t, c: shim.NewClient(o.Binary, slog.New(slog.DiscardHandler)), sup: o.Sup}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), daemonEnv+"="+string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		b.killAll()
		if err := b.c.Clean(context.Background(), dir); err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	shimPid := 0
	if _, err := fmt.Sscanf(line, "pid %d shim %d", &pid, &shimPid); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return b, pid, func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
}

// open connects as a new daemon does.
func (b *box) open() {
	b.t.Helper()
	h, err := b.c.Open(b.t.Context(), b.sup.ID, b.sup.Dir)
	if err != nil {
		b.t.Fatal(err)
	}
	b.h = h
	b.t.Cleanup(func() { h.Close() })
}

// waitGone waits until no shim lives in the directory.
func (b *box) waitGone() {
	b.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		pid, err := pidlock.Holder(filepath.Join(b.sup.Dir, "shim.pid"))
		if err != nil {
			b.t.Fatal(err)
		}
		if pid == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("shim %d lives on", pid)
		}
	}
}

func counted(from, to int) string {
	var s strings.Builder
	for i := from; i <= to; i++ {
		s.WriteString(strconv.Itoa(i))
		s.WriteByte('\n')
	}
	return s.String()
}

// The daemon is killed in the middle of the output. The next one finds everything: process, log, later output, end.
func TestDaemonKilledMidOutput(t *testing.T) {
	b, pid, kill := orphan(t, order{Launch: sh("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; [ $((i % 100)) = 0 ] && sleep 0.02; done; exit 5")})
	time.Sleep(60 * time.Millisecond)
	kill()
	time.Sleep(60 * time.Millisecond)
	b.open()
	st, err := b.h.Status(t.Context())
	if err != nil || st.Pid != pid || st.Exit != nil {
		t.Fatalf("%+v %v", st, err)
	}
	a := b.attach(nil)
	if exit := b.end(); exit.Code != 5 {
		t.Errorf("%+v", exit)
	}
	whole := counted(1, 3000)
	expect(t, "log", whole, b.logged())
	if out, _ := a.wait(); out == "" || !strings.HasSuffix(whole, out) {
		t.Errorf("output after the restart: %d bytes", len(out))
	}
}

// A client that was killed while it held the process up lets it go.
func TestDaemonKilledWhileItHeldTheProcess(t *testing.T) {
	dir := t.TempDir()
	c := client(t)
	sup := engine.Supervision{ID: "x", Dir: dir, Log: engine.LogFile{Driver: logs.DriverJSON, Path: filepath.Join(dir, "log"), MaxFiles: 1}}
	b := &box{t: t, c: c, sup: sup}
	b.start()
	// This client never reads.
	conn, err := b.h.Attach(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	b.run(sh("seq 1 300000; exit 3"))
	time.Sleep(200 * time.Millisecond)
	b.h.Close() // as when the process dies: all its connections
	conn.Close()
	b.waitGone()
	if exit, err := c.Exit(t.Context(), dir); err != nil || exit.Code != 3 {
		t.Errorf("%+v %v", exit, err)
	}
	if b.logged() != counted(1, 300000) {
		t.Error("the log is not whole")
	}
}

func TestExitWhileThereIsNoDaemon(t *testing.T) {
	b, _, kill := orphan(t, order{Launch: sh("sleep 0.3; echo last words; exit 42")})
	kill()
	b.waitGone()
	if _, err := b.c.Open(t.Context(), b.sup.ID, b.sup.Dir); engine.KindOf(err) != engine.NotFound {
		t.Errorf("open: %v", err)
	}
	exit, err := b.c.Exit(t.Context(), b.sup.Dir)
	if err != nil || exit.Code != 42 || exit.At.IsZero() {
		t.Errorf("%+v %v", exit, err)
	}
	expect(t, "log", "last words\n", b.logged())
	if err := b.c.Clean(t.Context(), b.sup.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := b.c.Exit(t.Context(), b.sup.Dir); engine.KindOf(err) != engine.NotFound {
		t.Errorf("exit status after Clean: %v", err)
	}
}

func TestShimWithoutRunEndsWithItsDaemon(t *testing.T) {
	b, _, kill := orphan(t, order{NoRun: true})
	kill()
	b.waitGone()
	entries, err := os.ReadDir(b.sup.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "x-json.log" {
			t.Errorf("left: %s", e.Name())
		}
	}
}

// A daemon that dies must not look to the process like the end of its input: it would take half a file for the whole.
func TestDaemonsDeathDoesNotEndStdin(t *testing.T) {
	l := sh("cat; echo end")
	l.Stdin, l.StdinOnce = true, true
	b, _, kill := orphan(t, order{Launch: l})
	kill()
	b.open() // the next daemon is there at once
	time.Sleep(1500 * time.Millisecond)
	st, err := b.h.Status(t.Context())
	if err != nil || st.Exit != nil {
		t.Fatalf("%+v %v", st, err)
	}
	a := b.attach(strings.NewReader("rest\n"))
	b.end()
	out, _ := a.wait()
	expect(t, "output", "rest\nend\n", out)
}

// Everything that ended while no daemon was there is told to the next, in order.
func TestEventsOfTheTimeBetween(t *testing.T) {
	b := running(t)
	for i := range 3 {
		a := b.exec(engine.ExecID(fmt.Sprint("e", i)), sh(fmt.Sprintf("exit %d", i)), nil)
		a.wait()
		b.execEnd(engine.ExecID(fmt.Sprint("e", i)))
	}
	second, err := b.c.Open(t.Context(), b.sup.ID, b.sup.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := b.h.Signal(t.Context(), "", "KILL"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if e := <-second.Events(); e.Exec != engine.ExecID(fmt.Sprint("e", i)) || e.Exit.Code != i {
			t.Errorf("%d: %+v", i, e)
		}
	}
	if e := <-second.Events(); e.Exec != "" || e.Exit.Signal != 9 {
		t.Errorf("%+v", e)
	}
	// One of two lets the shim go: it goes.
	b.end()
	if e, ok := <-second.Events(); ok {
		t.Errorf("%+v", e)
	}
	if _, err := second.Status(t.Context()); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("status of a shim that has gone: %v", err)
	}
}

func TestCleanKillsAShim(t *testing.T) {
	b, pid, kill := orphan(t, order{Launch: launch("sleep", "60")})
	kill()
	if err := b.c.Clean(t.Context(), b.sup.Dir); err != nil {
		t.Fatal(err)
	}
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // main outlives its shim, the runtime kills it
	}
	if _, err := b.c.Open(t.Context(), b.sup.ID, b.sup.Dir); engine.KindOf(err) != engine.NotFound {
		t.Errorf("open: %v", err)
	}
	for range 2 { // nothing to clean is no error
		if err := b.c.Clean(t.Context(), b.sup.Dir); err != nil {
			t.Error(err)
		}
	}
	if err := b.c.Clean(t.Context(), filepath.Join(b.sup.Dir, "absent")); err != nil {
		t.Errorf("no directory: %v", err)
	}
}

// A container is started again at once in the same directory, which the last run's shim may not have left quite yet.
func TestStartAgainAndAgain(t *testing.T) {
	b := newBox(t, func(s *engine.Supervision) { s.Log.MaxSize, s.Log.MaxFiles, s.Log.Compress = 2000, 3, true })
	for i := range 30 {
		if i > 0 {
			b.start()
		}
		if _, err := b.c.Exit(t.Context(), b.sup.Dir); engine.KindOf(err) != engine.NotFound {
			t.Fatalf("run %d: exit status of the last run: %v", i, err)
		}
		b.run(sh(fmt.Sprintf("seq 1 40; exit %d", i)))
		if e := b.event(); e.Exit.Code != i {
			t.Fatalf("run %d: %+v", i, e)
		}
		if i%2 == 0 {
			if err := b.h.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		b.h.Close()
	}
}
