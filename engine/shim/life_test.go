package shim_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs"
	"github.com/xcengine/xc/engine/shim"
)

func TestStartSaysWhatIsWrong(t *testing.T) {
	sup := engine.Supervision{ID: "x", Dir: t.TempDir(), Log: engine.LogFile{Driver: logs.DriverJSON, Path: "/nonexistent/log", MaxFiles: 1}}
	c := client(t)
	if _, err := c.Start(t.Context(), sup); err == nil || !strings.Contains(err.Error(), "/nonexistent/log") {
		t.Errorf("log: %v", err)
	}
	sup.Dir = filepath.Join(sup.Dir, "absent")
	if _, err := c.Start(t.Context(), sup); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory: %v", err)
	}
	sup.Dir = t.TempDir()
	if _, err := shim.NewClient("/nonexistent/xc-shim", slog.New(slog.DiscardHandler)).Start(t.Context(), sup); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("binary: %v", err)
	}
	// A program that is no shim.
	if _, err := shim.NewClient("/bin/true", slog.New(slog.DiscardHandler)).Start(t.Context(), sup); err == nil {
		t.Error("a program that is no shim was taken for one")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Start(ctx, sup); engine.KindOf(err) != engine.Canceled {
		t.Errorf("canceled: %v", err)
	}
}

// Socket addresses hold about a hundred bytes, paths a thousand.
func TestLongDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("a", 100), strings.Repeat("b", 100))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := newBox(t, func(s *engine.Supervision) { s.Dir, s.Log.Path = dir, filepath.Join(dir, "log") })
	a := b.attach(nil)
	b.run(launch("echo", "far away"))
	b.end()
	out, _ := a.wait()
	expect(t, "output", "far away\n", out)
}

// Somebody who escaped from the sandbox and holds the output open does not hide main's end.
func TestEscapedChildHoldsTheOutput(t *testing.T) {
	for _, tty := range []bool{false, true} {
		t.Run(fmt.Sprintf("terminal %v", tty), func(t *testing.T) {
			b := newBox(t, nil)
			a := b.attach(nil)
			l := sh("trap '' HUP; setsid sh -c 'trap \"\" HUP; sleep 8' & echo said; sleep 0.2; exit 6")
			l.TTY = tty
			begin := time.Now()
			b.run(l)
			if exit := b.end(); exit.Code != 6 {
				t.Errorf("%+v", exit)
			}
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("told after %v", d)
			}
			if out, _ := a.wait(); !strings.HasPrefix(out, "said") {
				t.Errorf("%q", out)
			}
		})
	}
}

func TestTreeExit(t *testing.T) {
	b := newBox(t, func(s *engine.Supervision) { s.TreeExit = true })
	a := b.attach(nil)
	b.run(sh("(sleep 0.5; echo from the child) & exit 7"))
	begin := time.Now()
	e := b.event()
	if e.Exit.Code != 7 || time.Since(begin) < 400*time.Millisecond {
		t.Errorf("%+v after %v", e.Exit, time.Since(begin))
	}
	out, _ := a.wait()
	expect(t, "output", "from the child\n", out)
	disk, err := b.c.Exit(t.Context(), b.sup.Dir)
	if err != nil || disk != e.Exit {
		t.Errorf("%+v %v", disk, err)
	}
}

func TestSignalsReachTheTree(t *testing.T) {
	for _, sig := range []engine.Signal{"TERM", "KILL"} {
		b := newBox(t, func(s *engine.Supervision) { s.TreeExit = true })
		b.run(sh("sleep 60 & echo up; exit 0"))
		for b.logged() == "" {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
		if err := b.h.Signal(t.Context(), "", sig); err != nil {
			t.Errorf("%s: %v", sig, err)
		}
		b.end()
	}
}

func TestSignalsToTheShimItself(t *testing.T) {
	b := newBox(t, nil)
	l := sh("trap 'echo term; exit 3' TERM; trap 'echo other' HUP INT; echo up; while :; do sleep 0.05; done")
	b.run(l)
	for b.logged() == "" {
		time.Sleep(time.Millisecond)
	}
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM} {
		if err := syscall.Kill(b.h.Pid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	if exit := b.end(); exit.Code != 3 {
		t.Errorf("%+v", exit)
	}
	expect(t, "log", "up\nterm\n", b.logged())

	idle := newBox(t, nil)
	if err := syscall.Kill(idle.h.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	idle.waitGone()
}

// What xcd ignores must not be ignored in containers.
func TestSignalsAreNotIgnoredByMain(t *testing.T) {
	b := newBox(t, nil)
	b.run(launch("sh", "-c", "grep SigIgn /proc/self/status || echo SigIgn: 0000000000000000"))
	b.end()
	if got := strings.Fields(b.logged()); len(got) != 2 || strings.Trim(got[1], "0") != "" {
		t.Errorf("%q", got)
	}
}

func TestReleaseWithoutRun(t *testing.T) {
	b := newBox(t, nil)
	if err := b.h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.waitGone()
}
