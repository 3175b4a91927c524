package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestRunGivesOutputAndExitCode(t *testing.T) {
	e := start(t)
	for _, tc := range []struct {
		args []string
		out  string
		err  string
		code int
	}{
		{[]string{"testbox", "echo", "hello"}, "hello\n", "", 0},
		{[]string{"testbox", "echo", "-e", "oops"}, "", "oops\n", 0},
		{[]string{"testbox", "sh", "-c", "echo a; echo -e b; exit 3"}, "a\n", "b\n", 3},
		{[]string{"testbox", "true"}, "", "", 0},
		{[]string{"testbox", "false"}, "", "", 1},
		{[]string{"testbox", "no-such-program"}, "", `exec: "no-such-program": executable file not found in $PATH`, 127},
		{[]string{"testbox", "/etc/notexec"}, "", "permission denied", 126},
		{[]string{"--init", "testbox", "sh", "-c", "kill 9 $$"}, "", "", 137},
		{[]string{"--init", "testbox", "sh", "-c", "kill 15 $$; sleep 5"}, "", "", 143},
		{[]string{"--no-such-flag", "testbox"}, "", "unknown flag", 125},
		{[]string{"-e", "A=1", "testbox", "env", "A"}, "1\n", "", 0},
		{[]string{"-w", "/data", "testbox", "pwd"}, "/data\n", "", 0},
		{[]string{"-w", "/not/there/yet", "testbox", "pwd"}, "/not/there/yet\n", "", 0},
		{[]string{"-u", "user", "testbox", "id"}, "uid=1000 gid=1000 groups=10 1000\n", "", 0},
		{[]string{"-u", "1234:80", "testbox", "id"}, "uid=1234 gid=80 groups=80\n", "", 0},
		{[]string{"-u", "nobody-there", "testbox", "id"}, "", "unable to find user nobody-there", 125},
		{[]string{"-h", "box.example", "testbox", "hostname"}, "box.example\n", "", 0},
		{[]string{"--entrypoint", "/bin/echo", "testbox", "x", "y"}, "x y\n", "", 0},
		{[]string{"--read-only", "testbox", "touch", "/x"}, "", "read-only file system", 1},
		{[]string{"--read-only", "--tmpfs", "/t", "testbox", "touch", "/t/x"}, "", "", 0},
		{[]string{"--init", "testbox", "sh", "-c", "ps"}, firstProcess + "sh -c ps\n", "", 0},
		{[]string{"--label", "a=b", "--stop-signal", "INT", "--ulimit", "core=100:200", "testbox", "limits"}, "core 100 200\n", "", 0},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			e.t = t
			r := e.docker(append([]string{"run", "--rm"}, tc.args...)...)
			if r.code != tc.code {
				t.Errorf("exit code %d, want %d; stderr %q", r.code, tc.code, r.err)
			}
			if tc.code == 0 && !strings.Contains(r.out, tc.out) || tc.code != 0 && tc.out != "" && r.out != tc.out {
				t.Errorf("stdout %q, want %q", r.out, tc.out)
			}
			if !strings.Contains(r.err, tc.err) {
				t.Errorf("stderr %q, want %q", r.err, tc.err)
			}
		})
	}
	e.t = t
	// The client leaves with the first run's end, whatever becomes of the container.
	if r := e.feed("exit 11\n", "run", "-i", "--name", "again", "--restart", "always", "testbox", "sh"); r.code != 11 {
		t.Errorf("one that is restarted: exit code %d; stderr %q", r.code, r.err)
	}
	e.must("rm", "-f", "again")
	if left := e.must("ps", "-aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
}

func TestInputReachesTheProcess(t *testing.T) {
	e := start(t)
	text := strings.Repeat("0123456789abcde\n", 64<<10) // 1 MiB
	r := e.feed(text, "run", "--rm", "-i", "testbox", "wc")
	if want := fmt.Sprintf("%d %d\n", 64<<10, len(text)); r.out != want || r.code != 0 {
		t.Errorf("got %q and %d, want %q", r.out, r.code, want)
	}
	if r := e.feed(text, "run", "--rm", "-i", "testbox", "cat"); r.out != text {
		t.Errorf("%d bytes came back of %d", len(r.out), len(text))
	}
}

func TestLargeOutput(t *testing.T) {
	e := start(t)
	if r := e.docker("run", "--rm", "testbox", "bytes", "50000000"); len(r.out) != 50_000_000 {
		t.Errorf("%d bytes, want 50000000", len(r.out))
	}
}

