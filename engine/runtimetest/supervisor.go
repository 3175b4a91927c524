package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/pty"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim"
)

// supervisorMark in the environment makes a test binary a supervisor.
const supervisorMark = "XC_RUNTIMETEST_SUPERVISOR"

// Main runs the tests, or is a supervisor when it was started as one. It does not return.
func Main(m *testing.M, newLauncher func(*reaper.Reaper) shim.Launcher) {
	if os.Getenv(supervisorMark) == "" {
		os.Exit(m.Run())
	}
	if err := supervise(newLauncher); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// supervise serves calls on stdin and stdout until they are closed.
func supervise(newLauncher func(*reaper.Reaper) shim.Launcher) error {
	r, err := reaper.New()
	if err != nil {
		return err
	}
	s := &Supervisor{reaper: r, launcher: newLauncher(r), processes: map[int]*supervised{}}
	server := rpc.NewServer()
	if err := server.Register(s); err != nil {
		return err
	}
	server.ServeConn(struct {
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout})
	return nil
}

// Supervisor is what a shim is to one container, as far as the suite needs it. Its methods are calls of net/rpc.
type Supervisor struct {
	reaper   *reaper.Reaper
	launcher shim.Launcher

	mu        sync.Mutex
	processes map[int]*supervised
}

type supervised struct {
	*reaper.Process
	master *os.File
}

// StartCall asks for a process. Streams are names of files; an empty one is /dev/null. A terminal is read into Stdout.
type StartCall struct {
	Exec                  engine.ExecID
	Launch                engine.Launch
	Stdin, Stdout, Stderr string
}

// StartReply is a process, or why there is none.
type StartReply struct {
	Pid   int
	Error *Failure
}

// Failure is an engine.Error as it passes between the processes.
type Failure struct {
	Kind     engine.Kind
	Resource engine.Resource
	Reason   engine.Reason
	Args     []string
	Text     string
}

func failureOf(err error) *Failure {
	e := stated(err)
	if e == nil {
		return &Failure{Text: err.Error()}
	}
	f := &Failure{Kind: engine.KindOf(err), Resource: e.Resource, Reason: e.Reason, Args: e.Args}
	if e.Err != nil {
		f.Text = e.Err.Error()
	}
	return f
}

func (f *Failure) err() error {
	if f == nil {
		return nil
	}
	return &engine.Error{Kind: f.Kind, Resource: f.Resource, Reason: f.Reason, Args: f.Args, Err: errors.New(f.Text)}
}

// Start starts a process.
func (s *Supervisor) Start(c StartCall, reply *StartReply) error {
	var stdio shim.Stdio
	if !c.Launch.TTY {
		for _, o := range []struct {
			name string
			flag int
			file **os.File
		}{{c.Stdin, os.O_RDONLY, &stdio.Stdin}, {c.Stdout, os.O_WRONLY | os.O_APPEND, &stdio.Stdout}, {c.Stderr, os.O_WRONLY | os.O_APPEND, &stdio.Stderr}} {
			if o.name == "" {
				o.name = os.DevNull
			}
			f, err := os.OpenFile(o.name, o.flag, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			*o.file = f
		}
	}
	hold := s.reaper.Hold()
	defer hold.Release()
	started, err := s.launcher.Start(context.Background(), c.Exec, c.Launch, stdio)
	if err != nil {
		reply.Error = failureOf(err)
		return nil
	}
	p, err := hold.Claim(started.Pid)
	if err != nil {
		return err
	}
	if started.Master != nil {
		out, err := os.OpenFile(c.Stdout, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		go func() {
			io.Copy(out, started.Master) //nolint:errcheck // a terminal ends with an error
			out.Close()
		}()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes[started.Pid] = &supervised{p, started.Master}
	reply.Pid = started.Pid
	return nil
}

func (s *Supervisor) process(pid int) (*supervised, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.processes[pid]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("process %d is not known", pid)
}

// Wait returns when a process has ended.
func (s *Supervisor) Wait(pid int, status *engine.ExitStatus) error {
	p, err := s.process(pid)
	if err != nil {
		return err
	}
	<-p.Done()
	end := p.End()
	*status = engine.ExitStatus{Code: end.Code(), Signal: end.Signal(), At: end.At}
	return nil
}

// SignalCall asks for a signal.
type SignalCall struct{ Pid, Signal int }

// Signal sends a signal to a process.
func (s *Supervisor) Signal(c SignalCall, _ *int) error {
	p, err := s.process(c.Pid)
	if err != nil {
		return err
	}
	return p.Process.Signal(syscall.Signal(c.Signal))
}

// TerminalCall asks for a terminal's size, unless it is zero, and types a text.
type TerminalCall struct {
	Pid        int
	Rows, Cols uint16
	Text       string
}

// Terminal works on a process's terminal.
func (s *Supervisor) Terminal(c TerminalCall, _ *int) error {
	p, err := s.process(c.Pid)
	if err != nil {
		return err
	}
	if c.Rows > 0 {
		if err := pty.Resize(p.master, c.Rows, c.Cols); err != nil {
			return err
		}
	}
	_, err = p.master.WriteString(c.Text)
	return err
}

// Kill ends everything in the sandbox.
func (s *Supervisor) Kill(_ int, _ *int) error { return s.launcher.Kill(context.Background()) }
