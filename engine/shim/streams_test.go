package shim_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs"
)

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
