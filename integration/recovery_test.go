package integration

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// footprint lists all that a daemon has on the host and in its state directory, but for its database and the marks of time.
func (e *engine) footprint() []string {
	e.t.Helper()
	all := slices.Concat(leftovers(e.t, e.dir, e.owner()), rules(e.t, e.owner()), stored(e.t, e.owner()))
	err := filepath.WalkDir(filepath.Join(e.dir, "s"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it went while we looked
		}
		if strings.HasPrefix(d.Name(), "xc.db") {
			return nil
		}
		all = append(all, "file "+path)
		if d.IsDir() && filepath.Base(filepath.Dir(path)) == "layers" && strings.Contains(path, "/overlay/") {
			return fs.SkipDir // what is in a layer does not change
		}
		return nil
	})
	if err != nil {
		e.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// asBefore waits until the footprint is what it was.
func (e *engine) asBefore(before []string) {
	e.t.Helper()
	var diff string
	for end := time.Now().Add(kit.patience * 5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if diff = cmp.Diff(before, e.footprint()); diff == "" {
			return
		}
		if time.Now().After(end) {
			e.t.Fatalf("not as before (-before +now):\n%s", diff)
		}
	}
}

// dies boots a daemon that kills itself at a step, has it run a command, and boots one that does not.
func (e *engine) dies(step string, args ...string) {
	e.t.Helper()
	e.kill(syscall.SIGTERM)
	e.boot("XC_FAILPOINT=" + step)
	r := e.docker(args...)
	select {
	case <-e.gone:
	case <-time.After(kit.patience * 10 * time.Second):
		e.t.Fatalf("the daemon does not come by %s: docker %s gave %d %s%s", step, strings.Join(args, " "), r.code, r.out, r.err)
	}
	e.boot()
}

// state gives a container's state and exit code.
func (e *engine) state(name string) string {
	e.t.Helper()
	return e.must("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name)
}

// made are the arguments of create for a container that has something of everything.
func made(name string) []string {
	return []string{"create", "--name", name, "-v", "/anon", "-v", "kept:/kept", "-p", "127.0.0.1::80", "--tmpfs", "/t", "--stop-signal", "TERM", "testbox", "signals", "7"}
}

// subnets counts those that daemons of these tests were given.
var subnets atomic.Int32

// recovered has f try a kill at each step, and checks that nothing is left of it.
func recovered(t *testing.T, steps []string, f func(e *engine, step string)) {
	t.Parallel()
	// A daemon that ends when nothing runs gives its bridge's subnet free, and may find it taken at its next start.
	e := start(t, func(e *engine) { e.flags = []string{"--bip", fmt.Sprintf("10.214.%d.1/24", subnets.Add(1))} })
	e.must("volume", "create", "kept")
	e.must("run", "--rm", "testbox", "true") // what the first of all containers leaves for good
	before := e.footprint()
	for settled := false; !settled; { // what goes with a container goes a moment later
		time.Sleep(kit.patience * 500 * time.Millisecond)
		now := e.footprint()
		settled, before = slices.Equal(before, now), now
	}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			e.t = t
			f(e, step)
			if ids := e.must("ps", "-aq"); ids != "" {
				t.Errorf("containers: %s", ids)
			}
			if names := e.must("volume", "ls", "-q"); names != "kept" {
				t.Errorf("volumes: %s", names)
			}
			e.asBefore(before)
		})
	}
	e.t = t
}

func TestKilledInCreate(t *testing.T) {
	recovered(t, []string{"create.intent", "create.directory", "create.root", "create.volumes"}, func(e *engine, step string) {
		e.dies(step, made("box")...)
		if ids := e.must("ps", "-aq"); ids != "" {
			e.t.Errorf("a create that was not answered left a container: %s", ids)
		}
		e.must(made("box")...)
		e.must("start", "box")
		e.must("rm", "-f", "-v", "box")
	})
}

func TestKilledInStart(t *testing.T) {
	steps := []string{"start.intent", "start.root", "start.sandbox", "start.network", "start.shim", "start.run", "start.noted"}
	recovered(t, steps, func(e *engine, step string) {
		e.must(made("box")...)
		e.dies(step, "start", "box")
		if got := e.state("box"); got != "created 0" && got != "running 0" {
			e.t.Errorf("after the kill: %s", got)
		}
		e.must("start", "box")
		if got := e.must("exec", "box", "echo", "in"); got != "in" {
			e.t.Errorf("exec gave %q", got)
		}
		e.must("port", "box", "80")
		e.must("stop", "box")
		if got := e.state("box"); got != "exited 7" {
			e.t.Errorf("after stop: %s", got)
		}
		e.must("rm", "-v", "box")
	})
}

