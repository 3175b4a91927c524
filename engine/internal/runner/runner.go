// Package runner executes the host's tools, for drivers whose stable interface is a command. Arguments are values, never a
// line that a shell reads.
package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// waitDelay is how long the pipes of a tool that ended or was cancelled may stay open: on a busy host what it wrote takes a
// while to be read.
const waitDelay = 10 * time.Second

// Cmd is one call of a tool.
type Cmd struct {
	Argv  []string
	Stdin string
	Env   []string // in place of the daemon's own; nil keeps that
}

// Result is what a tool said.
type Result struct {
	Stdout, Stderr string
}

// Runner executes commands. Tests bring their own.
type Runner interface {
	Run(ctx context.Context, c Cmd) (Result, error)
}

// Error is a tool that failed or could not be started.
type Error struct {
	Argv   []string
	Code   int // exit code; -1 when it was killed or not started
	Stderr string
	Err    error
}

// Error names the tool, what it said and how it ended.
func (e *Error) Error() string {
	said := strings.TrimSpace(e.Stderr)
	if said == "" {
		return fmt.Sprintf("%s: %v", strings.Join(e.Argv, " "), e.Err)
	}
	return fmt.Sprintf("%s: %s (%v)", strings.Join(e.Argv, " "), said, e.Err)
}

// Unwrap returns the cause: exec.ErrNotFound, an *exec.ExitError or the context's error.
func (e *Error) Unwrap() error { return e.Err }

// Host executes commands on this host.
type Host struct{}

// Run executes c and waits for it. The error is an *Error. The end of ctx kills the tool and what it started.
func (Host) Run(ctx context.Context, c Cmd) (Result, error) {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.WaitDelay = &out, &errs, c.Env, waitDelay
	if c.Stdin != "" {
		cmd.Stdin = strings.NewReader(c.Stdin)
	}
	// A tool's own children end with it: git leaves to one of them what takes long.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	res := Result{out.String(), errs.String()}
	if err == nil {
		return res, nil
	}
	code := -1
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return res, &Error{Argv: c.Argv, Code: code, Stderr: res.Stderr, Err: err}
}
