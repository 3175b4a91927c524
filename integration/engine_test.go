package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// canPause: FreeBSD cannot stop a jail's processes so that nobody notices, and refuses.
const canPause = runtime.GOOS != "freebsd"

// engine is a daemon under test, or the oracle.
type engine struct {
	t    testing.TB
	dir  string // state, sockets, log; empty for the oracle
	host string // unix:///…
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended

	flags   []string        // more of xcd's
	prepare func(*exec.Cmd) // changes how xcd is started; may be nil
}

// start starts a daemon of the test's own with the test image loaded. Whatever it left on the host when the test ends is
// an error. The options change how the daemon is started.
func start(t testing.TB, options ...func(*engine)) *engine {
	t.Helper()
	e := lay(t, options...)
	e.boot()
	e.must("load", "-i", kit.image)
	return e
}

// lay makes everything of a daemon but its process, which has to be launched before the test ends.
func lay(t testing.TB, options ...func(*engine)) *engine {
	t.Helper()
	if kit.skip != "" {
		t.Skip(kit.skip)
	}
	// Short, because socket paths are.
	dir, err := os.MkdirTemp("", "xc")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, dir: dir, host: "unix://" + dir + "/d.sock"}
	for _, o := range options {
		o(e)
	}
	t.Cleanup(func() {
		owner := e.owner()
		e.sweep()
		if left := append(leftovers(t, dir, owner), stored(t, owner)...); len(left) > 0 {
			t.Errorf("left on the host:\n%s", strings.Join(left, "\n"))
		}
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("the daemon's log:\n%s", lastLines(string(log), 60))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return e
}

// boot starts the daemon's process and waits until it answers.
func (e *engine) boot(env ...string) {
	e.t.Helper()
	e.launch(env...)
	e.answers()
}

// launch starts the daemon's process.
func (e *engine) launch(env ...string) {
	e.t.Helper()
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	e.cmd = exec.Command(filepath.Join(kit.bin, "xcd"), "--state-dir", filepath.Join(e.dir, "s"), "-H", e.host, "--socket", filepath.Join(e.dir, "x.sock"))
	e.cmd.Args = append(e.cmd.Args, e.flags...)
	e.cmd.Stdout, e.cmd.Stderr, e.cmd.Env = log, log, append(os.Environ(), env...)
	if e.prepare != nil {
		e.prepare(e.cmd)
	}
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		cmd.Wait() //nolint:errcheck // it is killed by some tests
		close(gone)
	}(e.cmd, e.gone)
}

// answers waits until the daemon does.
func (e *engine) answers() {
	e.t.Helper()
	c := e.client()
	for end := time.Now().Add(kit.patience * 30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := c.Ping(context.Background()); err == nil {
			return
		}
		select {
		case <-e.gone:
			text, _ := os.ReadFile(filepath.Join(e.dir, "log"))
			e.t.Fatalf("the daemon ended at its start:\n%s", lastLines(string(text), 20))
		default:
		}
		if time.Now().After(end) {
			e.t.Fatal("the daemon does not answer")
		}
	}
}

// owner is the mark of everything that the daemon makes.
func (e *engine) owner() string {
	e.t.Helper()
	mark, err := os.ReadFile(filepath.Join(e.dir, "s", "owner"))
	if err != nil {
		e.t.Fatal(err)
	}
	return strings.TrimSpace(string(mark))
}

// kill ends the daemon's process by a signal and waits for its end.
func (e *engine) kill(sig syscall.Signal) {
	e.t.Helper()
	if err := e.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		e.t.Fatal(err)
	}
	select {
	case <-e.gone:
	case <-time.After(kit.patience * 30 * time.Second):
		e.t.Fatalf("the daemon outlives %v", sig)
	}
}

// sweep removes the containers and ends the daemon, whatever state the test left it in.
func (e *engine) sweep() {
	select {
	case <-e.gone:
		e.boot()
	default:
	}
	if ids := strings.Fields(e.must("ps", "-aq")); len(ids) > 0 {
		e.must(append([]string{"rm", "-f", "-v"}, ids...)...)
	}
	e.kill(syscall.SIGTERM)
	if out, err := output(filepath.Join(kit.bin, "xcd"), "purge", "--state-dir", filepath.Join(e.dir, "s")); err != nil {
		e.t.Errorf("purge: %v\n%s", err, out)
	}
}

// client returns a Go client of the engine.
func (e *engine) client() *client.Client {
	e.t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(e.host), client.WithAPIVersionNegotiation(), client.WithHTTPClient(nil))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { c.Close() })
	return c
}

// result is what a command did.
type result struct {
	out, err string
	code     int
}

// command prepares a docker command against the engine.
func (e *engine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, kit.docker, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host, "DOCKER_CONFIG="+kit.config, "DOCKER_BUILDKIT=0")
	return cmd
}

// docker runs a docker command to its end, at most a minute.
func (e *engine) docker(args ...string) result { return e.feed("", args...) }

// feed runs a docker command with text as its input.
func (e *engine) feed(stdin string, args ...string) result {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	defer cancel()
	cmd := e.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) || ctx.Err() != nil {
		e.t.Fatalf("docker %s: %v %v\n%s\n%s", strings.Join(args, " "), err, ctx.Err(), lastLines(out.String(), 60), lastLines(errs.String(), 60))
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// must runs a docker command that has to succeed and returns its output without the last line feed.
func (e *engine) must(args ...string) string {
	e.t.Helper()
	r := e.docker(args...)
	if r.code != 0 {
		e.t.Fatalf("docker %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return strings.TrimRight(r.out, "\n")
}

// fails runs a docker command that has to fail with this code and text on stderr.
func (e *engine) fails(code int, text string, args ...string) {
	e.t.Helper()
	r := e.docker(args...)
	if r.code != code || !strings.Contains(r.err, text) {
		e.t.Errorf("docker %s: exit code %d and %q, want %d and %q", strings.Join(args, " "), r.code, r.err, code, text)
	}
}

// eventually waits until f is content, at most ten seconds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(kit.patience * 10 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// httpGet fetches a URL within a few seconds, trying until something answers.
func httpGet(t testing.TB, url string) string {
	t.Helper()
	var body string
	c := http.Client{Timeout: kit.patience * 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(t, "an answer from "+url, func() bool {
		resp, err := c.Get(url)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		body = b.String()
		return err == nil
	})
	return body
}

func id12(id string) string { return fmt.Sprintf("%.12s", id) }
