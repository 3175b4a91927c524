package runtimetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/xcengine/xc/engine"
)

func testExitStatus(t *testing.T, b *Bench) {
	for _, code := range []int{0, 3, 255} {
		b.Run(b.Describe("exit", fmt.Sprint(code))).Main.Wait(code)
	}
	c := b.Run(b.Describe("sleep", "100000"))
	c.Main.Signal(int(syscall.SIGKILL))
	s := c.Main.Status()
	if s.Code != 137 || s.Signal != 9 || s.At.IsZero() {
		t.Errorf("killed: %+v", s)
	}
	info, err := b.Runtime.Ended(t.Context(), c.Spec.ID)
	if err != nil || info.OOMKilled {
		t.Errorf("ended: %+v, %v", info, err)
	}
}

func testStreams(t *testing.T, b *Bench) {
	spec := b.Describe("sh", "-c", "echo to stdout; echo -e to stderr; cat")
	spec.Spec.OpenStdin = true
	c := b.Run(spec)
	if out := c.Main.Wait(0); out != "to stdout\nfrom stdin\n" {
		t.Errorf("stdout: %q", out)
	}
	if got := c.Main.Stderr(); got != "to stderr\n" {
		t.Errorf("stderr: %q", got)
	}
	if out := b.Run(b.Describe("cat")).Main.Wait(0); out != "" {
		t.Errorf("without a stdin there is %q to read", out)
	}
}

func testEnvironment(t *testing.T, b *Bench) {
	spec := b.Describe("env")
	spec.Spec.Process.Env = []string{"A=1", "B=two words", "A=3", "EMPTY="}
	lines := strings.Split(strings.TrimSpace(b.Run(spec).Main.Wait(0)), "\n")
	for _, want := range []string{"A=3", "B=two words", "EMPTY=", "HOME=/root", "HOSTNAME=" + spec.Spec.Hostname} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is missing in %q", want, lines)
		}
	}
	path := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "PATH=/") })
	if path < 0 || slices.Contains(lines, "A=1") || slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "TERM=") }) {
		t.Errorf("environment: %q", lines)
	}
	spec = b.Describe("/bin/env")
	spec.Spec.Process.Env = []string{"PATH=/mine", "HOME=/there"}
	if out := b.Run(spec).Main.Wait(0); !strings.Contains(out, "PATH=/mine\n") || !strings.Contains(out, "HOME=/there\n") {
		t.Errorf("own PATH and HOME: %q", out)
	}
}

func testUsers(t *testing.T, b *Bench) {
	for _, tc := range []struct {
		user   string
		groups []string
		want   string
	}{
		{"", nil, "uid=0 gid=0 groups=0"},
		{"plain", nil, "uid=1000 gid=1000 groups=1000 2000"},
		{"1000", nil, "uid=1000 gid=1000 groups=1000 2000"},
		{"plain:more", nil, "uid=1000 gid=3000 groups=3000"},
		{"4242:77", nil, "uid=4242 gid=77 groups=77"},
		{"plain", []string{"more", "5000"}, "uid=1000 gid=1000 groups=1000 2000 3000 5000"},
	} {
		spec := b.Describe("sh", "-c", "id; env HOME")
		spec.Spec.Process.User, spec.Spec.Process.Groups = tc.user, tc.groups
		out := b.Run(spec).Main.Wait(0)
		if first, _, _ := strings.Cut(out, "\n"); first != tc.want {
			t.Errorf("user %q, groups %q: %q, want %q", tc.user, tc.groups, first, tc.want)
		}
		if strings.HasPrefix(tc.user, "plain") && !strings.Contains(out, "/home/plain") {
			t.Errorf("user %q: home in %q", tc.user, out)
		}
	}
}

func testWorkingDirectory(t *testing.T, b *Bench) {
	spec := b.Describe("pwd")
	spec.Spec.Process.WorkDir = "/made/for/it"
	if out := b.Run(spec).Main.Wait(0); out != "/made/for/it\n" {
		t.Errorf("working directory: %q", out)
	}
	if out := b.Run(b.Describe("pwd")).Main.Wait(0); out != "/\n" {
		t.Errorf("default: %q", out)
	}
	spec = b.Describe("pwd")
	spec.Spec.Process.WorkDir = "/etc/plain"
	c := b.Create(spec)
	if err := c.Launch(); err == nil {
		t.Error("a file was a working directory")
	}
}

