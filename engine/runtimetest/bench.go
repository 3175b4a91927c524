package runtimetest

import (
	"bytes"
	"context"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
)

// patience bounds every wait for something that should happen at once.
const patience = 20 * time.Second

// Bench is one test's daemon: a runtime on a state directory of its own.
type Bench struct {
	Runtime lifecycle.Runtime

	t       *testing.T
	p       Platform
	program string
	state   string
	owner   engine.Owner
}

func newBench(t *testing.T, p Platform, program string) *Bench {
	t.Helper()
	b := &Bench{t: t, p: p, program: program, state: t.TempDir(), owner: engine.Owner(engine.NewID()[:8])}
	b.Runtime = p.Open(t, b.state, b.owner)
	t.Cleanup(b.checkEmpty)
	return b
}

// checkEmpty is every test's end: nothing is left in the kernel.
func (b *Bench) checkEmpty() {
	left, err := b.Runtime.Sandboxes(context.Background())
	if err != nil {
		b.t.Error(err)
	}
	for _, id := range left {
		b.t.Errorf("a sandbox is left: %s", id)
		b.Runtime.RemoveSandbox(context.Background(), id, b.dir(id)) //nolint:errcheck // the test has failed
	}
	if b.p.Leftovers != nil {
		for _, l := range b.p.Leftovers(b.t, b.state, b.owner) {
			b.t.Errorf("left in the kernel: %s", l)
		}
	}
}

func (b *Bench) dir(id engine.ContainerID) string {
	return filepath.Join(b.state, "containers", string(id))
}

// Describe asks for a container that runs args, in a root of its own.
func (b *Bench) Describe(args ...string) engine.SandboxSpec {
	b.t.Helper()
	id := engine.ContainerID(engine.NewID())
	dir := b.dir(id)
	root := filepath.Join(b.state, "roots", string(id))
	if err := os.MkdirAll(dir, 0o710); err != nil {
		b.t.Fatal(err)
	}
	makeRoot(b.t, root, b.program)
	return engine.SandboxSpec{
		ID: id, Dir: dir, Root: root, Platform: b.p.Image, Args: args, NetPrivate: true, Files: map[string]string{},
		Spec: engine.Spec{Hostname: id.Short(), Process: engine.ProcessSpec{Cmd: args}},
	}
}

// Container is a sandbox with its supervisor.
type Container struct {
	*Bench
	// Spec may be changed before Launch, where the platform lets it.
	Spec engine.SandboxSpec
	Box  engine.Sandbox
	Main *Process // set by Launch

	rpc *rpc.Client
	end func()
}

// Process is a started program, main or exec.
type Process struct {
	Pid int

	c                     *Container
	stdin, stdout, stderr string // files
}

// Create makes the sandbox and a supervisor; both end with the test.
func (b *Bench) Create(spec engine.SandboxSpec) *Container {
	b.t.Helper()
	c := &Container{Bench: b, Spec: spec}
	b.t.Cleanup(c.Remove)
	box, err := b.Runtime.CreateSandbox(b.t.Context(), spec)
	if err != nil {
		b.t.Fatalf("create sandbox: %v", err)
	}
	c.Box = box
	c.supervise()
	return c
}

// supervise starts a supervisor.
func (c *Container) supervise() {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), supervisorMark+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.rpc = rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in})
	c.end = func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
	}
	c.t.Cleanup(c.end)
}

// Run creates a container and starts main.
func (b *Bench) Run(spec engine.SandboxSpec) *Container {
	b.t.Helper()
	c := b.Create(spec)
	if err := c.Launch(); err != nil {
		b.t.Fatalf("start %q: %v", spec.Args, err)
	}
	return c
}

// Launch starts main.
func (c *Container) Launch() error {
	c.t.Helper()
	l, err := c.Runtime.Launch(c.t.Context(), c.Spec, c.Box)
	if err != nil {
		return err
	}
	c.Main, err = c.start("", l)
	return err
}

