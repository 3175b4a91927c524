package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
	"github.com/xcengine/xc/engine/platform/pty"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim"
)

// Launcher implements shim.Launcher for the processes of one container.
type Launcher struct {
	reaper *reaper.Reaper

	mu     sync.Mutex
	groups []string // the container's control group, known from its first process on
}

// New returns a launcher for a process whose children r reaps.
func New(r *reaper.Reaper) *Launcher { return &Launcher{reaper: r} }

// Platform implements shim.Launcher.
func (*Launcher) Platform() string { return Platform }

// Start implements shim.Launcher.
//
// Without a terminal the runtime itself has the process's descriptors, and says on its stderr, too, why it fails: what
// was written to the streams of a process that did not start is to be dropped.
func (l *Launcher) Start(ctx context.Context, exec engine.ExecID, el engine.Launch, stdio shim.Stdio) (shim.Started, error) {
	p, err := decode(el)
	if err != nil {
		return shim.Started{}, &engine.Error{Op: "start", Kind: engine.Internal, Err: err}
	}
	l.mu.Lock()
	l.groups = p.Cgroup
	l.mu.Unlock()
	a := attempt{payload: p, launch: el, exec: exec, name: "main"}
	if exec != "" {
		a.name = exec.Short()
	}
	started, err := a.run(ctx, l.reaper, stdio)
	if err != nil {
		return shim.Started{}, a.described(err)
	}
	return started, nil
}

// Kill implements shim.Launcher.
func (l *Launcher) Kill(ctx context.Context) error {
	l.mu.Lock()
	groups := l.groups
	l.mu.Unlock()
	if len(groups) == 0 {
		return nil
	}
	return cgroup.KillDirs(ctx, groups)
}

const (
	// inheritPause is how long a helper of the runtime takes to end, about, and inheritTime how long it may.
	inheritPause = 200 * time.Microsecond
	inheritTime  = 10 * time.Second
)

// attempt is the start of one process. Its files in the bundle are <name>.pid, .log, .json and .sock.
type attempt struct {
	payload Payload
	launch  engine.Launch
	exec    engine.ExecID
	name    string
}

func (a attempt) file(ext string) string { return filepath.Join(a.payload.Bundle, a.name+ext) }

// resource is what an error of this attempt is about.
func (a attempt) resource() engine.Resource {
	if a.exec != "" {
		return engine.ResourceExec
	}
	return engine.ResourceContainer
}

// described makes an engine error of any.
func (a attempt) described(err error) error {
	var e *engine.Error
	if errors.As(err, &e) {
		return err
	}
	return &engine.Error{Op: "start", Kind: engine.KindOf(err), Resource: a.resource(), ID: a.payload.ID, Err: err}
}

func (a attempt) run(ctx context.Context, r *reaper.Reaper, stdio shim.Stdio) (s shim.Started, err error) {
	// A pid of an earlier run must not be taken for this one's.
	if err := a.clean(); err != nil {
		return s, err
	}
	defer a.clean() //nolint:errcheck // the bundle goes with the container
	if len(a.payload.Process) > 0 {
		if err := os.WriteFile(a.file(".json"), a.payload.Process, 0o600); err != nil {
			return s, err
		}
	}
	c := reaper.Command{Path: a.payload.Runtime, Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}}
	if !a.launch.TTY {
		c.Stdin, c.Stdout, c.Stderr, c.Args = stdio.Stdin, stdio.Stdout, stdio.Stderr, a.args("")
		s.Pid, err = a.runtime(ctx, r, c)
		return s, err
	}
	tty, err := newConsole(a.payload.Bundle, a.name+".sock")
	if err != nil {
		return s, err
	}
	c.Args, c.Capture = a.args(tty.runtimePath()), true
	// The master is taken while the runtime runs: what it runs may ask for the size at once, and crun's exec sets none.
	var noMaster error
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		if s.Master, noMaster = tty.master(); noMaster != nil {
			return
		}
		if rows, cols := a.launch.Size[0], a.launch.Size[1]; rows > 0 && cols > 0 {
			pty.Resize(s.Master, rows, cols) //nolint:errcheck // a size is a courtesy
		}
	}()
	pid, err := a.runtime(ctx, r, c)
	if err != nil {
		tty.close()
		<-taken
		if s.Master != nil {
			s.Master.Close()
		}
		return shim.Started{}, err
	}
	tty.expire()
	<-taken
	tty.close()
	s.Pid = pid
	if noMaster != nil {
		// Without its master the process is of no use to anybody.
		return s, errors.Join(noMaster, unix.Kill(s.Pid, unix.SIGKILL))
	}
	return s, nil
}

// args is the runtime's command line.
func (a attempt) args(console string) []string {
	p := a.payload
	args := []string{p.Runtime, "--root", p.Root, "--log", a.file(".log"), "--log-format", "json"}
	if len(p.Process) == 0 {
		args = append(args, "run", "--detach", "--bundle", p.Bundle)
	} else {
		args = append(args, "exec", "--detach", "--process", a.file(".json"))
	}
	args = append(args, "--pid-file", a.file(".pid"))
	if console != "" {
		args = append(args, "--console-socket", console)
	}
	return append(args, p.ID)
}

// runtime runs the runtime and returns the process's number.
func (a attempt) runtime(ctx context.Context, r *reaper.Reaper, c reaper.Command) (int, error) {
	warmed := make(chan struct{})
	go func() {
		defer close(warmed)
		if a.payload.Warm.Point != "" {
			a.payload.Warm.Warm() //nolint:errcheck // it saves time and nothing else
		}
	}()
	var res reaper.Result
	err := cgroup.Aside(a.payload.Hidden, func() (err error) {
		res, err = r.Run(ctx, c)
		return err
	})
	<-warmed
	if err != nil {
		a.abandon()
		return 0, err
	}
	if res.Code() != 0 {
		log, err := os.ReadFile(a.file(".log"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		return 0, a.failure(string(log), string(res.Output), res.Code())
	}
	pid, err := a.pid()
	if err != nil {
		return 0, fmt.Errorf("%s wrote no process number: %w", c.Path, err)
	}
	if err := inherit(ctx, pid); err != nil {
		a.abandon()
		return 0, err
	}
	return pid, nil
}

// inherit waits until a process is this one's child or is gone. crun leaves it to a helper that ends a moment after crun.
func inherit(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, inheritTime, fmt.Errorf("the OCI runtime keeps process %d as its own", pid))
	defer cancel()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return nil
		}
		// After the program's name, which can hold anything, come the state and the parent.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 || fields[1] == strconv.Itoa(os.Getpid()) {
			return nil
		}
		select {
		case <-time.After(inheritPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// abandon kills a process that was started although nobody waits for it any more.
func (a attempt) abandon() {
	if pid, err := a.pid(); err == nil {
		unix.Kill(pid, unix.SIGKILL) //nolint:errcheck // it may have ended
	}
}

func (a attempt) pid() (int, error) {
	b, err := os.ReadFile(a.file(".pid"))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err == nil && pid <= 0 {
		err = fmt.Errorf("%d is none", pid)
	}
	return pid, err
}

// clean removes the attempt's files.
func (a attempt) clean() error {
	var errs []error
	for _, ext := range []string{".pid", ".log", ".json", ".sock"} {
		if err := os.Remove(a.file(ext)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
