package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shop is the project of clients/project, in the hands of a Compose.
type shop struct {
	e    *engine
	user user
	port string
	says string
}

// compose prepares a compose command for the project.
func (s *shop) compose(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `exec $COMPOSE "$@"`, "compose"}, args...)...)
	cmd.Dir = filepath.Join("clients", "project")
	cmd.Env = append(append(os.Environ(), s.user.env...), "DOCKER_HOST="+s.e.host, "PORT="+s.port, "SAYS="+s.says)
	return cmd
}

// run runs a compose command that has to succeed and returns its output.
func (s *shop) run(args ...string) string {
	s.e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	defer cancel()
	cmd := s.compose(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		s.e.t.Fatalf("compose %v: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return strings.TrimSpace(out.String())
}

// services lists what runs: service, number and, where there is a health check, its health.
func (s *shop) services() []string {
	s.e.t.Helper()
	rows := strings.Split(s.e.must("ps", "--format", `{{.Label "com.docker.compose.service"}}-{{.Label "com.docker.compose.container-number"}} {{.Status}}`), "\n")
	for i, row := range rows {
		name, status, _ := strings.Cut(row, " ")
		_, health, _ := strings.Cut(status, "(")
		rows[i] = strings.TrimSpace(name + " " + strings.TrimSuffix(health, ")"))
	}
	slices.Sort(rows)
	return rows
}

// settles waits until these services run, and no others.
func (s *shop) settles(when string, want ...string) {
	s.e.t.Helper()
	var got []string
	for end := time.Now().Add(kit.patience * 20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if got = s.services(); slices.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			s.e.t.Fatalf("%s %q runs, want %q\n%s", when, got, want, s.e.must("ps", "-a"))
		}
	}
}

// works uses the project as its users do: from outside, and from part to part.
func (s *shop) works(when string) {
	s.e.t.Helper()
	if got := httpGet(s.e.t, "http://127.0.0.1:"+s.port+"/"); !strings.HasPrefix(got, "hello") {
		s.e.t.Errorf("%s web answers %q", when, got)
	}
	for _, ask := range [][]string{{"worker", "send", "tcp", "database:5432", "ping"}, {"worker", "send", "tcp", "cache:6379", "ping"}, {"cache", "cat", "/cache/mark"}} {
		if got := s.run(append([]string{"exec", "-T"}, ask...)...); got != "ping" {
			s.e.t.Errorf("%s %v answers %q", when, ask, got)
		}
	}
	if got := s.run("exec", "-T", "db", "cat", "/run/secrets/password"); got != "hunter2" {
		s.e.t.Errorf("%s the secret is %q", when, got)
	}
}

// ids are the containers by service and number.
func (s *shop) ids() map[string]string {
	s.e.t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(s.e.must("ps", "-a", "--no-trunc", "--format", `{{.Label "com.docker.compose.service"}}-{{.Label "com.docker.compose.container-number"}} {{.ID}}`)) {
		name, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[name] = id
	}
	return all
}

// TestProject runs a project of web, database, cache and worker through its life: it comes up part by part as each is well, is
// not disturbed by kills of the daemon, also in the middle of a command, grows, changes, and goes without a trace.
func TestProject(t *testing.T) {
	for _, u := range commandLines(t) {
		if !strings.HasPrefix(u.name, "compose") {
			continue
		}
		t.Run(u.name, func(t *testing.T) {
			if u.missing != "" {
				t.Skip(u.missing)
			}
			live(t, u)
		})
	}
}

func live(t *testing.T, u user) {
	s := &shop{e: start(t), user: u, port: freePort(t), says: "one"}
	e := s.e
	before := e.everything()
	healthy := []string{"cache-1 healthy", "db-1 healthy", "web-1 healthy"}

	s.run("up", "-d", "--wait")
	s.settles("at first", append(healthy, "worker-1")...)
	s.run("exec", "-T", "cache", "sh", "-c", "printf ping > /cache/mark")
	s.works("at first")
	var order []string
	for _, line := range e.story(time.Now().Add(-10*time.Minute), "com.docker.compose.service") {
		if action, service, ok := strings.Cut(line, " com.docker.compose.service="); ok && (action == "container start" || service == "migrate" && action == "container die" || action == "container health_status: healthy") {
			order = append(order, strings.TrimPrefix(action, "container ")+" "+service)
		}
	}
	for _, pair := range [][2]string{{"health_status: healthy db", "start migrate"}, {"die migrate", "start web"}, {"health_status: healthy cache", "start web"}, {"health_status: healthy web", "start worker"}} {
		if first, then := slices.Index(order, pair[0]), slices.Index(order, pair[1]); first < 0 || then < first {
			t.Errorf("%q did not come before %q: %q", pair[0], pair[1], order)
		}
	}

	made := s.ids()
	e.kill(syscall.SIGKILL)
	if got := httpGet(t, "http://127.0.0.1:"+s.port+"/"); !strings.HasPrefix(got, "hello") {
		t.Errorf("without the daemon web answers %q", got)
	}
	e.boot()
	s.settles("after a kill", append(healthy, "worker-1")...)
	s.works("after a kill")
	s.run("up", "-d", "--wait")
	if now := s.ids(); fmt.Sprint(now) != fmt.Sprint(made) {
		t.Errorf("after a kill up made containers anew: %v, were %v", now, made)
	}
	if got := s.run("logs", "--no-color", "worker"); strings.Count(got, "working") != 1 {
		t.Errorf("logs after a kill: %q", got)
	}

	// A part dies while nobody looks.
	pid := e.must("inspect", "-f", "{{.State.Pid}}", made["cache-1"])
	e.kill(syscall.SIGKILL)
	if out, err := output("kill", "-9", pid); err != nil {
		t.Fatalf("kill -9 %s: %v %s", pid, err, out)
	}
	e.boot()
	s.settles("after a death", append(healthy, "worker-1")...)
	if got := e.must("inspect", "-f", "{{.RestartCount}}", made["cache-1"]); got != "1" {
		t.Errorf("the cache was restarted %s times, want 1", got)
	}
	s.works("after a death")

	// The daemon is killed under a command; the same command again gets there.
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
	defer cancel()
	grow := s.compose(ctx, "up", "-d", "--wait", "--scale", "worker=4")
	if err := grow.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a second worker", func() bool { return s.ids()["worker-2"] != "" })
	e.kill(syscall.SIGKILL)
	grow.Wait() //nolint:errcheck // it lost its daemon
	e.boot()
	s.run("up", "-d", "--wait", "--scale", "worker=4")
	s.settles("grown", append(healthy, "worker-1", "worker-2", "worker-3", "worker-4")...)
	s.works("grown")

	s.says = "two"
	s.run("up", "-d", "--wait", "--scale", "worker=2")
	s.settles("changed", append(healthy, "worker-1", "worker-2")...)
	s.works("changed")
	if got := s.run("exec", "-T", "web", "env", "SAYS"); got != "two" {
		t.Errorf("after the change web says %q", got)
	}
	now := s.ids()
	if now["db-1"] != made["db-1"] || now["cache-1"] != made["cache-1"] || now["web-1"] == made["web-1"] {
		t.Errorf("the change made the wrong things anew: %v, were %v", now, made)
	}

	s.run("down", "-v", "--remove-orphans")
	if got := e.everything(); !slices.Equal(got, before) {
		t.Errorf("down left %v", got)
	}
	if got := e.must("volume", "ls", "-q"); got != "" {
		t.Errorf("down left volumes: %s", got)
	}
}
