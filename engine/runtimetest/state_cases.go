package runtimetest

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
)

func (c *Container) stats() engine.Stats {
	c.t.Helper()
	s, err := c.Runtime.Stats(c.t.Context(), c.Spec.ID, c.Box, c.Main.Pid)
	if err != nil {
		c.t.Fatalf("stats: %v", err)
	}
	return s
}

// spins reports whether the container's use of processors grows.
func (c *Container) spins() bool {
	before := c.stats().CPU.Total
	time.Sleep(50 * time.Millisecond)
	return c.stats().CPU.Total > before+uint64(10*time.Millisecond)
}

func testPause(t *testing.T, b *Bench) {
	if !b.Runtime.Capabilities().Pause {
		t.Skip("this host cannot pause")
	}
	c := b.Run(b.Describe("spin", "1000"))
	c.Eventually("it spins", c.spins)
	for range 2 {
		if err := b.Runtime.Pause(t.Context(), c.Spec.ID); err != nil {
			t.Fatalf("pause: %v", err)
		}
	}
	if c.spins() {
		t.Error("it goes on while it is paused")
	}
	for range 2 {
		if err := b.Runtime.Resume(t.Context(), c.Spec.ID); err != nil {
			t.Fatalf("resume: %v", err)
		}
	}
	c.Eventually("it spins again", c.spins)
}

func testRemovePaused(t *testing.T, b *Bench) {
	if !b.Runtime.Capabilities().Pause {
		t.Skip("this host cannot pause")
	}
	c := b.Run(b.Describe("spin", "1000"))
	if err := b.Runtime.Pause(t.Context(), c.Spec.ID); err != nil {
		t.Fatalf("pause: %v", err)
	}
	c.Remove()
	if s := c.Main.Status(); s.Code != 137 {
		t.Errorf("removed while paused: %+v", s)
	}
}

func testStats(t *testing.T, b *Bench) {
	c := b.Run(b.Describe("spin", "1000"))
	c.Eventually("it spins", c.spins)
	s := c.stats()
	if s.CPU.Total == 0 || s.CPU.System < s.CPU.Total || s.CPU.Online < 1 || s.Read.IsZero() {
		t.Errorf("processors: %+v at %v", s.CPU, s.Read)
	}
	can := b.Runtime.Capabilities()
	if can.MemoryLimit && s.Memory.Usage == 0 || s.Memory.Limit < s.Memory.Usage {
		t.Errorf("memory: %+v", s.Memory)
	}
	if can.PidsLimit && s.Pids.Current == 0 {
		t.Errorf("processes: %+v", s.Pids)
	}
	c.Main.Signal(int(syscall.SIGKILL))
	c.Main.Status()
	c.Remove()
	if _, err := b.Runtime.Stats(t.Context(), c.Spec.ID, c.Box, c.Main.Pid); err == nil {
		t.Error("a container that is gone has stats")
	}
}

func testProcesses(t *testing.T, b *Bench) {
	c := b.Run(b.Describe("forktree", "1", "2", "100000"))
	for _, args := range [][]string{nil, {"-o", "pid,args"}} {
		var table engine.ProcessTable
		c.Eventually("three processes are listed", func() bool {
			var err error
			if table, err = b.Runtime.Processes(t.Context(), c.Spec.ID, c.Box, args); err != nil {
				t.Fatalf("processes: %v", err)
			}
			return len(table.Rows) == 3
		})
		column := slices.Index(table.Titles, "PID")
		if column < 0 || !slices.ContainsFunc(table.Rows, func(r []string) bool { return r[column] == strconv.Itoa(c.Main.Pid) }) {
			t.Errorf("main (%d) is not in %q %q", c.Main.Pid, table.Titles, table.Rows)
		}
		for _, r := range table.Rows {
			if len(r) != len(table.Titles) || !strings.Contains(r[len(r)-1], "forktree") {
				t.Errorf("row %q under %q", r, table.Titles)
			}
		}
	}
}

