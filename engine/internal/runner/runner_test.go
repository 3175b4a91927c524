package runner

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	res, err := Host{}.Run(t.Context(), Cmd{Argv: []string{"sh", "-c", `cat; echo "$1" >&2`, "sh", "a b; c"}, Stdin: "in"})
	if err != nil || res.Stdout != "in" || res.Stderr != "a b; c\n" {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestErrorsAreTyped(t *testing.T) {
	_, err := Host{}.Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "echo why >&2; exit 3"}})
	var e *Error
	if !errors.As(err, &e) || e.Code != 3 || !strings.Contains(err.Error(), "why") {
		t.Errorf("got %v", err)
	}
	if _, err := (Host{}).Run(t.Context(), Cmd{Argv: []string{"no-such-tool-here"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestTheContextEndsIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := (Host{}).Run(ctx, Cmd{Argv: []string{"sleep", "60"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestTheContextEndsItsChildren(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	pid := make(chan int, 1)
	file := filepath.Join(t.TempDir(), "pid")
	go func() {
		defer cancel()
		for range 1000 {
			text, _ := os.ReadFile(file)
			if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				pid <- n
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	_, err := Host{}.Run(ctx, Cmd{Argv: []string{"sh", "-c", `sleep 600 & echo $! >"$1.new"; mv "$1.new" "$1"; wait`, "sh", file}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	child := <-pid
	for range 1000 {
		if errors.Is(syscall.Kill(child, 0), syscall.ESRCH) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("its child %d lives on", child)
}