func TestLifeOfAContainer(t *testing.T) {
	e := start(t)
	id := e.must("create", "--name", "web", "testbox", "signals", "0")
	if got := e.must("inspect", "-f", "{{.State.Status}}", "web"); got != "created" {
		t.Errorf("state %q", got)
	}
	e.must("start", "web")
	eventually(t, "ready", func() bool { return strings.Contains(e.must("logs", "web"), "ready") })
	if got := e.must("ps", "-q", "--no-trunc"); got != id {
		t.Errorf("ps shows %q, want %q", got, id)
	}
	e.must("kill", "-s", "USR1", "web")
	eventually(t, "the signal", func() bool { return strings.Contains(e.must("logs", "web"), "got SIGUSR1") })
	if canPause {
		e.must("pause", "web")
		e.fails(1, "is paused", "exec", "web", "true")
		e.must("unpause", "web")
	} else {
		e.fails(1, "pausing a container", "pause", "web")
	}
	e.must("rename", "web", "site")
	e.must("stop", "site")
	if got := e.must("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "site"); got != "exited 0" {
		t.Errorf("after stop: %q", got)
	}
	e.must("start", "site")
	e.fails(1, "container is running: stop the container before removing or force remove", "rm", "site")
	e.must("restart", "-t", "1", "site")
	e.must("rm", "-f", "site")
	e.fails(1, "No such container: site", "start", "site")
}

func TestExec(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "--name", "c1", "-e", "A=main", "testbox", "sleep", "1000")
	for _, tc := range []struct {
		args []string
		out  string
		code int
	}{
		{[]string{"c1", "echo", "hi"}, "hi\n", 0},
		{[]string{"c1", "sh", "-c", "exit 5"}, "", 5},
		{[]string{"c1", "env", "A"}, "main\n", 0},
		{[]string{"-e", "A=exec", "c1", "env", "A"}, "exec\n", 0},
		{[]string{"-w", "/data", "-u", "www", "c1", "pwd"}, "/data\n", 0},
		{[]string{"c1", "no-such-program"}, "", 127},
		{[]string{"c1", "/etc/notexec"}, "", 126},
	} {
		if r := e.docker(append([]string{"exec"}, tc.args...)...); r.code != tc.code || tc.code == 0 && r.out != tc.out {
			t.Errorf("exec %v: %d %q %q, want %d %q", tc.args, r.code, r.out, r.err, tc.code, tc.out)
		}
	}
	e.fails(1, "unable to find user nobody-there: no matching entries in passwd file", "exec", "-u", "nobody-there", "c1", "true")
	e.fails(1, "unable to find group no-group: no matching entries in group file", "exec", "-u", "0:no-group", "c1", "true")
	if r := e.feed("through", "exec", "-i", "c1", "cat"); r.out != "through" {
		t.Errorf("exec -i cat gave %q", r.out)
	}
}

func TestFiftyAtOnce(t *testing.T) {
	e := start(t)
	failures := make(chan string, 50)
	for i := range 50 {
		go func() {
			r := e.docker("run", "--rm", "testbox", "echo", fmt.Sprint(i))
			if r.code != 0 || r.out != fmt.Sprintln(i) {
				failures <- fmt.Sprintf("run %d: %d %q %q", i, r.code, r.out, r.err)
				return
			}
			failures <- ""
		}()
	}
	for range 50 {
		if f := <-failures; f != "" {
			t.Error(f)
		}
	}
	if left := e.must("ps", "-aq"); left != "" {
		t.Errorf("left: %s", left)
	}
}

// Every runtime that the daemon tells of runs what asks for it, and is shown with it.
func TestRuntimesOfInfo(t *testing.T) {
	e := start(t)
	names := strings.Fields(e.must("info", "--format", "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}"))
	if chosen := strings.TrimSpace(e.must("info", "--format", "{{.DefaultRuntime}}")); !slices.Contains(names, chosen) {
		t.Errorf("the runtimes %q are without %q", names, chosen)
	}
	for _, name := range names {
		e.must("run", "--name", name, "--runtime", name, "--network", "none", "testbox", "true")
		if got := strings.TrimSpace(e.must("inspect", "--format", "{{.HostConfig.Runtime}}", name)); got != name {
			t.Errorf("%s is shown as %s", name, got)
		}
	}
	if r := e.docker("run", "--rm", "--runtime", "nosuch", "testbox", "true"); r.code != 125 || !strings.Contains(r.err, "unknown or invalid runtime name: nosuch") {
		t.Errorf("exit code %d and %q", r.code, r.err)
	}
}
