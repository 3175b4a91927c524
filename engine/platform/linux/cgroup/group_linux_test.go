package cgroup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kinds are the hierarchies of this host, and its version 2 one alone where it stands beside version 1: its freezer and
// killing work without controllers.
func kinds(t *testing.T) map[string]Hierarchies {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making control groups needs root")
	}
	all, err := Find()
	if err != nil {
		t.Skip(err)
	}
	m := map[string]Hierarchies{"host": all}
	if !all.Unified() && all.V2 != "" {
		m["v2 alone"] = Hierarchies{V2: all.V2}
	}
	return m
}

// member starts a process in a new group of its own and removes both at the test's end.
func member(t *testing.T, h Hierarchies, below string, script string) (Group, *exec.Cmd) {
	t.Helper()
	g := h.Group(fmt.Sprintf("/xc-test-%d", os.Getpid()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := g.Remove(ctx); err != nil {
			t.Error(err)
		}
	})
	cmd := exec.Command("/bin/sh", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go cmd.Wait() //nolint:errcheck // killed
	for _, d := range g.Dirs() {
		dir := filepath.Join(d, below)
		makeGroup(t, filepath.Dir(d), strings.Split(filepath.Join(filepath.Base(d), below), "/"))
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, cmd.Process.Pid), 0); err != nil {
			t.Fatal(err)
		}
	}
	return g, cmd
}

// makeGroup makes a directory of each name inside the one before. A new version 1 cpuset is empty and takes no process, so
// it gets its parent's.
func makeGroup(t *testing.T, dir string, names []string) {
	t.Helper()
	for _, name := range names {
		parent := dir
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skipf("this host's control groups cannot be written: %v", err)
		}
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			if b, err := os.ReadFile(filepath.Join(parent, f)); err == nil {
				os.WriteFile(filepath.Join(dir, f), b, 0) //nolint:errcheck // joining the group tells
			}
		}
	}
}

func TestKillAndRemoveForReal(t *testing.T) {
	for name, h := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			g, cmd := member(t, h, "below/deeper", "sleep 100 & sleep 100")
			pids, err := g.Pids()
			if err != nil || len(pids) == 0 || pids[0] != cmd.Process.Pid && len(pids) == 1 {
				t.Fatalf("pids %v (%v), want %d among them", pids, err, cmd.Process.Pid)
			}
			for range 2 {
				if err := g.Remove(t.Context()); err != nil {
					t.Fatal(err)
				}
				if g.Exists() {
					t.Fatal("the group is still there")
				}
			}
		})
	}
}

func TestFreezeForReal(t *testing.T) {
	for name, h := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			g, _ := member(t, h, "", "while :; do :; done")
			for range 2 {
				if err := g.Freeze(t.Context()); err != nil {
					t.Fatal(err)
				}
				if frozen, err := g.Frozen(); err != nil || !frozen {
					t.Fatalf("frozen: %v, %v", frozen, err)
				}
			}
			for range 2 {
				if err := g.Thaw(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if frozen, err := g.Frozen(); err != nil || frozen {
				t.Fatalf("thawed, but frozen: %v, %v", frozen, err)
			}
			if err := g.Freeze(t.Context()); err != nil {
				t.Fatal(err)
			}
			// A frozen group is removed all the same, by the clean-up here.
		})
	}
}

// TestFreezeWhileProcessesAppear freezes a group in which a process is being made at any moment.
func TestFreezeWhileProcessesAppear(t *testing.T) {
	for name, h := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			g, _ := member(t, h, "", "while :; do /bin/true; done")
			for range 20 {
				if err := g.Freeze(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := g.Thaw(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestKillSparesThisProcess(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := KillDirs(t.Context(), []string{dir}); err == nil {
		t.Fatal("a group that holds this process was killed")
	}
}

func TestThawOfNothing(t *testing.T) {
	for _, h := range kinds(t) {
		g := h.Group("/xc-test-gone")
		if err := g.Thaw(t.Context()); err != nil {
			t.Error(err)
		}
		if err := g.Freeze(t.Context()); err == nil {
			t.Error("a group that does not exist was frozen")
		}
	}
}
