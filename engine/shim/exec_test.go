package shim_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

func (b *box) exec(id engine.ExecID, l engine.Launch, stdin io.Reader) *attached {
	b.t.Helper()
	want := all
	want.Stdin = l.Stdin
	pid, c, err := b.h.StartExec(b.t.Context(), id, l, want)
	if err != nil {
		b.t.Fatal(err)
	}
	if pid <= 0 {
		b.t.Errorf("pid %d", pid)
	}
	return stream(b.t, c, stdin)
}

// running returns a box whose main process waits.
func running(t *testing.T) *box {
	t.Helper()
	b := newBox(t, nil)
	b.run(launch("sleep", "60"))
	return b
}

func (b *box) execEnd(id engine.ExecID) engine.ExitStatus {
	b.t.Helper()
	e := b.event()
	if e.Exec != id {
		b.t.Fatalf("end of %q instead of %q", e.Exec, id)
	}
	return e.Exit
}

func TestExec(t *testing.T) {
	b := running(t)
	a := b.exec("e1", sh("echo out; echo err >&2; exit 3"), nil)
	if exit := b.execEnd("e1"); exit.Code != 3 {
		t.Errorf("%+v", exit)
	}
	stdout, stderr := a.wait()
	expect(t, "stdout", "out\n", stdout)
	expect(t, "stderr", "err\n", stderr)
	expect(t, "log", "", b.logged())
	st, err := b.h.Status(t.Context())
	if err != nil || st.Exit != nil || st.Execs["e1"].Exit == nil || st.Execs["e1"].Exit.Code != 3 || st.Execs["e1"].Pid == 0 {
		t.Errorf("%+v %v", st, err)
	}
}

func TestExecMissesNothing(t *testing.T) {
	b := running(t)
	for i := range 50 {
		id := engine.ExecID(fmt.Sprint("e", i))
		a := b.exec(id, launch("echo", "hello"), nil)
		out, _ := a.wait()
		if exit := b.execEnd(id); exit.Code != 0 || out != "hello\n" {
			t.Fatalf("exec %d: %+v %q", i, exit, out)
		}
	}
}

func TestExecsAtOnce(t *testing.T) {
	b := running(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, c, err := b.h.StartExec(t.Context(), engine.ExecID(fmt.Sprint("e", i)), sh(fmt.Sprintf("seq 1 20000; exit %d", i)), all)
			if err != nil {
				t.Error(err)
				return
			}
			a := stream(t, c, nil)
			if out, _ := a.wait(); strings.Count(out, "\n") != 20000 {
				t.Errorf("exec %d: %d bytes", i, len(out))
			}
		})
	}
	wg.Wait()
	seen := make(map[int]bool)
	for range 20 {
		seen[b.event().Exit.Code] = true
	}
	if len(seen) != 20 {
		t.Errorf("%v", seen)
	}
}

func TestExecStdin(t *testing.T) {
	b := running(t)
	l := launch("cat")
	l.Stdin, l.StdinOnce = true, true
	a := b.exec("e1", l, strings.NewReader("through\n"))
	if exit := b.execEnd("e1"); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
	out, _ := a.wait()
	expect(t, "output", "through\n", out)
}

