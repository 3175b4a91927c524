package integration

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a command at a terminal that the test types on and looks at.
type terminal struct {
	t      testing.TB
	master *os.File
	cmd    *exec.Cmd
	ended  chan struct{}

	mu   sync.Mutex
	seen string // what came and was not yet expected
}

// at runs a docker command at a terminal of 24 rows and 80 columns.
func (e *engine) at(args ...string) *terminal {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	return e.atTerminal(e.command(ctx, args...), cancel)
}

// atTerminal runs a command likewise.
func (e *engine) atTerminal(cmd *exec.Cmd, cancel context.CancelFunc) *terminal {
	e.t.Helper()
	master, slave, err := openTerminal()
	if err != nil {
		e.t.Fatal(err)
	}
	defer slave.Close()
	x := &terminal{t: e.t, master: master, cmd: cmd, ended: make(chan struct{})}
	x.resize(24, 80)
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	go func() {
		x.cmd.Wait() //nolint:errcheck // the code is looked at
		close(x.ended)
	}()
	go x.look()
	e.t.Cleanup(func() { cancel(); <-x.ended; master.Close() })
	return x
}

func (x *terminal) look() {
	buf := make([]byte, 4096)
	for {
		n, err := x.master.Read(buf)
		x.mu.Lock()
		x.seen += string(buf[:n])
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (x *terminal) resize(rows, cols uint16) {
	x.t.Helper()
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}); err != nil {
		x.t.Fatal(err)
	}
}

func (x *terminal) types(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// expect waits until text is seen; what came before it is forgotten.
func (x *terminal) expect(text string) {
	x.t.Helper()
	for end := time.Now().Add(kit.patience * 10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		x.mu.Lock()
		_, after, found := strings.Cut(x.seen, text)
		if found {
			x.seen = after
		}
		seen := x.seen
		x.mu.Unlock()
		if found {
			return
		}
		if time.Now().After(end) {
			x.t.Fatalf("%q is not seen but %q", text, seen)
		}
	}
}

// ends waits for the command's end and gives its exit code.
func (x *terminal) ends() int {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(kit.patience * 10 * time.Second):
		x.mu.Lock()
		defer x.mu.Unlock()
		x.t.Fatalf("does not end; seen: %q", x.seen)
	}
	return x.cmd.ProcessState.ExitCode()
}

const (
	ctrlC  = "\x03"
	detach = "\x10\x11" // Ctrl-P Ctrl-Q
)