func testMemoryLimit(t *testing.T, b *Bench) {
	if !b.Runtime.Capabilities().MemoryLimit {
		t.Skip("this host cannot bound memory")
	}
	spec := b.Describe("memory", "200", "100")
	spec.Spec.Resources.Memory, spec.Spec.Resources.MemorySwap = 64<<20, 64<<20
	c := b.Run(spec)
	if limit := c.stats().Memory.Limit; limit != 64<<20 {
		t.Errorf("limit: %d", limit)
	}
	if s := c.Main.Status(); s.Code != 137 {
		t.Errorf("beyond the limit: %+v", s)
	}
	info, err := b.Runtime.Ended(t.Context(), spec.ID)
	if err != nil || !info.OOMKilled {
		t.Errorf("ended: %+v, %v", info, err)
	}
}

// A lack of memory that the container outlives is told of while it runs, where the platform can.
func testMemoryTold(t *testing.T, b *Bench) {
	w, ok := b.Runtime.(lifecycle.OOMWatcher)
	if !ok || !b.Runtime.Capabilities().MemoryLimit {
		t.Skip("this platform does not tell of a lack of memory, or this host cannot bound it")
	}
	spec := b.Describe("sleep", "100000")
	spec.Spec.Resources.Memory, spec.Spec.Resources.MemorySwap = 64<<20, 64<<20
	c := b.Run(spec)
	var told atomic.Int32
	stop, err := w.WatchOOM(spec.ID, func() { told.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	for n := range int32(2) {
		p, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"memory", "200", "100"}}})
		if err != nil {
			t.Fatal(err)
		}
		p.Wait(137)
		b.Eventually("a lack of memory is told of", func() bool { return told.Load() > n })
	}
	stop()
	c.Remove()
	if n := told.Load(); n != 2 {
		t.Errorf("told %d times", n)
	}
}

func testUpdate(t *testing.T, b *Bench) {
	if !b.Runtime.Capabilities().MemoryLimit {
		t.Skip("this host cannot bound memory")
	}
	spec := b.Describe("sleep", "100000")
	spec.Spec.Resources.Memory = 64 << 20
	c := b.Run(spec)
	for _, mb := range []int64{256, 32} {
		res := spec.Spec.Resources
		res.Memory, res.MemorySwap = mb<<20, mb<<20
		if err := b.Runtime.Update(t.Context(), spec.ID, res); err != nil {
			t.Fatalf("update to %d MB: %v", mb, err)
		}
		if limit := c.stats().Memory.Limit; limit != uint64(mb)<<20 {
			t.Errorf("updated to %d MB, limit is %d", mb, limit)
		}
	}
	res := spec.Spec.Resources
	res.Memory = 4096
	if err := b.Runtime.Update(t.Context(), spec.ID, res); engine.KindOf(err) != engine.Invalid {
		t.Errorf("update to a page: %v", err)
	}
}

func testCheck(t *testing.T, b *Bench) {
	if warnings, err := b.Runtime.Check(t.Context(), b.Describe("true")); err != nil || len(warnings) > 0 {
		t.Errorf("an ordinary container: %q, %v", warnings, err)
	}
	spec := b.Describe("true")
	spec.Platform = engine.Platform{OS: "plan9", Architecture: "amd64"}
	if _, err := b.Runtime.Check(t.Context(), spec); engine.KindOf(err) != engine.Invalid {
		t.Errorf("an image of a foreign system: %v", err)
	}
}

func testAgain(t *testing.T, b *Bench) {
	c := b.Run(b.Describe("true"))
	c.Main.Wait(0)
	for range 3 {
		c.Remove()
		box, err := b.Runtime.CreateSandbox(t.Context(), c.Spec)
		if err != nil {
			t.Fatal(err)
		}
		// Made twice, it is the same sandbox.
		if c.Box, err = b.Runtime.CreateSandbox(t.Context(), c.Spec); err != nil || c.Box != box {
			t.Fatalf("created again: %+v, %v; first %+v", c.Box, err, box)
		}
		c.end()
		c.supervise()
		if err := c.Launch(); err != nil {
			t.Fatal(err)
		}
		c.Main.Wait(0)
	}
}

