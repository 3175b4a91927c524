package shim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs/jsonfile"
	"github.com/xcengine/xc/engine/platform/pty"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim"
)

// The test binary is the shim, too, when it is called by this name.
const shimName = "xc-shim-under-test"

func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == shimName:
		if err := serve(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case os.Getenv(daemonEnv) != "":
		os.Exit(daemon(os.Getenv(daemonEnv)))
	}
	os.Exit(m.Run())
}

func serve(dir string) error {
	r, err := reaper.New()
	if err != nil {
		return err
	}
	return shim.Serve(context.Background(), shim.ServerConfig{
		Dir: dir, Launcher: &plain{reaper: r}, Reaper: r, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		OpenLog: func(f engine.LogFile) (shim.Log, error) {
			w, err := jsonfile.Open(f)
			if err != nil {
				return nil, err
			}
			return w, nil
		},
	})
}

// plain starts processes without isolation. What is in its sandbox are their process groups.
type plain struct {
	reaper *reaper.Reaper
	mu     sync.Mutex
	groups []int
}

// program is what its launches carry.
type program struct {
	Args []string
}

func launch(args ...string) engine.Launch {
	b, err := json.Marshal(program{args})
	if err != nil {
		panic(err)
	}
	return engine.Launch{Platform: "plain", Payload: b}
}

func sh(script string) engine.Launch { return launch("sh", "-c", script) }

func (*plain) Platform() string { return "plain" }

func (p *plain) Start(_ context.Context, _ engine.ExecID, l engine.Launch, stdio shim.Stdio) (shim.Started, error) {
	var prog program
	if err := json.Unmarshal(l.Payload, &prog); err != nil {
		return shim.Started{}, err
	}
	path, err := exec.LookPath(prog.Args[0])
	if err != nil {
		return shim.Started{}, refusal(prog.Args[0], err)
	}
	c := reaper.Command{
		Path: path, Args: prog.Args, Stdin: stdio.Stdin, Stdout: stdio.Stdout, Stderr: stdio.Stderr,
		Sys: &syscall.SysProcAttr{Setsid: true},
	}
	var s shim.Started
	if l.TTY {
		master, terminal, err := pty.Open()
		if err != nil {
			return s, err
		}
		defer terminal.Close()
		s.Master = master
		if l.Size != [2]uint16{} {
			_ = pty.Resize(master, l.Size[0], l.Size[1])
		}
		c.Stdin, c.Stdout, c.Stderr = terminal, terminal, terminal
		c.Sys.Setctty = true
	}
	child, err := p.reaper.Start(c)
	if err != nil {
		return shim.Started{}, refusal(prog.Args[0], err)
	}
	s.Pid = child.Pid()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups = append(p.groups, s.Pid)
	return s, nil
}

func refusal(what string, err error) error {
	reason := engine.ReasonExecNotFound
	if errors.Is(err, fs.ErrPermission) {
		reason = engine.ReasonExecDenied
	}
	return &engine.Error{Op: "start", Kind: engine.Invalid, Resource: engine.ResourceContainer, Reason: reason, Args: []string{what}, Err: err}
}

func (p *plain) Kill(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, g := range p.groups {
		if err := syscall.Kill(-g, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