func TestTerminal(t *testing.T) {
	e := start(t)
	for _, tc := range []struct {
		name string
		f    func(e *engine)
	}{
		{"colours and lines", func(e *engine) {
			x := e.at("run", "--rm", "-it", "testbox", "printf", `\033[31mred\033[0m\nnext`)
			x.expect("\x1b[31mred\x1b[0m\r\nnext")
			if code := x.ends(); code != 0 {
				e.t.Errorf("exit code %d", code)
			}
		}},
		{"size from the first moment, and each change", func(e *engine) {
			x := e.at("run", "--rm", "-it", "testbox", "tty", "-f")
			x.expect("24 80")
			x.resize(30, 100)
			x.expect("30 100")
			x.resize(10, 20)
			x.expect("10 20")
			x.types(ctrlC)
			if code := x.ends(); code != 130 && code != 2 {
				e.t.Errorf("exit code %d after Ctrl-C", code)
			}
		}},
		{"ctrl-c reaches the process", func(e *engine) {
			x := e.at("run", "--rm", "-it", "testbox", "signals", "17")
			x.expect("ready")
			x.types(ctrlC)
			x.expect("got SIGINT")
			if code := x.ends(); code != 17 {
				e.t.Errorf("exit code %d", code)
			}
		}},
		{"detach, attach, input, end", func(e *engine) {
			x := e.at("run", "-it", "--name", "term", "testbox", "cat")
			x.types("one\r")
			x.expect("one\r\none\r\n")
			x.types(detach)
			if code := x.ends(); code != 0 {
				e.t.Errorf("exit code of a detach: %d", code)
			}
			if got := e.state("term"); got != "running 0" {
				e.t.Fatalf("after the detach: %s", got)
			}
			x = e.at("attach", "term")
			x.types("two\r")
			x.expect("two\r\ntwo\r\n")
			x.resize(33, 77)
			y := e.at("exec", "-it", "term", "tty", "-f")
			y.expect("24 80")
			y.resize(44, 55)
			y.expect("44 55")
			y.types(detach)
			y.ends()
			x.types("\x10x\r") // not the keys: both arrive
			x.expect("\x10x\r\n")
			x.types("\x04") // end of input
			if code := x.ends(); code != 0 {
				e.t.Errorf("exit code %d", code)
			}
			if got := e.must("logs", "term"); !strings.HasPrefix(got, "one\r\none\r\ntwo\r\ntwo\r\n") {
				e.t.Errorf("log: %q", got)
			}
		}},
		{"other detach keys", func(e *engine) {
			x := e.at("run", "--rm", "-it", "--detach-keys", "ctrl-a,d", "--name", "keys", "testbox", "cat")
			x.types("a\r")
			x.expect("a\r\na\r\n")
			x.types("\x01d")
			x.ends()
			e.must("rm", "-f", "keys")
		}},
		{"exec -it", func(e *engine) {
			e.must("run", "-d", "--name", "host", "testbox", "sleep", "1000")
			x := e.at("exec", "-it", "host", "sh", "-c", "cat; exit 6")
			x.types("in\r")
			x.expect("in\r\nin\r\n")
			x.types("\x04")
			if code := x.ends(); code != 6 {
				e.t.Errorf("exit code %d", code)
			}
			x = e.at("exec", "-it", "host", "signals", "19")
			x.expect("ready")
			x.types(ctrlC)
			x.expect("got SIGINT")
			if code := x.ends(); code != 19 {
				e.t.Errorf("exit code %d", code)
			}
			e.must("rm", "-f", "host")
		}},
		{"exit codes", func(e *engine) {
			for _, c := range []struct {
				code int
				args []string
			}{
				{0, []string{"true"}},
				{1, []string{"false"}},
				{126, []string{"/etc/notexec"}},
				{127, []string{"no-such-program"}},
				{137, []string{"sh", "-c", "sh -c 'kill 9 $$'; exit $?"}},
				{143, []string{"sh", "-c", "sh -c 'kill 15 $$; sleep 5'; exit $?"}},
			} {
				if code := e.at(append([]string{"run", "--rm", "-it", "testbox"}, c.args...)...).ends(); code != c.code {
					e.t.Errorf("%v: exit code %d, want %d", c.args, code, c.code)
				}
			}
			if code := e.at("run", "--rm", "-it", "-u", "nobody-there", "testbox", "true").ends(); code != 125 {
				e.t.Errorf("exit code %d, want 125", code)
			}
		}},
		{"killed from outside", func(e *engine) {
			for sig, code := range map[string]int{"KILL": 137, "TERM": 143} {
				x := e.at("run", "--rm", "-it", "--init", "--name", "victim", "testbox", "sh", "-c", "echo up; exec sleep 1000")
				x.expect("up")
				e.must("kill", "-s", sig, "victim")
				if got := x.ends(); got != code {
					e.t.Errorf("%s: exit code %d, want %d", sig, got, code)
				}
			}
		}},
		{"start -ai", func(e *engine) {
			e.must("create", "-it", "--name", "later", "testbox", "sh", "-c", "tty -w; cat; exit 4")
			for range 2 {
				x := e.at("start", "-ai", "later")
				x.expect("24 80")
				x.types("hi\r")
				x.expect("hi\r\nhi\r\n")
				x.types("\x04")
				if code := x.ends(); code != 4 {
					e.t.Errorf("exit code %d", code)
				}
			}
			e.must("rm", "later")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) { e.t = t; tc.f(e) })
	}
	e.t = t
}
