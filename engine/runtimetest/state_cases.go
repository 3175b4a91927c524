package runtimetest

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

func (c *container) stats() engine.Stats {
	c.t.Helper()
	s, err := c.runtime.Stats(c.t.Context(), c.spec.ID, c.box, c.main.pid)
	if err != nil {
		c.t.Fatalf("stats: %v", err)
	}
	return s
}

// spins reports whether the container's use of processors grows.
func (c *container) spins() bool {
	before := c.stats().CPU.Total
	time.Sleep(50 * time.Millisecond)
	return c.stats().CPU.Total > before+uint64(10*time.Millisecond)
}

func testPause(t *testing.T, b *bench) {
	if !b.runtime.Capabilities().Pause {
		t.Skip("this host cannot pause")
	}
	c := b.run(b.spec("spin", "1000"))
	c.eventually("it spins", c.spins)
	for range 2 {
		if err := b.runtime.Pause(t.Context(), c.spec.ID); err != nil {
			t.Fatalf("pause: %v", err)
		}
	}
	if c.spins() {
		t.Error("it goes on while it is paused")
	}
	for range 2 {
		if err := b.runtime.Resume(t.Context(), c.spec.ID); err != nil {
			t.Fatalf("resume: %v", err)
		}
	}
	c.eventually("it spins again", c.spins)
}

func testRemovePaused(t *testing.T, b *bench) {
	if !b.runtime.Capabilities().Pause {
		t.Skip("this host cannot pause")
	}
	c := b.run(b.spec("spin", "1000"))
	if err := b.runtime.Pause(t.Context(), c.spec.ID); err != nil {
		t.Fatalf("pause: %v", err)
	}
	c.remove()
	if s := c.main.status(); s.Code != 137 {
		t.Errorf("removed while paused: %+v", s)
	}
}

func testStats(t *testing.T, b *bench) {
	c := b.run(b.spec("spin", "1000"))
	c.eventually("it spins", c.spins)
	s := c.stats()
	if s.CPU.Total == 0 || s.CPU.System < s.CPU.Total || s.CPU.Online < 1 || s.Read.IsZero() {
		t.Errorf("processors: %+v at %v", s.CPU, s.Read)
	}
	if s.Memory.Usage == 0 || s.Memory.Limit < s.Memory.Usage {
		t.Errorf("memory: %+v", s.Memory)
	}
	if s.Pids.Current == 0 {
		t.Errorf("processes: %+v", s.Pids)
	}
	c.main.signal(int(syscall.SIGKILL))
	c.main.status()
	c.remove()
	if _, err := b.runtime.Stats(t.Context(), c.spec.ID, c.box, c.main.pid); err == nil {
		t.Error("a container that is gone has stats")
	}
}

func testProcesses(t *testing.T, b *bench) {
	c := b.run(b.spec("forktree", "1", "2", "100000"))
	for _, args := range [][]string{nil, {"-o", "pid,args"}} {
		var table engine.ProcessTable
		c.eventually("three processes are listed", func() bool {
			var err error
			if table, err = b.runtime.Processes(t.Context(), c.spec.ID, c.box, args); err != nil {
				t.Fatalf("processes: %v", err)
			}
			return len(table.Rows) == 3
		})
		column := slices.Index(table.Titles, "PID")
		if column < 0 || !slices.ContainsFunc(table.Rows, func(r []string) bool { return r[column] == strconv.Itoa(c.main.pid) }) {
			t.Errorf("main (%d) is not in %q %q", c.main.pid, table.Titles, table.Rows)
		}
		for _, r := range table.Rows {
			if len(r) != len(table.Titles) || !strings.Contains(r[len(r)-1], "forktree") {
				t.Errorf("row %q under %q", r, table.Titles)
			}
		}
	}
}

func testMemoryLimit(t *testing.T, b *bench) {
	if !b.runtime.Capabilities().MemoryLimit {
		t.Skip("this host cannot bound memory")
	}
	spec := b.spec("memory", "200", "100")
	spec.Spec.Resources.Memory, spec.Spec.Resources.MemorySwap = 64<<20, 64<<20
	c := b.run(spec)
	if limit := c.stats().Memory.Limit; limit != 64<<20 {
		t.Errorf("limit: %d", limit)
	}
	if s := c.main.status(); s.Code != 137 {
		t.Errorf("beyond the limit: %+v", s)
	}
	info, err := b.runtime.Ended(t.Context(), spec.ID)
	if err != nil || !info.OOMKilled {
		t.Errorf("ended: %+v, %v", info, err)
	}
}

func testUpdate(t *testing.T, b *bench) {
	if !b.runtime.Capabilities().MemoryLimit {
		t.Skip("this host cannot bound memory")
	}
	spec := b.spec("sleep", "100000")
	spec.Spec.Resources.Memory = 64 << 20
	c := b.run(spec)
	for _, mb := range []int64{256, 32} {
		res := spec.Spec.Resources
		res.Memory, res.MemorySwap = mb<<20, mb<<20
		if err := b.runtime.Update(t.Context(), spec.ID, res); err != nil {
			t.Fatalf("update to %d MB: %v", mb, err)
		}
		if limit := c.stats().Memory.Limit; limit != uint64(mb)<<20 {
			t.Errorf("updated to %d MB, limit is %d", mb, limit)
		}
	}
	res := spec.Spec.Resources
	res.Memory = 4096
	if err := b.runtime.Update(t.Context(), spec.ID, res); engine.KindOf(err) != engine.Invalid {
		t.Errorf("update to a page: %v", err)
	}
}