func TestDetachedExec(t *testing.T) {
	b := running(t)
	_, c, err := b.h.StartExec(t.Context(), "e1", sh("head -c 1000000 /dev/zero; test -t 1; exit 8"), engine.AttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if exit := b.execEnd("e1"); exit.Code != 8 {
		t.Errorf("%+v", exit)
	}
	l := sh("head -c 1000000 /dev/zero; exit 9")
	l.TTY = true
	_, c, err = b.h.StartExec(t.Context(), "e2", l, engine.AttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if exit := b.execEnd("e2"); exit.Code != 9 {
		t.Errorf("with a terminal: %+v", exit)
	}
}

func TestExecTTYResizeSignal(t *testing.T) {
	b := running(t)
	r, w := io.Pipe()
	defer w.Close()
	l := sh("stty size; read x; stty size; exec sleep 60")
	l.TTY, l.Size, l.Stdin, l.StdinOnce = true, [2]uint16{11, 22}, true, true
	a := b.exec("e1", l, r)
	if err := b.h.Resize(t.Context(), "e1", 33, 44); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w)
	time.Sleep(200 * time.Millisecond)
	if err := b.h.Signal(t.Context(), "e1", "KILL"); err != nil {
		t.Fatal(err)
	}
	if exit := b.execEnd("e1"); exit.Signal != int(syscall.SIGKILL) {
		t.Errorf("%+v", exit)
	}
	out, _ := a.wait()
	if !strings.Contains(out, "33 44") {
		t.Errorf("%q", out)
	}
}

func TestExecIsRefused(t *testing.T) {
	b := newBox(t, nil)
	start := func(id engine.ExecID, l engine.Launch) error {
		_, c, err := b.h.StartExec(t.Context(), id, l, all)
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := start("e", launch("true")); engine.KindOf(err) != engine.Conflict || !engine.HasReason(err, engine.ReasonNotRunning) {
		t.Errorf("before Run: %v", err)
	}
	b.run(launch("sleep", "60"))
	if err := start("", launch("true")); engine.KindOf(err) != engine.Invalid {
		t.Errorf("without id: %v", err)
	}
	for range 2 { // a failed one leaves its id free
		if err := start("e", launch("no-such-program")); !engine.HasReason(err, engine.ReasonExecNotFound) {
			t.Errorf("no program: %v", err)
		}
	}
	if err := start("e", launch("sleep", "60")); err != nil {
		t.Fatal(err)
	}
	if err := start("e", launch("true")); engine.KindOf(err) != engine.Conflict {
		t.Errorf("id taken: %v", err)
	}
}

// An exec that leaves a child behind with its output: the client is let go, the child lives on and may write.
func TestExecThatLeavesAChildBehind(t *testing.T) {
	b := running(t)
	proof := filepath.Join(t.TempDir(), "proof")
	begin := time.Now()
	a := b.exec("e1", sh("(sleep 0.5; echo soon; sleep 3; echo late; echo alive >"+proof+") & echo now; exit 2"), nil)
	if exit := b.execEnd("e1"); exit.Code != 2 {
		t.Errorf("%+v", exit)
	}
	out, _ := a.wait()
	expect(t, "output", "now\nsoon\n", out)
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("let go after %v", d)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(proof); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the child did not live on")
		}
	}
}

func TestExecsEndWithMainAndBeforeIt(t *testing.T) {
	b := running(t)
	a := b.exec("e1", sh("echo up; exec sleep 60"), nil)
	if err := b.h.Signal(t.Context(), "", "TERM"); err != nil {
		t.Fatal(err)
	}
	if exit := b.execEnd("e1"); exit.Signal != int(syscall.SIGKILL) {
		t.Errorf("%+v", exit)
	}
	if exit := b.end(); exit.Signal != int(syscall.SIGTERM) {
		t.Errorf("%+v", exit)
	}
	a.wait()
}

// A health check runs for months: what is remembered of execs is bounded, what is connected hears of all.
func TestManyExecsAreForgotten(t *testing.T) {
	b := running(t)
	const total = 200
	for i := range total {
		_, c, err := b.h.StartExec(t.Context(), engine.ExecID(fmt.Sprint("e", i)), launch("true"), engine.AttachOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		b.execEnd(engine.ExecID(fmt.Sprint("e", i)))
	}
	later, err := b.c.Open(t.Context(), b.sup.ID, b.sup.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	for i := total - 128; i < total; i++ {
		if e := <-later.Events(); e.Exec != engine.ExecID(fmt.Sprint("e", i)) {
			t.Fatalf("%+v instead of e%d", e, i)
		}
	}
	st, err := later.Status(t.Context())
	if err != nil || len(st.Execs) != 128 {
		t.Errorf("%d execs, %v", len(st.Execs), err)
	}
}
