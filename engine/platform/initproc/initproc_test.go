package initproc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be docker-init.
func TestMain(m *testing.M) {
	if os.Args[0] == Name {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := exec.CommandContext(t.Context(), self)
	c.Args = append([]string{Name}, args...)
	c.Stdout, c.Stderr = &out, &out
	return c, &out
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file, text := filepath.Join(dir, "file"), filepath.Join(dir, "text")
	for name, mode := range map[string]os.FileMode{file: 0o644, text: 0o755} {
		if err := os.WriteFile(name, []byte("no program"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"version", []string{"--version"}, 0, "docker-init"},
		{"code", []string{"--", "sh", "-c", "exit 7"}, 7, ""},
		{"without the dashes", []string{"sh", "-c", "exit 7"}, 7, ""},
		{"signal", []string{"--", "sh", "-c", "kill -9 $$"}, 137, ""},
		{"the program's own options", []string{"--", "sh", "-c", "echo $1", "sh", "--version"}, 0, "--version\n"},
		{"no such program", []string{"--", "nosuch-program"}, 127, "exec nosuch-program failed: executable file not found in $PATH"},
		{"no such file", []string{"--", "/nosuch"}, 127, "exec /nosuch failed: no such file or directory"},
		{"not executable", []string{"--", file}, 126, "permission denied"},
		{"not a program", []string{"--", text}, 126, "exec format error"},
		{"directory", []string{"--", dir}, 126, "failed"},
		{"nothing", nil, 2, "no program"},
		{"unknown option", []string{"--foo", "true"}, 2, "unknown option"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, out := command(t, tc.args...)
			c.Run() //nolint:errcheck // the code is looked at
			if got := c.ProcessState.ExitCode(); got != tc.code || !strings.Contains(out.String(), tc.text) {
				t.Errorf("exit code %d, output %q; want %d and %q", got, out, tc.code, tc.text)
			}
		})
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	c, out := command(t, "--", "sh", "-c", "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	line := make([]byte, 64)
	if n, err := r.Read(line); err != nil || string(line[:n]) != "ready\n" {
		t.Fatalf("read %q: %v", line[:n], err)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n, err := r.Read(line)
	if err != nil || string(line[:n]) != "got it\n" {
		t.Errorf("read %q: %v", line[:n], err)
	}
	c.Wait() //nolint:errcheck // the code is looked at
	if got := c.ProcessState.ExitCode(); got != 3 {
		t.Errorf("exit code %d: %s", got, out)
	}
}

func TestWaitForAll(t *testing.T) {
	script := "(sleep 0.3; echo last >&2) & exit 5"
	for _, tc := range []struct {
		flags []string
		waits bool
	}{{[]string{"--"}, false}, {[]string{"--wait-for-all", "--"}, true}} {
		c, out := command(t, append(tc.flags, "sh", "-c", script)...)
		start := time.Now()
		c.WaitDelay = time.Millisecond
		if !tc.waits {
			c.Stdout, c.Stderr = nil, nil
		}
		c.Run() //nolint:errcheck // the code is looked at
		if got := c.ProcessState.ExitCode(); got != 5 {
			t.Errorf("%v: exit code %d: %s", tc.flags, got, out)
		}
		if waited := time.Since(start) > 290*time.Millisecond; waited != tc.waits {
			t.Errorf("%v: took %v", tc.flags, time.Since(start))
		}
	}
}

func chain(t *testing.T, c Chain, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd, out := command(t, args...)
	cmd.Env = append(os.Environ(), ChainVariable+"="+string(b))
	return cmd, out
}

func shell(script string) Step {
	return Step{Args: []string{"sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH"), "OWN=1"}}
}

func TestChain(t *testing.T) {
	dir := t.TempDir()
	inDir, hanging := shell("pwd; env | grep -c XC_CHAIN; exit 3"), shell("sleep 100")
	inDir.Dir, hanging.Timeout = dir, 10*time.Millisecond
	for name, tc := range map[string]struct {
		chain Chain
		args  []string
		code  int
		out   string
	}{
		"in order": {Chain{Before: []Step{shell("echo 1 $OWN"), shell("echo 2")}, After: []Step{shell("echo 4")}}, []string{"--", "sh", "-c", "echo 3 $OWN; exit 5"}, 5, "1 1\n2\n3\n4\n"},
		"how they end": {
			Chain{Before: []Step{inDir, hanging, {Args: []string{"nosuch"}, Env: []string{"PATH=/bin"}}}, After: []Step{{Args: []string{"/nosuch"}}}},
			[]string{"true"},
			0,
			dir + "\n0\ndocker-init: sh ended with exit code 3\ndocker-init: sh took longer than 10ms and is killed\ndocker-init: sh ended with exit code 137\n" +
				"docker-init: exec nosuch failed: executable file not found in $PATH\ndocker-init: exec /nosuch failed: no such file or directory\n",
		},
		"main cannot be run": {Chain{After: []Step{shell("echo after")}}, []string{"/nosuch"}, 127, "docker-init: exec /nosuch failed: no such file or directory\nafter\n"},
		"a daemon goes on":   {Chain{Before: []Step{shell("(sleep 0.2; echo daemon) & echo begun")}}, []string{"sh", "-c", "sleep 0.5; echo main"}, 0, "begun\ndaemon\nmain\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c, out := chain(t, tc.chain, tc.args...)
			c.Run() //nolint:errcheck // the code is looked at
			if got := c.ProcessState.ExitCode(); got != tc.code || out.String() != tc.out {
				t.Errorf("exit code %d, want %d; output\n%swant\n%s", got, tc.code, out, tc.out)
			}
		})
	}
	c, out := command(t, "true")
	c.Env = append(os.Environ(), ChainVariable+"={")
	c.Run() //nolint:errcheck // the code is looked at
	if got := c.ProcessState.ExitCode(); got != 2 || !strings.Contains(out.String(), ChainVariable) {
		t.Errorf("a broken chain: %d %s", got, out)
	}
}

func awaitEnd(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); syscall.Kill(n, 0) != syscall.ESRCH; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d does not end", n)
		}
	}
}

