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

// Who asks for the log and the output that follows it gets each byte once, also in the middle of a line and while the log is
// rotated.
func TestLogAndOutputJoin(t *testing.T) {
	for name, spec := range map[string]engine.LogFile{
		"one file": {MaxFiles: 1}, "rotated": {MaxFiles: 500, MaxSize: 5000}, "rotated and compressed": {MaxFiles: 500, MaxSize: 5000, Compress: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, func(s *engine.Supervision) {
				spec.Driver, spec.Path = s.Log.Driver, s.Log.Path
				s.Log = spec
			})
			witness := b.attach(nil)
			b.run(sh("i=0; while [ $i -lt 10000 ]; do printf '%s ' $i; case $i in *77) echo;; esac; i=$((i+1)); done"))
			var before []string
			var after []*attached
			for range 25 {
				c, err := b.h.Attach(t.Context(), engine.AttachOptions{Stdout: true, Stderr: true, Stream: true, Logs: true})
				if err != nil {
					t.Fatal(err)
				}
				mark := c.(interface{ LogMark() *engine.LogMark }).LogMark()
				if mark == nil {
					t.Fatal("the shim does not tell where the output begins")
				}
				before = append(before, b.read(engine.LogQuery{Stdout: true, Stderr: true, Tail: -1, Before: mark})+string(mark.Rest[engine.SourceStdout]))
				after = append(after, stream(t, c, nil))
			}
			b.end()
			whole, _ := witness.wait()
			joined := 0
			for i, a := range after {
				rest, _ := a.wait()
				if got := before[i] + rest; got != whole {
					t.Errorf("client %d: %d bytes of the log and %d of the output are not the %d that were written", i, len(before[i]), len(rest), len(whole))
				}
				if before[i] != "" && rest != "" {
					joined++
				}
			}
			if joined == 0 {
				t.Error("nobody attached while there was output")
			}
		})
	}
}
