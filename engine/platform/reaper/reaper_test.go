package reaper

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary itself is the reaper: nothing in this package's tests may use os/exec.
var theReaper = sync.OnceValues(New)

func start(t *testing.T) *Reaper {
	t.Helper()
	r, err := theReaper()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sh(script string) Command {
	return Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Capture: true}
}

func TestRunReportsHowAProgramEnded(t *testing.T) {
	r := start(t)
	for _, tc := range []struct {
		script       string
		code, signal int
		output       string
	}{
		{"echo out; echo err >&2", 0, 0, "out\nerr\n"},
		{"exit 7", 7, 0, ""},
		{"kill -9 $$", 137, 9, ""},
		{"kill -TERM $$", 143, 15, ""},
	} {
		res, err := r.Run(t.Context(), sh(tc.script))
		if err != nil {
			t.Fatalf("%s: %v", tc.script, err)
		}
		if res.Code() != tc.code || res.Signal() != tc.signal || string(res.Output) != tc.output {
			t.Errorf("%s: code %d signal %d output %q", tc.script, res.Code(), res.Signal(), res.Output)
		}
	}
}

func TestRunDoesNotWaitForWhoHoldsTheOutput(t *testing.T) {
	r := start(t)
	begin := time.Now()
	res, err := r.Run(t.Context(), sh("echo before; sleep 2 & exit 3"))
	if err != nil || res.Code() != 3 || string(res.Output) != "before\n" {
		t.Fatalf("%v %d %q", err, res.Code(), res.Output)
	}
	if d := time.Since(begin); d > 1500*time.Millisecond {
		t.Errorf("took %v", d)
	}
}

func TestRunBoundsWhatItKeeps(t *testing.T) {
	r := start(t)
	res, err := r.Run(t.Context(), sh("head -c 300000 /dev/zero"))
	if err != nil || res.Code() != 0 || len(res.Output) != maxCapture {
		t.Fatalf("%v code %d, %d bytes", err, res.Code(), len(res.Output))
	}
}

func TestRunKillsWhenCanceled(t *testing.T) {
	r := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	res, err := r.Run(ctx, sh("exec sleep 30"))
	if !errors.Is(err, context.DeadlineExceeded) || res.Signal() != int(syscall.SIGKILL) {
		t.Fatalf("%v signal %d", err, res.Signal())
	}
}

func TestStartSaysWhyAProgramDoesNotExecute(t *testing.T) {
	r := start(t)
	_, err := r.Start(Command{Path: "/nonexistent/program", Args: []string{"program"}})
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// A runtime leaves the main process behind and names it by its pid; it may have ended before anybody asks for it.
func TestClaimFindsAnOrphanThatEndedBefore(t *testing.T) {
	r := start(t)
	for range 20 {
		h := r.Hold()
		res, err := r.Run(t.Context(), sh("(sleep 0.01; exit 5) & echo $!"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		p, err := h.Claim(atoi(t, res.Output))
		if err != nil {
			t.Fatal(err)
		}
		h.Release()
		select {
		case <-p.Done():
		case <-time.After(5 * time.Second):
			t.Fatal("end of the orphan was not taken")
		}
		if p.End().Code() != 5 {
			t.Fatalf("code %d", p.End().Code())
		}
	}
}

// A launcher that starts the process itself returns its pid all the same.
func TestClaimFindsAChildThatWasStartedAndEnded(t *testing.T) {
	r := start(t)
	h := r.Hold()
	defer h.Release()
	p, err := r.Start(sh("exit 6"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	again, err := h.Claim(p.Pid())
	if err != nil || again != p || again.End().Code() != 6 {
		t.Fatal(err)
	}
}

func TestClaimRefusesAStranger(t *testing.T) {
	r := start(t)
	h := r.Hold()
	defer h.Release()
	for _, pid := range []int{1, os.Getpid(), os.Getppid()} {
		if _, err := h.Claim(pid); err == nil {
			t.Errorf("claimed %d", pid)
		}
	}
}

func TestSignalReachesTheChildOnlyWhileItLives(t *testing.T) {
	r := start(t)
	p, err := r.Start(Command{Path: "/bin/sleep", Args: []string{"sleep", "30"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if p.End().Signal() != int(syscall.SIGTERM) {
		t.Errorf("signal %d", p.End().Signal())
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal after the end: %v", err)
	}
}

func TestWaitTreeWaitsForTheLastDescendant(t *testing.T) {
	r := start(t)
	if err := r.WaitTree(t.Context(), 0); err != nil { // what other tests left
		t.Fatal(err)
	}
	begin := time.Now()
	p, err := r.Start(Command{Path: "/bin/sh", Args: []string{"sh", "-c", "(sleep 0.2; sleep 0.2) & exit 4"}})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := r.WaitTree(t.Context(), p.Pid()); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d < 350*time.Millisecond {
		t.Errorf("returned after %v", d)
	}
}

func TestSignalTreeReachesOrphans(t *testing.T) {
	r := start(t)
	p, err := r.Start(Command{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep 30 & sleep 30 & exit 0"}})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := r.SignalTree(p.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.WaitTree(ctx, p.Pid()); err != nil {
		t.Fatal(err)
	}
}

func TestManyAtOnceLoseNoStatus(t *testing.T) {
	r := start(t)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			res, err := r.Run(t.Context(), Command{Path: "/bin/sh", Args: []string{"sh", "-c", "exit " + string(rune('0'+i%10))}})
			if err != nil || res.Code() != i%10 {
				t.Errorf("%d: %v code %d", i, err, res.Code())
			}
		})
	}
	wg.Wait()
}

func atoi(t *testing.T, b []byte) int {
	t.Helper()
	n := 0
	for _, c := range strings.TrimSpace(string(b)) {
		if c < '0' || c > '9' {
			t.Fatalf("not a number: %q", b)
		}
		n = n*10 + int(c-'0')
	}
	return n
}