// A stop while programs before main run leaves main out; a container that persists ends by it, and what comes after is run.
func TestChainIsStopped(t *testing.T) {
	for name, tc := range map[string]struct {
		chain Chain
		args  []string
		code  int
	}{
		"before main":     {Chain{Before: []Step{shell("echo ready; exec sleep 100"), shell("echo no")}, After: []Step{shell("echo after")}}, []string{"echo", "no"}, 128 + 15},
		"after main":      {Chain{Persist: true, After: []Step{shell("echo after")}}, []string{"sh", "-c", "echo ready $$; exit 4"}, 4},
		"what it left":    {Chain{All: true, After: []Step{shell("echo after")}}, []string{"sh", "-c", "(trap 'exit 0' TERM; echo ready $$; while :; do sleep 0.01; done) & exit 6"}, 6},
		"main ends by it": {Chain{Persist: true, After: []Step{shell("echo after")}}, []string{"sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := chain(t, tc.chain, tc.args...)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			c.Stdout = w
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			lines := bufio.NewReader(r)
			line, err := lines.ReadString('\n')
			words := strings.Fields(line)
			if len(words) == 0 || words[0] != "ready" {
				t.Fatalf("read %q: %v", line, err)
			}
			for _, main := range words[1:] { // it must have ended
				awaitEnd(t, main)
			}
			if err := c.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(lines)
			if string(rest) != "after\n" || err != nil {
				t.Errorf("read %q: %v", rest, err)
			}
			c.Wait() //nolint:errcheck // the code is looked at
			if got := c.ProcessState.ExitCode(); got != tc.code {
				t.Errorf("exit code %d, want %d", got, tc.code)
			}
		})
	}
}