func testHostname(t *testing.T, b *Bench) {
	spec := b.Describe("hostname")
	spec.Spec.Hostname = "box.example"
	if out := b.Run(spec).Main.Wait(0); out != "box.example\n" {
		t.Errorf("host name: %q", out)
	}
}

// stated is the outermost engine error in a chain that states a reason, or else the outermost.
func stated(err error) *engine.Error {
	var first *engine.Error
	for {
		var e *engine.Error
		if !errors.As(err, &e) {
			return first
		}
		if e.Reason != engine.ReasonNone {
			return e
		}
		if first == nil {
			first = e
		}
		err = e.Err
	}
}

// wantReason checks an error that the shim's client has to understand.
func wantReason(t *testing.T, what string, err error, word string, reasons ...engine.Reason) {
	t.Helper()
	e := stated(err)
	if e == nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if engine.KindOf(err) != engine.Invalid || !slices.Contains(reasons, e.Reason) || len(e.Args) == 0 || e.Args[0] != word {
		t.Errorf("%s: kind %v, reason %q, args %q (%v); want %q about %q", what, engine.KindOf(err), e.Reason, e.Args, e.Err, reasons, word)
	}
}

func testNotExecutable(t *testing.T, b *Bench) {
	for _, tc := range notExecutable {
		c := b.Create(b.Describe(tc.word, "arg"))
		wantReason(t, tc.word, c.Launch(), tc.word, tc.reasons...)
		// The same container can be started once it is executable.
		c.Remove()
		c.Spec.Args = []string{"true"}
		box, err := b.Runtime.CreateSandbox(t.Context(), c.Spec)
		if err != nil {
			t.Fatal(err)
		}
		c.Box = box
		if err := c.Launch(); err != nil {
			t.Errorf("after %s: %v", tc.word, err)
			continue
		}
		c.Main.Wait(0)
	}
}

var notExecutable = []struct {
	word    string
	reasons []engine.Reason
}{
	{"nosuch", []engine.Reason{engine.ReasonExecNotFound}},
	{"/nosuch", []engine.Reason{engine.ReasonExecNotFound}},
	{"/etc/plain", []engine.Reason{engine.ReasonExecDenied}},
	{"/etc", []engine.Reason{engine.ReasonExecIsDir, engine.ReasonExecDenied}},
}

func testUnknownUser(t *testing.T, b *Bench) {
	for who, word := range map[string]string{"nobody-here": "nobody-here", "plain:nogroup-here": "nogroup-here"} {
		spec := b.Describe("true")
		spec.Spec.Process.User = who
		wantReason(t, who, b.Create(spec).Launch(), word, engine.ReasonNoUser)
	}
}

func testTerminal(t *testing.T, b *Bench) {
	spec := b.Describe("sh", "-c", "env TERM; exec tty -f")
	spec.Spec.Process.TTY, spec.Spec.Process.ConsoleSize = true, [2]uint16{30, 100}
	c := b.Run(spec)
	c.Main.Shows("xterm\n30 100\n")
	c.Main.Terminal(40, 120, "")
	c.Main.Shows("\n40 120\n")
	c.Main.Terminal(0, 0, "\x03")
	c.Main.Status()
	spec = b.Describe("cat")
	spec.Spec.Process.TTY, spec.Spec.Process.User = true, "plain"
	c = b.Run(spec)
	c.Main.Terminal(0, 0, "typed\n\x04")
	if out := c.Main.Wait(0); strings.Count(out, "typed\n") < 1 {
		t.Errorf("terminal: %q", out)
	}
}

