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

func testExitStatus(t *testing.T, b *bench) {
	for _, code := range []int{0, 3, 255} {
		b.run(b.spec("exit", fmt.Sprint(code))).main.wait(code)
	}
	c := b.run(b.spec("sleep", "100000"))
	c.main.signal(int(syscall.SIGKILL))
	s := c.main.status()
	if s.Code != 137 || s.Signal != 9 || s.At.IsZero() {
		t.Errorf("killed: %+v", s)
	}
	info, err := b.runtime.Ended(t.Context(), c.spec.ID)
	if err != nil || info.OOMKilled {
		t.Errorf("ended: %+v, %v", info, err)
	}
}

func testStreams(t *testing.T, b *bench) {
	spec := b.spec("sh", "-c", "echo to stdout; echo -e to stderr; cat")
	spec.Spec.OpenStdin = true
	c := b.run(spec)
	if out := c.main.wait(0); out != "to stdout\nfrom stdin\n" {
		t.Errorf("stdout: %q", out)
	}
	if got := c.main.err(); got != "to stderr\n" {
		t.Errorf("stderr: %q", got)
	}
	if out := b.run(b.spec("cat")).main.wait(0); out != "" {
		t.Errorf("without a stdin there is %q to read", out)
	}
}

func testEnvironment(t *testing.T, b *bench) {
	spec := b.spec("env")
	spec.Spec.Process.Env = []string{"A=1", "B=two words", "A=3", "EMPTY="}
	lines := strings.Split(strings.TrimSpace(b.run(spec).main.wait(0)), "\n")
	for _, want := range []string{"A=3", "B=two words", "EMPTY=", "HOME=/root", "HOSTNAME=" + spec.Spec.Hostname} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is missing in %q", want, lines)
		}
	}
	path := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "PATH=/") })
	if path < 0 || slices.Contains(lines, "A=1") || slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "TERM=") }) {
		t.Errorf("environment: %q", lines)
	}
	spec = b.spec("/bin/env")
	spec.Spec.Process.Env = []string{"PATH=/mine", "HOME=/there"}
	if out := b.run(spec).main.wait(0); !strings.Contains(out, "PATH=/mine\n") || !strings.Contains(out, "HOME=/there\n") {
		t.Errorf("own PATH and HOME: %q", out)
	}
}

func testUsers(t *testing.T, b *bench) {
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
		spec := b.spec("sh", "-c", "id; env HOME")
		spec.Spec.Process.User, spec.Spec.Process.Groups = tc.user, tc.groups
		out := b.run(spec).main.wait(0)
		if first, _, _ := strings.Cut(out, "\n"); first != tc.want {
			t.Errorf("user %q, groups %q: %q, want %q", tc.user, tc.groups, first, tc.want)
		}
		if strings.HasPrefix(tc.user, "plain") && !strings.Contains(out, "/home/plain") {
			t.Errorf("user %q: home in %q", tc.user, out)
		}
	}
}

func testWorkingDirectory(t *testing.T, b *bench) {
	spec := b.spec("pwd")
	spec.Spec.Process.WorkDir = "/made/for/it"
	if out := b.run(spec).main.wait(0); out != "/made/for/it\n" {
		t.Errorf("working directory: %q", out)
	}
	if out := b.run(b.spec("pwd")).main.wait(0); out != "/\n" {
		t.Errorf("default: %q", out)
	}
	spec = b.spec("pwd")
	spec.Spec.Process.WorkDir = "/etc/plain"
	c := b.create(spec)
	if err := c.launch(); err == nil {
		t.Error("a file was a working directory")
	}
}