func testCheck(t *testing.T, b *bench) {
	if warnings, err := b.runtime.Check(t.Context(), b.spec("true")); err != nil || len(warnings) > 0 {
		t.Errorf("an ordinary container: %q, %v", warnings, err)
	}
	spec := b.spec("true")
	spec.Platform = engine.Platform{OS: "plan9", Architecture: "amd64"}
	if _, err := b.runtime.Check(t.Context(), spec); engine.KindOf(err) != engine.Invalid {
		t.Errorf("an image of a foreign system: %v", err)
	}
}

func testAgain(t *testing.T, b *bench) {
	c := b.run(b.spec("true"))
	c.main.wait(0)
	for range 3 {
		c.remove()
		box, err := b.runtime.CreateSandbox(t.Context(), c.spec)
		if err != nil {
			t.Fatal(err)
		}
		// Made twice, it is the same sandbox.
		if c.box, err = b.runtime.CreateSandbox(t.Context(), c.spec); err != nil || c.box != box {
			t.Fatalf("created again: %+v, %v; first %+v", c.box, err, box)
		}
		c.end()
		c.supervise()
		if err := c.launch(); err != nil {
			t.Fatal(err)
		}
		c.main.wait(0)
	}
}

func testSandboxes(t *testing.T, b *bench) {
	one, two := b.run(b.spec("sleep", "100000")), b.create(b.spec("true"))
	want := []engine.ContainerID{one.spec.ID, two.spec.ID}
	slices.Sort(want)
	got, err := b.runtime.Sandboxes(t.Context())
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("sandboxes: %v, %v; want %v", got, err, want)
	}
	// A daemon that is started anew finds them too.
	next := b.p.Open(t, b.state, b.owner)
	for _, c := range []*container{one, two} {
		if box, err := next.FindSandbox(t.Context(), c.spec.ID, c.spec.Dir); err != nil || box != c.box {
			t.Errorf("found %+v, %v; want %+v", box, err, c.box)
		}
	}
	if _, err := next.FindSandbox(t.Context(), engine.ContainerID(engine.NewID()), b.state); engine.KindOf(err) != engine.NotFound {
		t.Errorf("a sandbox that is not there: %v", err)
	}
	two.remove()
	if got, err = next.Sandboxes(t.Context()); err != nil || !slices.Equal(got, []engine.ContainerID{one.spec.ID}) {
		t.Errorf("after a removal: %v, %v", got, err)
	}
}

func testRemoveRepeats(t *testing.T, b *bench) {
	id := engine.ContainerID(engine.NewID())
	for range 2 {
		if err := b.runtime.RemoveSandbox(t.Context(), id, b.dir(id)); err != nil {
			t.Errorf("nothing: %v", err)
		}
	}
	c := b.run(b.spec("sleep", "100000"))
	for range 3 {
		c.remove()
	}
	if s := c.main.status(); s.Code != 137 {
		t.Errorf("removed while it ran: %+v", s)
	}
	if _, err := os.Stat(c.spec.Root + "/bin/testbox"); err != nil {
		t.Errorf("the root is damaged: %v", err)
	}
}

func testRemoveAfterEachStep(t *testing.T, b *bench) {
	b.create(b.spec("true")).remove()

	c := b.create(b.spec("true"))
	if _, err := c.runtime.Launch(t.Context(), c.spec, c.box); err != nil {
		t.Fatal(err)
	}
	c.remove()

	// The supervisor is killed, and with it whoever would have told of the process.
	c = b.run(b.spec("forktree", "1", "2", "100000"))
	c.end()
	if err := b.p.Open(t, b.state, b.owner).RemoveSandbox(t.Context(), c.spec.ID, c.spec.Dir); err != nil {
		t.Errorf("remove without a supervisor: %v", err)
	}
	c.eventually("its main process is gone", func() bool { return errors.Is(syscall.Kill(c.main.pid, 0), syscall.ESRCH) })

	// Its directory is lost.
	c = b.run(b.spec("sleep", "100000"))
	if err := os.RemoveAll(c.spec.Dir); err != nil {
		t.Fatal(err)
	}
	c.remove()
	c.main.status()

	// A cancelled request does not stop the undoing.
	c = b.run(b.spec("sleep", "100000"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.runtime.RemoveSandbox(ctx, c.spec.ID, c.spec.Dir); err != nil {
		t.Errorf("remove by a client that went away: %v", err)
	}
	c.main.status()
}

func testTwoOwners(t *testing.T, b *bench) {
	other := newBench(t, b.p, b.program)
	c := b.run(b.spec("sleep", "100000"))
	if got, err := other.runtime.Sandboxes(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("another daemon sees %v, %v", got, err)
	}
	if err := other.runtime.RemoveSandbox(t.Context(), c.spec.ID, other.dir(c.spec.ID)); err != nil {
		t.Errorf("another daemon removes: %v", err)
	}
	if out := c.mustExec("echo", "lives"); out != "lives\n" {
		t.Errorf("after another daemon's removal: %q", out)
	}
}
