package initproc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine/platform/reaper"
)

// ChainVariable holds a Chain as JSON. Programs do not get it, and arguments would show what is in it to everybody.
const ChainVariable = "XC_CHAIN"

// Chain is what this process runs: programs one after the other, then the main one, then others. How those before and after end
// decides nothing; it is told on stderr. One that takes too long is killed with its process group. What a program put into the background lives on.
//
// A signal that asks for an end while those before main run ends the one that runs; main is left out then, those after it are not.
type Chain struct {
	Before []Step `json:",omitempty"`
	Main   Step
	After  []Step `json:",omitempty"`
	// All waits for the last process that main left behind. On Linux nobody can tell those from what the programs before it
	// left.
	All bool `json:",omitempty"`
	// Persist waits for a signal that asks for an end before what comes after main.
	Persist bool `json:",omitempty"`
}

// Step is one program.
type Step struct {
	Args    []string
	Env     []string      `json:",omitempty"` // nil: this process's own
	Dir     string        `json:",omitempty"` // empty: this process's own
	User    *User         `json:",omitempty"` // nil: this process's own
	Timeout time.Duration `json:",omitempty"` // 0: as long as it likes
}

// User is an identity by numbers.
type User struct {
	UID, GID uint32
	Groups   []uint32 `json:",omitempty"`
}

// takeChain reads the chain from the environment, from which it is gone then.
func takeChain() (c Chain, err error) {
	if text, there := os.LookupEnv(ChainVariable); there {
		err = errors.Join(json.Unmarshal([]byte(text), &c), os.Unsetenv(ChainVariable))
	}
	return c, err
}

// ends are the signals that ask for an end.
var ends = []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}

// supervisor is this process at work.
type supervisor struct {
	reaper  *reaper.Reaper
	signals chan os.Signal
	stderr  io.Writer
	asked   syscall.Signal // that asked for an end, 0 before
}

// Run runs the chain and returns main's exit code. It takes all signals of this process, and is called once in it.
func (c Chain) Run(stderr io.Writer) int {
	r, err := reaper.New()
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", Name, err)
		return 1
	}
	// Before any program runs: a signal that comes at once is its.
	s := &supervisor{reaper: r, signals: make(chan os.Signal, 64), stderr: stderr}
	signal.Notify(s.signals)
	defer signal.Stop(s.signals)
	for _, step := range c.Before {
		if s.aside(step); s.asked != 0 {
			break
		}
	}
	code := 128 + int(s.asked)
	if s.asked == 0 {
		code = s.main(c.Main, c.All)
	}
	for c.Persist && s.asked == 0 {
		s.note(<-s.signals)
	}
	for _, step := range c.After {
		s.aside(step)
	}
	return code
}

// note takes a signal and returns what is to be passed on, 0 for nothing.
func (s *supervisor) note(sig os.Signal) syscall.Signal {
	n, ok := sig.(syscall.Signal)
	if !ok || slices.Contains(kept, sig) {
		return 0
	}
	if slices.Contains(ends, n) {
		s.asked = n
	}
	return n
}

// main runs the main program, and with all waits for those it left behind.
func (s *supervisor) main(step Step, all bool) int {
	p, err := s.start(step)
	if err != nil {
		s.say("exec %s failed: %v", step.Args[0], cause(err))
		return failure(err)
	}
	ended, rest := p.Done(), make(chan error, 1)
	for {
		select {
		case sig := <-s.signals:
			n := s.note(sig)
			if n == 0 {
				continue
			}
			if p.Signal(n) != nil && ended == nil {
				s.reaper.SignalTree(p.Pid(), n) //nolint:errcheck // they may have ended just now
			}
		case <-ended:
			if !all {
				return p.End().Code()
			}
			ended = nil
			go func() { rest <- s.reaper.WaitTree(context.Background(), p.Pid()) }()
		case err := <-rest:
			if err != nil {
				s.say("%v", err)
			}
			return p.End().Code()
		}
	}
}

// aside runs a program that is not main.
func (s *supervisor) aside(step Step) {
	p, err := s.start(step)
	if err != nil {
		s.say("exec %s failed: %v", step.Args[0], cause(err))
		return
	}
	var over <-chan time.Time
	if step.Timeout > 0 {
		t := time.NewTimer(step.Timeout)
		defer t.Stop()
		over = t.C
	}
	for {
		select {
		case sig := <-s.signals:
			if n := s.note(sig); n != 0 {
				p.Signal(n) //nolint:errcheck // it may have ended just now
			}
		case <-over:
			s.say("%s took longer than %v and is killed", step.Args[0], step.Timeout)
			if p.Signal(syscall.SIGKILL) == nil {
				syscall.Kill(-p.Pid(), syscall.SIGKILL) //nolint:errcheck // its group; it may have been alone
			}
		case <-p.Done():
			if code := p.End().Code(); code != 0 {
				s.say("%s ended with exit code %d", step.Args[0], code)
			}
			return
		}
	}
}

func (s *supervisor) say(format string, args ...any) {
	fmt.Fprintf(s.stderr, Name+": "+format+"\n", args...)
}

func (s *supervisor) start(step Step) (*reaper.Process, error) {
	path, err := find(step.Args[0], step.Env)
	if err != nil {
		return nil, err
	}
	sys := attributes()
	if u := step.User; u != nil {
		sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	return s.reaper.Start(reaper.Command{
		Path: path, Args: step.Args, Env: step.Env, Dir: step.Dir, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Sys: sys,
	})
}

// find looks a program up by the PATH that it will have.
func find(word string, env []string) (string, error) {
	if env == nil || strings.Contains(word, "/") {
		path, err := exec.LookPath(word)
		if errors.Is(err, exec.ErrDot) {
			err = nil
		}
		return path, err
	}
	err := error(&exec.Error{Name: word, Err: exec.ErrNotFound})
	for _, kv := range env {
		list, isPath := strings.CutPrefix(kv, "PATH=")
		if !isPath {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			path, failed := exec.LookPath(filepath.Join("/", dir, word))
			if failed == nil {
				return path, nil
			}
			if errors.Is(failed, os.ErrPermission) {
				err = failed
			}
		}
	}
	return "", err
}
