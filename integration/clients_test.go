package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// built is where "make clients" puts what it builds.
func built(t *testing.T, parts ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "bin", "clients"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// missing says that a file is not there and what brings it.
func missing(path, how string) string {
	if _, err := os.Stat(path); err != nil {
		return "no " + path + " here: " + how
	}
	return ""
}

// commandLines are the docker commands of two generations, each with the Compose of its time as a plugin.
func commandLines(t *testing.T) []user {
	var all []user
	for _, generation := range []struct{ dir, docker, compose string }{{"previous", "docker-28", "compose-2"}, {"current", "docker-29", "compose-5"}} {
		config := built(t, generation.dir)
		docker := filepath.Join(config, "docker")
		env := []string{"DOCKER=" + docker, "DOCKER_CONFIG=" + config, "COMPOSE=" + docker + " compose"}
		all = append(all,
			user{name: generation.docker, env: env, missing: missing(docker, "make clients builds it")},
			user{name: generation.compose, env: env, missing: missing(filepath.Join(config, "cli-plugins", "docker-compose"), "make clients builds it")})
	}
	return all
}

// TestClientCompose runs projects with every Compose that is in use. The oldest speaks the API of its day: it cannot make a container
// anew from what dockerd answers since 1.45, so it is asked to speak 1.44, as its users have to with dockerd. As each of its
// commands takes long to start, it does the scenarios of its everyday alone.
func TestClientCompose(t *testing.T) {
	all := commandLines(t)
	oldest := user{name: "compose-1", env: []string{"DOCKER=" + kit.docker, "DOCKER_CONFIG=" + kit.config, "COMPOSE_API_VERSION=1.44"}, only: []string{"build", "change", "events", "first-day", "health", "networks"}}
	if path, err := exec.LookPath("docker-compose"); err != nil {
		oldest.missing = "no docker-compose on PATH: make clients installs Debian's"
	} else {
		oldest.env = append(oldest.env, "COMPOSE="+path)
	}
	scenarios(t, "compose", []user{all[3], all[1], oldest})
}

// TestClientDocker runs the docker commands of two generations.
func TestClientDocker(t *testing.T) {
	all := commandLines(t)
	scenarios(t, "docker", []user{all[2], all[0]})
}

// TestClientPython runs docker-py.
func TestClientPython(t *testing.T) {
	u := user{name: "docker-py", env: []string{"DOCKER=" + kit.docker, "DOCKER_CONFIG=" + kit.config, "PYTHON=/usr/bin/python3"}}
	if out, err := output("/usr/bin/python3", "-c", "import docker"); err != nil {
		u.missing = "no python3-docker here: make clients installs Debian's: " + lastLines(out, 1)
	}
	scenarios(t, "python", []user{u})
}

// TestClientNode runs dockerode and Testcontainers for Node.
func TestClientNode(t *testing.T) {
	modules := built(t, "node", "node_modules")
	u := user{name: "node", env: []string{"DOCKER=" + kit.docker, "DOCKER_CONFIG=" + kit.config, "NODE_PATH=" + modules}, missing: missing(modules, "make clients installs them")}
	if _, err := exec.LookPath("node"); err != nil {
		u.missing = "no node on PATH: install Node 20 or later with npm, then make clients"
	}
	u.env = append(u.env, reaper(t, u)...)
	scenarios(t, "node", []user{u})
}

// TestClientGo runs Testcontainers for Go. Go's plain SDK is the client of all other tests here.
func TestClientGo(t *testing.T) {
	sdk := built(t, "sdk")
	u := user{name: "go", env: []string{"DOCKER=" + kit.docker, "DOCKER_CONFIG=" + kit.config, "SDK=" + sdk}, missing: missing(filepath.Join(sdk, "testcontainers"), "make clients builds it")}
	u.env = append(u.env, reaper(t, u)...)
	scenarios(t, "go", []user{u})
}

// reaper builds what stands in for Testcontainers' reaper, if there is a client that needs it. It waits a second for clients to come
// back, as both Testcontainers let their users say.
func reaper(t *testing.T, u user) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reaper")
	if u.missing == "" && kit.skip == "" {
		if out, err := output("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./clients/reaper"); err != nil {
			t.Fatalf("the reaper does not build: %v\n%s", err, out)
		}
	}
	return []string{"REAPER=" + path, "TESTCONTAINERS_RYUK_RECONNECTION_TIMEOUT=1s", "RYUK_RECONNECTION_TIMEOUT=1s"}
}

// TestClientTools makes the calls of tools that cannot be had as themselves here, and reads of the answers what they read.
func TestClientTools(t *testing.T) {
	wire, err := filepath.Abs(filepath.Join("clients", "wire"))
	if err != nil {
		t.Fatal(err)
	}
	u := user{name: "wire", env: []string{"DOCKER=" + kit.docker, "DOCKER_CONFIG=" + kit.config, "PYTHON=/usr/bin/python3", "PYTHONPATH=" + wire, "PYTHONDONTWRITEBYTECODE=1"}}
	u.missing = missing("/usr/bin/python3", "apt-get install python3")
	scenarios(t, "tools", []user{u})
}
