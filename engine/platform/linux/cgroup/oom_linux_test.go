package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A group is told of while it has no memory, not when it is removed, and not after the watching was stopped.
func TestOOMs(t *testing.T) {
	h := kinds(t)["host"]
	limit, swap, most := "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "8388608"
	point, v1 := h.V1["memory"]
	if !v1 {
		point, limit, swap, most = h.V2, "memory.max", "memory.swap.max", "0"
	}
	var all OOMs
	t.Cleanup(func() { all.Close() })
	told := make(chan struct{}, 100)
	begin := filepath.Join(t.TempDir(), "begin")
	g, _ := member(t, h, "", "until [ -e "+begin+" ]; do sleep 0.05; done; while :; do (x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done); sleep 0.1; done")
	if err := os.WriteFile(filepath.Join(point, g.Path(), limit), []byte("8388608"), 0); err != nil {
		t.Skipf("this host cannot bound memory: %v", err)
	}
	// Where swap is bounded too, the end comes sooner.
	os.WriteFile(filepath.Join(point, g.Path(), swap), []byte(most), 0) //nolint:errcheck // not every kernel has it
	stop, err := all.Watch(g, func() { told <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(begin, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-told:
		case <-time.After(20 * time.Second):
			t.Fatal("nobody was told")
		}
	}
	stop()
	for len(told) > 0 {
		<-told
	}
	time.Sleep(500 * time.Millisecond)
	if len(told) > 0 {
		t.Error("told after the watching was stopped")
	}
	if err := g.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err = all.Watch(g, func() { told <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if len(told) > 0 {
		t.Error("told of a removal")
	}
}

// A group that goes wakes whoever waits for it at the moment at which its watching is stopped: neither keeps the other.
func TestStopAmidTheEndOfAGroup(t *testing.T) {
	h := kinds(t)["host"]
	g := h.Group(fmt.Sprintf("/xc-test-oom-%d", os.Getpid()))
	dir, _, ok := g.dir("memory")
	if !ok {
		t.Skip("this host has no memory controller")
	}
	var all OOMs
	ended := make(chan error, 1)
	go func() {
		for range 300 {
			if err := os.Mkdir(dir, 0o755); err != nil {
				ended <- err
				return
			}
			stop, err := all.Watch(g, func() {})
			if err := errors.Join(err, os.Remove(dir)); err != nil {
				ended <- err
				return
			}
			stop()
		}
		ended <- all.Close()
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the stop of a watching does not end")
	}
}