func testHostname(t *testing.T, b *bench) {
	spec := b.spec("hostname")
	spec.Spec.Hostname = "box.example"
	if out := b.run(spec).main.wait(0); out != "box.example\n" {
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

func testNotExecutable(t *testing.T, b *bench) {
	for _, tc := range notExecutable {
		c := b.create(b.spec(tc.word, "arg"))
		wantReason(t, tc.word, c.launch(), tc.word, tc.reasons...)
		// The same container can be started once it is executable.
		c.remove()
		c.spec.Args = []string{"true"}
		box, err := b.runtime.CreateSandbox(t.Context(), c.spec)
		if err != nil {
			t.Fatal(err)
		}
		c.box = box
		if err := c.launch(); err != nil {
			t.Errorf("after %s: %v", tc.word, err)
			continue
		}
		c.main.wait(0)
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

func testUnknownUser(t *testing.T, b *bench) {
	for who, word := range map[string]string{"nobody-here": "nobody-here", "plain:nogroup-here": "nogroup-here"} {
		spec := b.spec("true")
		spec.Spec.Process.User = who
		wantReason(t, who, b.create(spec).launch(), word, engine.ReasonNoUser)
	}
}

func testTerminal(t *testing.T, b *bench) {
	spec := b.spec("sh", "-c", "env TERM; exec tty -f")
	spec.Spec.Process.TTY, spec.Spec.Process.ConsoleSize = true, [2]uint16{30, 100}
	c := b.run(spec)
	c.main.shows("xterm\n30 100\n")
	c.main.terminal(40, 120, "")
	c.main.shows("\n40 120\n")
	c.main.terminal(0, 0, "\x03")
	c.main.status()
	spec = b.spec("cat")
	spec.Spec.Process.TTY, spec.Spec.Process.User = true, "plain"
	c = b.run(spec)
	c.main.terminal(0, 0, "typed\n\x04")
	if out := c.main.wait(0); strings.Count(out, "typed\n") < 1 {
		t.Errorf("terminal: %q", out)
	}
}

func testExec(t *testing.T, b *bench) {
	spec := b.spec("sleep", "100000")
	spec.Spec.Process.Env, spec.Spec.Process.User, spec.Spec.Process.WorkDir = []string{"OF=main"}, "plain", "/tmp"
	c := b.run(spec)
	run := func(code int, e engine.ExecSpec) *process {
		t.Helper()
		p, err := c.exec(e)
		if err != nil {
			t.Fatalf("exec %q: %v", e.Process.Cmd, err)
		}
		p.wait(code)
		return p
	}
	p := run(7, engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "echo out; echo -e err; cat; exit 7"}}, AttachStdin: true})
	if p.out() != "out\nfrom stdin\n" || p.err() != "err\n" {
		t.Errorf("streams: %q, %q", p.out(), p.err())
	}
	p = run(0, engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "id; pwd; env OF; env MORE"}, Env: []string{"MORE=exec"}}})
	if want := "uid=1000 gid=1000 groups=1000 2000\n/tmp\nmain\nexec\n"; p.out() != want {
		t.Errorf("inherited: %q, want %q", p.out(), want)
	}
	p = run(0, engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "id; pwd"}, User: "root", WorkDir: "/etc"}})
	if want := "uid=0 gid=0 groups=0\n/etc\n"; p.out() != want {
		t.Errorf("own user and directory: %q, want %q", p.out(), want)
	}
	p, err := c.exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sleep", "100000"}}})
	if err != nil {
		t.Fatal(err)
	}
	p.signal(int(syscall.SIGKILL))
	if s := p.status(); s.Code != 137 {
		t.Errorf("killed exec: %+v", s)
	}
}

func testExecTerminal(t *testing.T, b *bench) {
	c := b.run(b.spec("sleep", "100000"))
	p, err := c.exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "env TERM; exec tty -f"}, TTY: true, ConsoleSize: [2]uint16{11, 22}}})
	if err != nil {
		t.Fatal(err)
	}
	p.shows("xterm\n11 22\n")
	p.terminal(33, 44, "")
	p.shows("\n33 44\n")
	p.terminal(0, 0, "\x03")
	p.status()
}

func testExecFailures(t *testing.T, b *bench) {
	c := b.run(b.spec("sleep", "100000"))
	for _, tc := range notExecutable {
		_, err := c.exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{tc.word}}})
		wantReason(t, tc.word, err, tc.word, tc.reasons...)
		if e := stated(err); e != nil && e.Resource != engine.ResourceExec {
			t.Errorf("%s: the error is about %q", tc.word, e.Resource)
		}
	}
	_, err := c.exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"true"}, WorkDir: "/nosuch"}})
	wantReason(t, "working directory", err, "/nosuch", engine.ReasonBadCwd)
	_, err = c.exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"true"}, User: "nobody-here"}})
	wantReason(t, "user", err, "nobody-here", engine.ReasonNoUser)
	if out := c.mustExec("echo", "still there"); out != "still there\n" {
		t.Errorf("after the failures: %q", out)
	}
}

func testExecsAtOnce(t *testing.T, b *bench) {
	c := b.run(b.spec("sleep", "100000"))
	var wg sync.WaitGroup
	outs := make([]string, 8)
	for i := range outs {
		wg.Go(func() { outs[i] = c.mustExec("echo", fmt.Sprint(i)) })
	}
	wg.Wait()
	for i, out := range outs {
		if out != fmt.Sprintln(i) {
			t.Errorf("exec %d: %q", i, out)
		}
	}
}

func testSignals(t *testing.T, b *bench) {
	c := b.run(b.spec("signals", "3"))
	c.main.shows("ready")
	c.main.signal(int(syscall.SIGUSR1))
	c.main.shows("got SIGUSR1")
	c.main.signal(int(syscall.SIGTERM))
	if out := c.main.wait(3); !strings.Contains(out, "got SIGTERM") {
		t.Errorf("stdout: %q", out)
	}
}

func testKill(t *testing.T, b *bench) {
	c := b.run(b.spec("forktree", "2", "2", "100000"))
	c.eventually("seven processes run", func() bool { return strings.Count(c.main.out(), "up") == 7 })
	p, err := c.exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sleep", "100000"}}})
	if err != nil {
		t.Fatal(err)
	}
	var none int
	for range 2 {
		if err := c.rpc.Call("Supervisor.Kill", 0, &none); err != nil {
			t.Fatalf("kill: %v", err)
		}
	}
	if s := c.main.status(); s.Code != 137 {
		t.Errorf("main: %+v", s)
	}
	if s := p.status(); s.Code != 137 {
		t.Errorf("exec: %+v", s)
	}
}
