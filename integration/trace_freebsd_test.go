package integration

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestTrace: xc trace shows the system calls of a container's programs as they happen, by dwatch(1), and ends with its user.
func TestTrace(t *testing.T) {
	if _, err := exec.LookPath("dwatch"); err != nil {
		t.Skip("needs dwatch(1)")
	}
	e := start(t)
	e.must("run", "-d", "--name", "box", "testbox", "sleep", "1000")
	e.xcFails(1, "there is no container nosuch", "trace", "nosuch")
	e.xcFails(1, "no module named", "trace", "box", "--", "-X", "nosuch")
	for _, args := range [][]string{{"trace", "box"}, {"trace", "box", "--", "-F", "syscall"}} {
		ctx, cancel := context.WithTimeout(context.Background(), kit.patience*30*time.Second)
		x := e.atTerminal(e.xcCommand(ctx, args...), cancel)
		x.expect("Watching 'syscall:::'")
		calls := make(chan struct{})
		called := make(chan struct{})
		go func() {
			defer close(called)
			for {
				select {
				case <-calls:
					return
				case <-time.After(100 * time.Millisecond):
					e.docker("exec", "box", "cat", "/etc/hosts")
				}
			}
		}()
		x.expect("testbox[") // the name and number of the process
		close(calls)
		<-called
		x.types(ctrlC)
		x.ends()
	}
	if out, err := output("pgrep", "-lf", "dwatch|dtrace"); err == nil {
		t.Errorf("still traces: %s", strings.TrimSpace(out))
	}
}