// Exec starts a further process.
func (c *Container) Exec(e engine.ExecSpec) (*Process, error) {
	c.t.Helper()
	id := engine.ExecID(engine.NewID())
	l, err := c.Runtime.LaunchExec(c.t.Context(), c.Spec, c.Box, id, e)
	if err != nil {
		return nil, err
	}
	return c.start(id, l)
}

// MustExec runs a further process to its end and returns what it wrote.
func (c *Container) MustExec(args ...string) string {
	c.t.Helper()
	p, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: args}})
	if err != nil {
		c.t.Fatalf("exec %q: %v", args, err)
	}
	return p.Wait(0)
}

func (c *Container) start(id engine.ExecID, l engine.Launch) (*Process, error) {
	c.t.Helper()
	p := &Process{c: c}
	for _, f := range []*string{&p.stdin, &p.stdout, &p.stderr} {
		file, err := os.CreateTemp(c.state, "stream-")
		if err != nil {
			c.t.Fatal(err)
		}
		file.Close()
		*f = file.Name()
	}
	if l.Stdin {
		if err := os.WriteFile(p.stdin, []byte("from stdin\n"), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	var reply StartReply
	if err := c.rpc.Call("Supervisor.Start", StartCall{id, l, p.stdin, p.stdout, p.stderr}, &reply); err != nil {
		c.t.Fatalf("supervisor: %v", err)
	}
	p.Pid = reply.Pid
	return p, reply.Error.err()
}

// Remove removes the sandbox.
func (c *Container) Remove() {
	c.t.Helper()
	if err := c.Runtime.RemoveSandbox(context.Background(), c.Spec.ID, c.Spec.Dir); err != nil {
		c.t.Errorf("remove sandbox: %v", err)
	}
}

// Status waits for a process's end.
func (p *Process) Status() engine.ExitStatus {
	p.c.t.Helper()
	var s engine.ExitStatus
	call := p.c.rpc.Go("Supervisor.Wait", p.Pid, &s, nil)
	select {
	case <-call.Done:
		if call.Error != nil {
			p.c.t.Fatalf("wait: %v", call.Error)
		}
	case <-time.After(patience):
		p.c.t.Fatalf("the process %d does not end", p.Pid)
	}
	return s
}

// Wait waits for a process's end, checks a process's exit code and returns what it wrote to stdout.
func (p *Process) Wait(code int) string {
	p.c.t.Helper()
	s := p.Status()
	if s.Code != code {
		p.c.t.Errorf("exit code %d, want %d; stdout %q, stderr %q", s.Code, code, p.Stdout(), p.Stderr())
	}
	return p.Stdout()
}

// Stdout is what the process wrote to stdout, or to its terminal with plain line ends, up to now.
func (p *Process) Stdout() string { return p.read(p.stdout) }

// Stderr is what the process wrote to stderr up to now.
func (p *Process) Stderr() string { return p.read(p.stderr) }

func (p *Process) read(file string) string {
	p.c.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		p.c.t.Fatal(err)
	}
	return string(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
}

// Signal sends a signal by its number.
func (p *Process) Signal(n int) {
	p.c.t.Helper()
	var none int
	if err := p.c.rpc.Call("Supervisor.Signal", SignalCall{p.Pid, n}, &none); err != nil {
		p.c.t.Fatalf("signal %d: %v", n, err)
	}
}

// Terminal sets the size of the process's terminal, unless it is zero, and types a text.
func (p *Process) Terminal(rows, cols uint16, text string) {
	p.c.t.Helper()
	var none int
	if err := p.c.rpc.Call("Supervisor.Terminal", TerminalCall{p.Pid, rows, cols, text}, &none); err != nil {
		p.c.t.Fatalf("terminal: %v", err)
	}
}

// Shows waits until stdout holds a text.
func (p *Process) Shows(text string) {
	p.c.t.Helper()
	p.c.Eventually("stdout shows "+text, func() bool { return strings.Contains(p.Stdout(), text) })
}

// Eventually waits for something that another process brings about.
func (b *Bench) Eventually(what string, holds func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("it never came to pass: %s", what)
		}
	}
}
