package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// runs is how often something is done, unless XC_RUNS says it.
func runs(t *testing.T, usual int) int {
	t.Helper()
	s := os.Getenv("XC_RUNS")
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRunsInSequence runs one container after the other and looks at what the daemon keeps of them: nothing. XC_RUNS sets
// their number.
func TestRunsInSequence(t *testing.T) {
	e := start(t)
	n := runs(t, 100)
	c := e.client()
	for range 30 { // until pools and caches are filled
		runOnce(t, c)
	}
	footprint, holds, resident := e.footprint(), e.holds(), e.resident()
	begun := time.Now()
	for range n {
		runOnce(t, c)
	}
	took := time.Since(begun)
	e.asBefore(footprint)
	e.holdsNoMore(holds)
	if zombies := e.zombies(); len(zombies) > 0 {
		t.Errorf("children that nobody waited for: %v", zombies)
	}
	now := e.resident()
	t.Logf("%d runs, %v each; resident %d KiB before, %d KiB after", n, (took / time.Duration(n)).Round(time.Millisecond), resident>>10, now>>10)
	if now > resident+8<<20 {
		t.Errorf("the daemon grew from %d to %d KiB", resident>>10, now>>10)
	}
}

// runOnce does what "docker run --rm" does, by the Go client.
func runOnce(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	defer cancel()
	made, err := c.ContainerCreate(ctx, &container.Config{Image: "testbox", Cmd: []string{"echo", "hello"}, AttachStdout: true, AttachStderr: true},
		&container.HostConfig{AutoRemove: true}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.ContainerAttach(ctx, made.ID, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ended, failed := c.ContainerWait(ctx, made.ID, container.WaitConditionRemoved)
	if err := c.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, io.Discard, a.Reader); err != nil || out.String() != "hello\n" {
		t.Fatalf("output %q %v", out.String(), err)
	}
	select {
	case r := <-ended:
		if r.StatusCode != 0 {
			t.Fatalf("exit code %d", r.StatusCode)
		}
	case err := <-failed:
		t.Fatal(err)
	}
}

// ps gives columns of a process table, of one process or of the children of one.
func (e *engine) ps(args ...string) string {
	e.t.Helper()
	out, err := output("ps", args...)
	if err != nil && out != "" {
		e.t.Fatalf("ps: %v\n%s", err, out)
	}
	return out
}

// resident is the memory that the daemon's process takes, in bytes.
func (e *engine) resident() int {
	e.t.Helper()
	out := strings.TrimSpace(e.ps("-o", "rss=", "-p", fmt.Sprint(e.cmd.Process.Pid)))
	kib, err := strconv.Atoi(out)
	if err != nil {
		e.t.Fatal(err)
	}
	return kib << 10
}

// zombies lists the daemon's children that ended and were not waited for.
func (e *engine) zombies() []string {
	e.t.Helper()
	var found []string
	for line := range strings.Lines(e.ps("-A", "-o", "ppid=,stat=,command=")) {
		f := strings.Fields(line)
		if len(f) > 1 && f[0] == fmt.Sprint(e.cmd.Process.Pid) && strings.HasPrefix(f[1], "Z") {
			found = append(found, line)
		}
	}
	return found
}
