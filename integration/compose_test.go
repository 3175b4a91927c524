package integration

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const project = `
version: "2.4"
services:
  db:
    image: testbox
    command: sh -c "sleep 1; touch /tmp/ok; sleep 1000"
    init: true
    healthcheck: {test: ["CMD", "test", "-f", "/tmp/ok"], interval: 200ms, retries: 50}
    volumes: ["dbdata:/data"]
    networks: {back: {aliases: [database]}}
  web:
    image: testbox
    command: httpd :80
    environment: {SAYS: "${SAYS}"}
    depends_on: {db: {condition: service_healthy}}
    ports: ["127.0.0.1:${PORT}:80"]
    networks: [back, front]
    restart: always
    ulimits: {nofile: 1000}
  worker:
    image: testbox
    command: sh -c "echo started; sleep 1000"
    init: true
    networks: [back]
    depends_on: [db]
volumes: {dbdata: {}}
networks: {back: {internal: true}, front: {}}
`

// TestCompose runs a project's first day with every Compose there is: Debian's docker-compose, and the one that XC_COMPOSE
// names. The old one speaks the API of its day: it cannot make a container anew from what dockerd answers since 1.45.
func TestCompose(t *testing.T) {
	programs := map[string]string{}
	if path, err := exec.LookPath("docker-compose"); err == nil {
		programs["installed"] = path
	}
	if path := os.Getenv("XC_COMPOSE"); path != "" {
		programs["XC_COMPOSE"] = path
	}
	if len(programs) == 0 {
		t.Skip("needs docker-compose on PATH, or XC_COMPOSE")
	}
	for name, path := range programs {
		t.Run(name, func(t *testing.T) { compose(t, path) })
	}
}

func compose(t *testing.T, program string) {
	e := start(t)
	dir, port := t.TempDir(), freePort(t)
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte(project), 0o600); err != nil {
		t.Fatal(err)
	}
	says := "one"
	run := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), kit.patience*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, append([]string{"-p", "pj"}, args...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "DOCKER_HOST="+e.host, "PORT="+port, "SAYS="+says, "COMPOSE_API_VERSION=1.44")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s %v: %v\n%s%s", program, args, err, out.String(), errs.String())
		}
		return strings.TrimSpace(out.String())
	}
	ids := func(service string) []string { return strings.Fields(run("ps", "-q", service)) }

	run("up", "-d")
	if got := e.must("inspect", "-f", "{{.State.Health.Status}}", ids("db")[0]); got != "healthy" {
		t.Errorf("web was started while db was %s", got)
	}
	if got := httpGet(t, "http://127.0.0.1:"+port+"/"); !strings.HasPrefix(got, "hello") {
		t.Errorf("web answers %q", got)
	}
	if got := run("exec", "-T", "worker", "get", "http://web/"); !strings.HasPrefix(got, "hello") {
		t.Errorf("web answers the worker %q", got)
	}
	run("exec", "-T", "web", "lookup", "database")
	if got := run("logs", "worker"); !strings.Contains(got, "started") {
		t.Errorf("logs: %q", got)
	}
	run("restart", "-t", "0", "worker")
	if got := run("logs", "worker"); strings.Count(got, "started") != 2 {
		t.Errorf("logs after a restart: %q", got)
	}
	run("up", "-d", "--scale", "worker=3")
	if n := len(ids("worker")); n != 3 {
		t.Errorf("%d workers, want 3", n)
	}
	before := ids("db")[0]
	says = "two"
	run("up", "-d", "--scale", "worker=1")
	if got := run("exec", "-T", "web", "env", "SAYS"); got != "two" {
		t.Errorf("after a change web says %q", got)
	}
	if len(ids("worker")) != 1 || ids("db")[0] != before {
		t.Error("what did not change was made anew, or scaling down left workers")
	}
	if got := run("run", "--rm", "-T", "worker", "echo", "once"); got != "once" {
		t.Errorf("run: %q", got)
	}
	run("down", "-v", "-t", "0")
	for _, list := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q", "--filter", "type=custom"}} {
		if got := e.must(list...); got != "" {
			t.Errorf("down left %v: %s", list, got)
		}
	}
}