// A network whose making the daemon did not survive is there or not, and works if it is; one that was being removed is gone.
func TestKilledWhileANetworkIsMade(t *testing.T) {
	recovered(t, []string{"network.recorded", "network.made", "network.ruled"}, func(e *engine, step string) {
		e.dies(step, "network", "create", "killed")
		if e.must("network", "ls", "-q", "--filter", "name=killed") == "" {
			e.t.Error("its record was written, and it is not there")
		}
		e.must("run", "-d", "--name", "box", "--network", "killed", "-p", "127.0.0.1::80", "testbox", "httpd")
		if got := httpGet(e.t, "http://"+e.must("port", "box", "80")+"/x"); !strings.HasSuffix(got, "/x\n") {
			e.t.Errorf("a port published in it answers %q", got)
		}
		if got, want := e.must("exec", "box", "lookup", "box"), e.must("inspect", "-f", "{{.NetworkSettings.Networks.killed.IPAddress}}", "box"); got != want {
			e.t.Errorf("a name in it is %q, want %q", got, want)
		}
		e.must("rm", "-f", "box")
		e.must("network", "rm", "killed")
	})
}

func TestKilledWhileANetworkIsRemoved(t *testing.T) {
	recovered(t, []string{"network.forgotten", "network.unruled", "network.lost"}, func(e *engine, step string) {
		e.must("network", "create", "--subnet", "10.213.10.0/24", "killed")
		e.dies(step, "network", "rm", "killed")
		e.fails(1, "network killed not found", "network", "inspect", "killed")
		e.must("network", "create", "--subnet", "10.213.10.0/24", "killed") // name and addresses are free
		e.must("run", "--rm", "--network", "killed", "testbox", "true")
		e.must("network", "rm", "killed")
	})
}

// A container that is connected or disconnected while the daemon is killed is in the network or not, and its interfaces, its hosts
// file and the resolver all say the same.
func TestKilledInConnect(t *testing.T) {
	recovered(t, []string{"connect.intent", "connect.attached", "connect.noted"}, func(e *engine, step string) {
		e.must("network", "create", "--subnet", "10.213.9.0/24", "killed")
		e.must("run", "-d", "--name", "box", "-p", "127.0.0.1::80", "testbox", "httpd")
		for _, verb := range []string{"connect", "disconnect"} {
			e.dies(step, "network", verb, "killed", "box")
			addr := e.must("inspect", "-f", "{{with .NetworkSettings.Networks.killed}}{{.IPAddress}}{{end}}", "box")
			if got := strings.Contains(e.must("exec", "box", "ifaddrs"), " 10.213.9.") || strings.Contains(e.must("exec", "box", "ifaddrs"), "[10.213.9."); got != (addr != "") {
				e.t.Errorf("%s: an interface of the network: %v, and inspect shows %q", verb, got, addr)
			}
			if got := strings.Contains(e.must("exec", "box", "cat", "/etc/hosts"), "10.213.9."); got != (addr != "") {
				e.t.Errorf("%s: in the hosts file: %v, and inspect shows %q", verb, got, addr)
			}
			if connected := addr != ""; connected != (verb == "connect") {
				e.must("network", verb, "killed", "box")
			}
			if got := httpGet(e.t, "http://"+e.must("port", "box", "80")+"/x"); !strings.HasSuffix(got, "/x\n") {
				e.t.Errorf("%s: the published port answers %q", verb, got)
			}
		}
		e.must("rm", "-f", "box")
		e.must("network", "rm", "killed")
	})
}

func TestKilledInStop(t *testing.T) {
	steps := []string{"stop.intent", "stop.network", "stop.sandbox", "stop.root", "stop.down", "stop.noted"}
	recovered(t, steps, func(e *engine, step string) {
		e.must(made("box")...)
		e.must("start", "box")
		eventually(e.t, "ready", func() bool { return e.must("logs", "box") == "ready" })
		e.dies(step, "stop", "box")
		if got := e.state("box"); got != "exited 7" {
			e.t.Errorf("after the kill: %s", got)
		}
		e.must("stop", "box")
		if got := e.must("wait", "box"); got != "7" {
			e.t.Errorf("wait gave %s", got)
		}
		if got := e.must("logs", "box"); got != "ready\ngot SIGTERM" {
			e.t.Errorf("log: %q", got)
		}
		e.must("start", "box")
		e.must("rm", "-f", "-v", "box")
	})
}

func TestKilledInRemove(t *testing.T) {
	recovered(t, []string{"remove.intent", "remove.root", "remove.volumes", "remove.directory"}, func(e *engine, step string) {
		e.must(made("box")...)
		e.must("start", "box")
		e.dies(step, "rm", "-f", "-v", "box")
		if ids := e.must("ps", "-aq"); ids != "" {
			e.t.Errorf("still there: %s", ids)
		}
		e.must(made("box")...) // its name is free
		e.must("rm", "-v", "box")
	})
}

func TestKilledWhileOneRemovesItself(t *testing.T) {
	recovered(t, []string{"stop.intent", "stop.down", "stop.noted", "remove.intent", "remove.volumes", "remove.directory"}, func(e *engine, step string) {
		e.dies(step, "run", "--rm", "-v", "/anon", "testbox", "true")
		eventually(e.t, "its removal", func() bool { return e.must("ps", "-aq") == "" })
	})
}
