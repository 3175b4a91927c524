package integration

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A shutdown of the host ends containers as their own stop signal and timeout say, and policies bring them back.
func TestShutdownAndBoot(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "--name", "always", "--restart", "always", "testbox", "sleep", "1000")
	e.must("run", "-d", "--name", "plain", "testbox", "sleep", "1000")
	e.must("run", "-d", "--name", "stopped", "--restart", "unless-stopped", "testbox", "sleep", "1000")
	e.must("stop", "-t", "0", "stopped")

	xcd := filepath.Join(kit.bin, "xcd")
	state := filepath.Join(e.dir, "s")
	if out, err := output(xcd, "shutdown", "--state-dir", state); err == nil || !strings.Contains(out, "another daemon uses") {
		t.Errorf("under a daemon that runs: %v\n%s", err, out)
	}
	e.kill(syscall.SIGTERM)
	if out, err := output(xcd, "shutdown", "--state-dir", state, "--timeout", "20s"); err != nil {
		t.Fatalf("shutdown: %v\n%s", err, out)
	}
	if left := leftovers(t, e.dir, e.owner()); len(left) > 0 {
		t.Errorf("after the shutdown there is:\n%s", strings.Join(left, "\n"))
	}
	if out, err := output(xcd, "shutdown", "--state-dir", state); err != nil {
		t.Errorf("a second time: %v\n%s", err, out)
	}
	if out, err := output(xcd, "shutdown", "--state-dir", filepath.Join(e.dir, "never")); err != nil {
		t.Errorf("where no daemon ran: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(e.dir, "never")); err == nil {
		t.Error("it made a state directory")
	}
	e.boot()
	eventually(t, "the restart policy is followed", func() bool {
		return e.must("ps", "--format", "{{.Names}}") == "always"
	})
}

// A supervisor that goes first, as daemon(8) does, takes the daemon's standard error with it: the daemon ends in order
// all the same.
func TestEndsWithoutItsLog(t *testing.T) {
	e := start(t)
	e.kill(syscall.SIGTERM)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(kit.bin, "xcd"), "-D", "--state-dir", filepath.Join(e.dir, "s"), "-H", e.host, "--socket", filepath.Join(e.dir, "x.sock"))
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for lines := bufio.NewScanner(r); lines.Scan() && !strings.Contains(lines.Text(), "msg=ready"); {
	}
	r.Close()
	e.must("run", "--rm", "testbox", "true") // requests are logged
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the daemon ended with: %v", err)
		}
	case <-time.After(kit.patience * 30 * time.Second):
		t.Error("the daemon does not end")
		cmd.Process.Kill()
		<-ended
	}
	if _, err := os.Stat(filepath.Join(e.dir, "d.sock")); err == nil {
		t.Error("its socket is still there")
	}
}
