package runner

import (
	"context"
	"errors"
	"os/exec"
	"strings"
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