func testExec(t *testing.T, b *Bench) {
	spec := b.Describe("sleep", "100000")
	spec.Spec.Process.Env, spec.Spec.Process.User, spec.Spec.Process.WorkDir = []string{"OF=main"}, "plain", "/tmp"
	c := b.Run(spec)
	run := func(code int, e engine.ExecSpec) *Process {
		t.Helper()
		p, err := c.Exec(e)
		if err != nil {
			t.Fatalf("exec %q: %v", e.Process.Cmd, err)
		}
		p.Wait(code)
		return p
	}
	p := run(7, engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "echo out; echo -e err; cat; exit 7"}}, AttachStdin: true})
	if p.Stdout() != "out\nfrom stdin\n" || p.Stderr() != "err\n" {
		t.Errorf("streams: %q, %q", p.Stdout(), p.Stderr())
	}
	p = run(0, engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "id; pwd; env OF; env MORE"}, Env: []string{"MORE=exec"}}})
	if want := "uid=1000 gid=1000 groups=1000 2000\n/tmp\nmain\nexec\n"; p.Stdout() != want {
		t.Errorf("inherited: %q, want %q", p.Stdout(), want)
	}
	p = run(0, engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "id; pwd"}, User: "root", WorkDir: "/etc"}})
	if want := "uid=0 gid=0 groups=0\n/etc\n"; p.Stdout() != want {
		t.Errorf("own user and directory: %q, want %q", p.Stdout(), want)
	}
	p, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sleep", "100000"}}})
	if err != nil {
		t.Fatal(err)
	}
	p.Signal(int(syscall.SIGKILL))
	if s := p.Status(); s.Code != 137 {
		t.Errorf("killed exec: %+v", s)
	}
}

func testExecTerminal(t *testing.T, b *Bench) {
	c := b.Run(b.Describe("sleep", "100000"))
	p, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "env TERM; exec tty -f"}, TTY: true, ConsoleSize: [2]uint16{11, 22}}})
	if err != nil {
		t.Fatal(err)
	}
	p.Shows("xterm\n11 22\n")
	p.Terminal(33, 44, "")
	p.Shows("\n33 44\n")
	p.Terminal(0, 0, "\x03")
	p.Status()
}

func testExecFailures(t *testing.T, b *Bench) {
	c := b.Run(b.Describe("sleep", "100000"))
	for _, tc := range notExecutable {
		_, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{tc.word}}})
		wantReason(t, tc.word, err, tc.word, tc.reasons...)
		if e := stated(err); e != nil && e.Resource != engine.ResourceExec {
			t.Errorf("%s: the error is about %q", tc.word, e.Resource)
		}
	}
	_, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"true"}, WorkDir: "/nosuch"}})
	wantReason(t, "working directory", err, "/nosuch", engine.ReasonBadCwd)
	_, err = c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"true"}, User: "nobody-here"}})
	wantReason(t, "user", err, "nobody-here", engine.ReasonNoUser)
	if out := c.MustExec("echo", "still there"); out != "still there\n" {
		t.Errorf("after the failures: %q", out)
	}
}

func testExecsAtOnce(t *testing.T, b *Bench) {
	c := b.Run(b.Describe("sleep", "100000"))
	var wg sync.WaitGroup
	outs := make([]string, 8)
	for i := range outs {
		wg.Go(func() { outs[i] = c.MustExec("echo", fmt.Sprint(i)) })
	}
	wg.Wait()
	for i, out := range outs {
		if out != fmt.Sprintln(i) {
			t.Errorf("exec %d: %q", i, out)
		}
	}
}

func testSignals(t *testing.T, b *Bench) {
	c := b.Run(b.Describe("signals", "3"))
	c.Main.Shows("ready")
	c.Main.Signal(int(syscall.SIGUSR1))
	c.Main.Shows("got SIGUSR1")
	c.Main.Signal(int(syscall.SIGTERM))
	if out := c.Main.Wait(3); !strings.Contains(out, "got SIGTERM") {
		t.Errorf("stdout: %q", out)
	}
}

func testKill(t *testing.T, b *Bench) {
	c := b.Run(b.Describe("forktree", "2", "2", "100000"))
	c.Eventually("seven processes run", func() bool { return strings.Count(c.Main.Stdout(), "up") == 7 })
	p, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sleep", "100000"}}})
	if err != nil {
		t.Fatal(err)
	}
	var none int
	for range 2 {
		if err := c.rpc.Call("Supervisor.Kill", 0, &none); err != nil {
			t.Fatalf("kill: %v", err)
		}
	}
	if s := c.Main.Status(); s.Code != 137 {
		t.Errorf("main: %+v", s)
	}
	if s := p.Status(); s.Code != 137 {
		t.Errorf("exec: %+v", s)
	}
}
