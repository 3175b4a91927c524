package initproc

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
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
