package integration

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// follower is a docker command that runs on beside the test.
type follower struct {
	cmd   *exec.Cmd
	lines chan string // closed at the end of its output
}

// follow starts a docker command and gives its output by lines.
func (e *engine) follow(args ...string) *follower {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{cmd: e.command(ctx, args...), lines: make(chan string, 10_000)}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(f.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			f.lines <- s.Text()
		}
		f.cmd.Wait() //nolint:errcheck // it is killed by some tests
	}()
	e.t.Cleanup(func() { cancel(); <-done })
	return f
}

// counted checks that numbered lines begin at 1 and lack none.
func counted(t testing.TB, what, text string) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(text) {
		if n++; line != fmt.Sprintf("line %d\n", n) {
			t.Errorf("%s: line %d is %q", what, n, line)
			return n
		}
	}
	return n
}

// TestTwentyContainersOutliveTheDaemon kills the daemon while containers of all kinds run, and has the next one go on with them.
func TestTwentyContainersOutliveTheDaemon(t *testing.T) {
	e := start(t)
	pause := fmt.Sprint(0.01 * float64(kit.patience)) // ten that count at once leave a slow machine nothing else
	for i := range 10 {
		e.must("run", "-d", "--name", fmt.Sprint("count", i), "testbox", "lines", "1000000", pause)
	}
	ending := map[string][]string{ // the containers that end while no daemon is there
		"ends40": {"run", "-d", "--name", "ends40", "testbox", "signals", "40"},
		"ends41": {"run", "-d", "--name", "ends41", "-t", "testbox", "signals", "41"},
		"again":  {"run", "-d", "--name", "again", "--restart", "always", "testbox", "signals", "5"},
		"often":  {"run", "-d", "--name", "often", "--restart", "on-failure:2", "testbox", "signals", "6"},
		"own":    {"run", "-d", "--name", "own", "--rm", "-v", "/anon", "testbox", "signals", "7"},
	}
	for _, args := range ending {
		e.must(args...)
	}
	e.must("run", "-d", "--name", "web", "-p", "127.0.0.1::80", "-p", "80/udp", "testbox", "httpd", ":80")
	e.must("run", "-d", "-i", "--name", "in", "testbox", "cat")
	e.must("run", "-d", "--name", "sig", "testbox", "signals", "9")
	e.must("run", "-d", "--name", "frozen", "testbox", "signals", "8")
	if canPause {
		eventually(t, "ready", func() bool { return strings.HasPrefix(e.must("logs", "frozen"), "ready") })
		e.must("pause", "frozen")
	}
	port := e.must("port", "web", "80/tcp")
	httpGet(t, "http://"+port+"/")
	pids := map[string]int{}
	for name := range ending {
		eventually(t, "ready", func() bool { return strings.HasPrefix(e.must("logs", name), "ready") })
		pid, err := strconv.Atoi(e.must("inspect", "-f", "{{.State.Pid}}", name))
		if err != nil {
			t.Fatal(err)
		}
		pids[name] = pid
	}

	e.kill(syscall.SIGKILL)
	if _, err := (&http.Client{Timeout: kit.patience * 2 * time.Second}).Get("http://" + port + "/"); err != nil {
		t.Errorf("the published port without a daemon: %v", err)
	}
	for name, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Errorf("end %s: %v", name, err)
		}
	}
	for _, pid := range pids {
		eventually(t, "an end", func() bool { return syscall.Kill(pid, 0) != nil })
	}
	begun := time.Now()
	e.boot()
	t.Logf("up again in %v", time.Since(begun).Round(time.Millisecond))

	if got := len(strings.Fields(e.must("ps", "-q"))); got < 14 {
		t.Errorf("%d containers run", got)
	}
	for _, code := range []string{"40", "41"} {
		if got := e.must("wait", "ends"+code); got != code {
			t.Errorf("wait of ends%s gave %s", code, got)
		}
	}
	e.runsOn(port)
	e.endsAsItShould()
}

// runsOn checks everything that can be asked of containers that a daemon took up.
func (e *engine) runsOn(port string) {
	t := e.t
	httpGet(t, "http://"+port+"/")
	if got := e.must("port", "web", "80/tcp"); got != port {
		t.Errorf("port %s, was %s", got, port)
	}
	for i := range 10 {
		name := fmt.Sprint("count", i)
		f := e.follow("logs", "-f", name)
		for n := 1; n <= 100; n++ {
			line, ok := <-f.lines
			if want := fmt.Sprintf("line %d", n); !ok || line != want {
				t.Errorf("logs -f of %s: %q, want %q", name, line, want)
				break
			}
		}
		f.cmd.Process.Kill() //nolint:errcheck // it may have ended
		if got := e.must("exec", name, "echo", "in", name); got != "in "+name {
			t.Errorf("exec gave %q", got)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := e.command(ctx, "attach", "in")
	in, err := a.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := a.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(in, "hello\n")
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "hello\n" {
		t.Errorf("attach gave %q %v", line, err)
	}
	cancel()
	a.Wait() //nolint:errcheck // it was killed
	if got := e.must("top", "in"); !strings.Contains(got, "cat") {
		t.Errorf("top gave %q", got)
	}
	if got := e.must("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "sig"); !strings.HasPrefix(got, "sig ") || got == "sig 0" {
		t.Errorf("stats gave %q", got)
	}
}

// endsAsItShould checks the ends: those that came while no daemon was there, and those that follow.
func (e *engine) endsAsItShould() {
	t := e.t
	e.must("stop", "sig", "count0")
	if got := e.state("sig"); got != "exited 9" {
		t.Errorf("after stop: %s", got)
	}
	if n := counted(t, "logs of count0", e.must("logs", "count0")+"\n"); n < 100 {
		t.Errorf("%d lines", n)
	}
	if got := e.state("frozen"); canPause && got != "paused 0" {
		t.Errorf("paused before the kill, now %s", got)
	}
	e.must("stop", "frozen")
	if got := e.state("frozen"); got != "exited 8" {
		t.Errorf("after its stop: %s", got)
	}
	eventually(t, "the restart by policy", func() bool { return e.state("again") == "running 0" })
	if got := e.must("inspect", "-f", "{{.RestartCount}}", "again"); got == "0" {
		t.Error("no restart is counted")
	}
	eventually(t, "the restart after a failure", func() bool { return e.state("often") == "running 0" })
	eventually(t, "the removal of own", func() bool { return !strings.Contains(e.must("ps", "-a", "--format", "{{.Names}}"), "own") })
	if got := e.must("volume", "ls", "-q"); got != "" {
		t.Errorf("volumes: %s", got)
	}
}

// TestTermLeavesContainersRunning ends the daemon in order, which containers and a client's log do not notice.
func TestTermLeavesContainersRunning(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "--name", "count", "testbox", "lines", "1000000", "0.001")
	e.must("run", "-d", "-it", "--name", "tty", "testbox", "sh", "-c", "cat")
	pid := e.must("inspect", "-f", "{{.State.Pid}}", "count")
	e.kill(syscall.SIGTERM)
	if code := e.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ended with %d", code)
	}
	e.boot()
	if got := e.must("inspect", "-f", "{{.State.Pid}} {{.State.Status}}", "count"); got != pid+" running" {
		t.Errorf("now %s, was %s", got, pid)
	}
	e.must("kill", "count")
	if got := e.must("wait", "count"); got != "137" {
		t.Errorf("wait gave %s", got)
	}
	counted(t, "logs", e.must("logs", "count")+"\n")
	e.must("restart", "-t", "0", "tty")
}
