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

// bench is one test's daemon: a runtime on a state directory of its own.
type bench struct {
	t       *testing.T
	p       Platform
	program string
	state   string
	owner   engine.Owner
	runtime lifecycle.Runtime
}

func newBench(t *testing.T, p Platform, program string) *bench {
	t.Helper()
	b := &bench{t: t, p: p, program: program, state: t.TempDir(), owner: engine.Owner(engine.NewID()[:8])}
	b.runtime = p.Open(t, b.state, b.owner)
	t.Cleanup(b.checkEmpty)
	return b
}

// checkEmpty is every test's end: nothing is left in the kernel.
func (b *bench) checkEmpty() {
	left, err := b.runtime.Sandboxes(context.Background())
	if err != nil {
		b.t.Error(err)
	}
	for _, id := range left {
		b.t.Errorf("a sandbox is left: %s", id)
		b.runtime.RemoveSandbox(context.Background(), id, b.dir(id)) //nolint:errcheck // the test has failed
	}
	if b.p.Leftovers != nil {
		for _, l := range b.p.Leftovers(b.t, b.state, b.owner) {
			b.t.Errorf("left in the kernel: %s", l)
		}
	}
}

func (b *bench) dir(id engine.ContainerID) string {
	return filepath.Join(b.state, "containers", string(id))
}

// spec describes a container that runs args, in a root of its own.
func (b *bench) spec(args ...string) engine.SandboxSpec {
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

// container is a sandbox with its supervisor.
type container struct {
	*bench
	spec engine.SandboxSpec
	box  engine.Sandbox
	rpc  *rpc.Client
	end  func()
	main *process
}

// process is a started program, main or exec.
type process struct {
	c                     *container
	pid                   int
	stdin, stdout, stderr string // files
}

// create makes the sandbox and a supervisor; both end with the test.
func (b *bench) create(spec engine.SandboxSpec) *container {
	b.t.Helper()
	c := &container{bench: b, spec: spec}
	b.t.Cleanup(c.remove)
	box, err := b.runtime.CreateSandbox(b.t.Context(), spec)
	if err != nil {
		b.t.Fatalf("create sandbox: %v", err)
	}
	c.box = box
	c.supervise()
	return c
}

// supervise starts a supervisor.
func (c *container) supervise() {
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

// run creates a container and starts main.
func (b *bench) run(spec engine.SandboxSpec) *container {
	b.t.Helper()
	c := b.create(spec)
	if err := c.launch(); err != nil {
		b.t.Fatalf("start %q: %v", spec.Args, err)
	}
	return c
}

// launch starts main.
func (c *container) launch() error {
	c.t.Helper()
	l, err := c.runtime.Launch(c.t.Context(), c.spec, c.box)
	if err != nil {
		return err
	}
	c.main, err = c.start("", l)
	return err
}

// exec starts a further process.
func (c *container) exec(e engine.ExecSpec) (*process, error) {
	c.t.Helper()
	id := engine.ExecID(engine.NewID())
	l, err := c.runtime.LaunchExec(c.t.Context(), c.spec, c.box, id, e)
	if err != nil {
		return nil, err
	}
	return c.start(id, l)
}

// mustExec runs a further process to its end and returns what it wrote.
func (c *container) mustExec(args ...string) string {
	c.t.Helper()
	p, err := c.exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: args}})
	if err != nil {
		c.t.Fatalf("exec %q: %v", args, err)
	}
	return p.wait(0)
}

func (c *container) start(id engine.ExecID, l engine.Launch) (*process, error) {
	c.t.Helper()
	p := &process{c: c}
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
	p.pid = reply.Pid
	return p, reply.Error.err()
}

// remove removes the sandbox.
func (c *container) remove() {
	c.t.Helper()
	if err := c.runtime.RemoveSandbox(context.Background(), c.spec.ID, c.spec.Dir); err != nil {
		c.t.Errorf("remove sandbox: %v", err)
	}
}

// status waits for a process's end.
func (p *process) status() engine.ExitStatus {
	p.c.t.Helper()
	var s engine.ExitStatus
	call := p.c.rpc.Go("Supervisor.Wait", p.pid, &s, nil)
	select {
	case <-call.Done:
		if call.Error != nil {
			p.c.t.Fatalf("wait: %v", call.Error)
		}
	case <-time.After(patience):
		p.c.t.Fatalf("the process %d does not end", p.pid)
	}
	return s
}

// wait checks a process's exit code and returns what it wrote to stdout.
func (p *process) wait(code int) string {
	p.c.t.Helper()
	s := p.status()
	if s.Code != code {
		p.c.t.Errorf("exit code %d, want %d; stdout %q, stderr %q", s.Code, code, p.out(), p.err())
	}
	return p.out()
}

func (p *process) out() string { return p.read(p.stdout) }
func (p *process) err() string { return p.read(p.stderr) }

func (p *process) read(file string) string {
	p.c.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		p.c.t.Fatal(err)
	}
	return string(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
}

func (p *process) signal(n int) {
	p.c.t.Helper()
	var none int
	if err := p.c.rpc.Call("Supervisor.Signal", SignalCall{p.pid, n}, &none); err != nil {
		p.c.t.Fatalf("signal %d: %v", n, err)
	}
}

func (p *process) terminal(rows, cols uint16, text string) {
	p.c.t.Helper()
	var none int
	if err := p.c.rpc.Call("Supervisor.Terminal", TerminalCall{p.pid, rows, cols, text}, &none); err != nil {
		p.c.t.Fatalf("terminal: %v", err)
	}
}

// shows waits until stdout holds a text.
func (p *process) shows(text string) {
	p.c.t.Helper()
	p.c.eventually("stdout shows "+text, func() bool { return strings.Contains(p.out(), text) })
}

// eventually waits for something that another process brings about.
func (b *bench) eventually(what string, holds func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("it never came to pass: %s", what)
		}
	}
}
