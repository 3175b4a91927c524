package dockerapi

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// published is Docker's list of operations of API 1.51: method and path.
const published = "testdata/operations-1.51.txt"

const (
	noManager    = `This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`
	noMember     = "This node is not part of a swarm"
	noSwarm      = "swarm mode is not supported: to run containers on several machines use a scheduler that speaks to each machine's engine, such as Nomad"
	noPlugin     = `plugin "x" not found`
	noPlugins    = "plugins are not supported"
	noBuildKit   = "this engine does not serve BuildKit: set DOCKER_BUILDKIT=0 to build without it"
	noCluster    = "volume update only valid for cluster volumes, but swarm is unavailable"
	noExperiment = "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it."
)

// refused are the operations that are not served: what they are answered with, and so why.
var refused = map[string]struct {
	status  int
	message string
}{
	"POST /session": {http.StatusNotImplemented, noBuildKit},

	"PUT /volumes/{name}": {http.StatusServiceUnavailable, noCluster}, // there are only cluster volumes to update

	"POST /swarm/init": {http.StatusNotImplemented, noSwarm}, "POST /swarm/join": {http.StatusNotImplemented, noSwarm},
	"POST /swarm/leave": {http.StatusServiceUnavailable, noMember},

	"GET /plugins/privileges": {http.StatusNotImplemented, noPlugins}, "POST /plugins/pull": {http.StatusNotImplemented, noPlugins},
	"POST /plugins/create": {http.StatusNotImplemented, noPlugins},
}

// refusedBelow are whole families of operations, by the beginning of their path, of what this engine has none of.
var refusedBelow = []struct {
	path    string
	status  int
	message string
}{
	{"/swarm", http.StatusServiceUnavailable, noManager},
	{"/nodes", http.StatusServiceUnavailable, noManager},
	{"/services", http.StatusServiceUnavailable, noManager},
	{"/tasks", http.StatusServiceUnavailable, noManager},
	{"/secrets", http.StatusServiceUnavailable, noManager},
	{"/configs", http.StatusServiceUnavailable, noManager},
	{"/plugins/", http.StatusNotFound, noPlugin},
}

func reason(op, path string) (status int, message string) {
	if r, ok := refused[op]; ok {
		return r.status, r.message
	}
	for _, r := range refusedBelow {
		if strings.HasPrefix(path, r.path) {
			return r.status, r.message
		}
	}
	return 0, ""
}

// Every operation that Docker publishes is served, or refused for a reason that stands above. The engine behind the server
// is missing, so that an operation that is served shows by its fault or by its check of the request.
func TestEveryOperationIsServedOrRefusedForAReason(t *testing.T) {
	list, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	s := newServer(&log)
	variable := regexp.MustCompile(`\{[a-z]+\}`)
	seen := 0
	for line := range strings.Lines(string(list)) {
		op := strings.TrimSpace(line)
		method, path, _ := strings.Cut(op, " ")
		seen++
		status, message := reason(op, path)
		for _, version := range []string{"", "/v1.51", "/v1.24"} {
			got := get(s, method, version+variable.ReplaceAllString(path, "x"))
			body := got.Body.String()
			switch {
			case strings.Contains(body, "page not found"):
				t.Errorf("%s: not routed", op)
			case message != "" && (got.Code != status || !strings.Contains(body, strings.ReplaceAll(message, `"`, `\"`))):
				t.Errorf("%s: %d %s", op, got.Code, body)
			case message == "" && (got.Code == http.StatusNotImplemented || got.Code == http.StatusServiceUnavailable):
				t.Errorf("%s is refused without a reason: %d %s", op, got.Code, body)
			}
		}
	}
	if seen != 107 {
		t.Errorf("%d operations are published", seen)
	}
}

// What dockerd serves beside the published list.
func TestUnpublishedOperations(t *testing.T) {
	s := newServer(new(strings.Builder))
	for op, want := range map[string]int{
		"OPTIONS /containers/json": 200, "OPTIONS /nothing": 200, "POST /build/cancel": 400, "POST /grpc": 501,
		"GET /containers/x/checkpoints": 501, "POST /containers/x/checkpoints": 501, "DELETE /containers/x/checkpoints/y": 501,
		"GET /plugins": 200, "PATCH /containers/json": 404,
	} {
		method, path, _ := strings.Cut(op, " ")
		got := get(s, method, path)
		if got.Code != want {
			t.Errorf("%s: %d %s", op, got.Code, got.Body)
		}
		if want == http.StatusNotImplemented && strings.Contains(path, "checkpoints") && !strings.Contains(got.Body.String(), noExperiment) {
			t.Errorf("%s: %s", op, got.Body)
		}
	}
}