func testSandboxes(t *testing.T, b *Bench) {
	one, two := b.Run(b.Describe("sleep", "100000")), b.Create(b.Describe("true"))
	want := []engine.ContainerID{one.Spec.ID, two.Spec.ID}
	slices.Sort(want)
	got, err := b.Runtime.Sandboxes(t.Context())
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("sandboxes: %v, %v; want %v", got, err, want)
	}
	// A daemon that is started anew finds them too.
	next := b.p.Open(t, b.state, b.owner)
	for _, c := range []*Container{one, two} {
		if box, err := next.FindSandbox(t.Context(), c.Spec.ID, c.Spec.Dir); err != nil || box != c.Box {
			t.Errorf("found %+v, %v; want %+v", box, err, c.Box)
		}
	}
	if _, err := next.FindSandbox(t.Context(), engine.ContainerID(engine.NewID()), b.state); engine.KindOf(err) != engine.NotFound {
		t.Errorf("a sandbox that is not there: %v", err)
	}
	two.Remove()
	if got, err = next.Sandboxes(t.Context()); err != nil || !slices.Equal(got, []engine.ContainerID{one.Spec.ID}) {
		t.Errorf("after a removal: %v, %v", got, err)
	}
}

func testRemoveRepeats(t *testing.T, b *Bench) {
	id := engine.ContainerID(engine.NewID())
	for range 2 {
		if err := b.Runtime.RemoveSandbox(t.Context(), id, b.dir(id)); err != nil {
			t.Errorf("nothing: %v", err)
		}
	}
	c := b.Run(b.Describe("sleep", "100000"))
	for range 3 {
		c.Remove()
	}
	if s := c.Main.Status(); s.Code != 137 {
		t.Errorf("removed while it ran: %+v", s)
	}
	if _, err := os.Stat(c.Spec.Root + "/bin/testbox"); err != nil {
		t.Errorf("the root is damaged: %v", err)
	}
}

func testRemoveAfterEachStep(t *testing.T, b *Bench) {
	b.Create(b.Describe("true")).Remove()

	c := b.Create(b.Describe("true"))
	if _, err := c.Runtime.Launch(t.Context(), c.Spec, c.Box); err != nil {
		t.Fatal(err)
	}
	c.Remove()

	// The supervisor is killed, and with it whoever would have told of the process.
	c = b.Run(b.Describe("forktree", "1", "2", "100000"))
	c.end()
	if err := b.p.Open(t, b.state, b.owner).RemoveSandbox(t.Context(), c.Spec.ID, c.Spec.Dir); err != nil {
		t.Errorf("remove without a supervisor: %v", err)
	}
	c.Eventually("its main process is gone", func() bool { return errors.Is(syscall.Kill(c.Main.Pid, 0), syscall.ESRCH) })

	// Its directory is lost.
	c = b.Run(b.Describe("sleep", "100000"))
	if err := os.RemoveAll(c.Spec.Dir); err != nil {
		t.Fatal(err)
	}
	c.Remove()
	c.Main.Status()

	// A cancelled request does not stop the undoing.
	c = b.Run(b.Describe("sleep", "100000"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Runtime.RemoveSandbox(ctx, c.Spec.ID, c.Spec.Dir); err != nil {
		t.Errorf("remove by a client that went away: %v", err)
	}
	c.Main.Status()
}

func testTwoOwners(t *testing.T, b *Bench) {
	other := newBench(t, b.p, b.program)
	c := b.Run(b.Describe("sleep", "100000"))
	if got, err := other.Runtime.Sandboxes(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("another daemon sees %v, %v", got, err)
	}
	if err := other.Runtime.RemoveSandbox(t.Context(), c.Spec.ID, other.dir(c.Spec.ID)); err != nil {
		t.Errorf("another daemon removes: %v", err)
	}
	if out := c.MustExec("echo", "lives"); out != "lives\n" {
		t.Errorf("after another daemon's removal: %q", out)
	}
}
