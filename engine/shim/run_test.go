package shim_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs"
)

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
