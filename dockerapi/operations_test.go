package dockerapi

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// published is Docker's list of operations of API 1.51: method, path, and behind a tab "served" or the status and the
// sentence that they are refused with. What an operation that is served answers is compared with the published answers by a
// test of the whole daemon (cmd/xcd).
const published = "testdata/operations-1.51.txt"

const noExperiment = "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it."

// Every operation that Docker publishes is served, or refused as the list says. The engine behind the server is missing, so
// that an operation that is served shows by its fault or by its check of the request.
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
		op, answer, _ := strings.Cut(strings.TrimSpace(line), "\t")
		method, path, _ := strings.Cut(op, " ")
		seen++
		for _, version := range []string{"", "/v1.51", "/v1.24"} {
			got := get(s, method, version+variable.ReplaceAllString(path, "x")+"?remote=x") // what is asked of a registry has a name
			body := got.Body.String()
			code, sentence, _ := strings.Cut(answer, " ")
			switch {
			case strings.Contains(body, "page not found"):
				t.Errorf("%s: not routed", op)
			case answer == "served" && (got.Code == http.StatusNotImplemented || got.Code == http.StatusServiceUnavailable):
				t.Errorf("%s is refused without a reason: %d %s", op, got.Code, body)
			case answer != "served" && (sentence == "" || code != strconv.Itoa(got.Code) || !strings.Contains(body, strings.ReplaceAll(sentence, `"`, `\"`))):
				t.Errorf("%s: %d %s, want %s", op, got.Code, body, answer)
			}
		}
	}
	if seen != 107 {
		t.Errorf("%d operations are published", seen)
	}
}

// What is not served looks at a request as dockerd does before it is refused.
func TestRefusalsReadTheRequest(t *testing.T) {
	s := newServer(new(strings.Builder))
	for _, tc := range []struct {
		op, header, value, body string
		code                    int
		want                    string
	}{
		{"POST /session", "", "", "", 400, "no upgrade proto in request"},
		{"POST /v1.51/session", "Upgrade", "foo", "", 400, "protocol foo not supported"},
		{"POST /grpc", "", "", "", 500, "no upgrade proto in request"},
		{"POST /grpc", "Upgrade", "foo", "", 500, "protocol foo not supported"},
		{"POST /plugins/pull", "Content-Type", "text/plain", "[]", 400, "unsupported Content-Type header (text/plain): must be 'application/json'"},
		{"POST /plugins/pull", "Content-Type", "application/json", "{invalid json", 400, "invalid JSON: invalid character 'i' looking for beginning of object key string"},
		{"POST /plugins/pull", "Content-Type", "application/json", "", 400, "invalid reference format"},
		{"POST /plugins/pull?remote=p", "Content-Type", "application/json", "[]", 501, "plugins are not supported"},
		{"GET /plugins/privileges", "", "", "", 400, "invalid reference format"},
		{"POST /plugins/a/b/set", "Content-Type", "application/json", "[] trailing", 400, "unexpected content after JSON"},
		{"POST /plugins/a/b/set", "Content-Type", "application/json", "[]", 404, `plugin \"a/b\" not found`},
		{"POST /plugins/a/upgrade?remote=p", "Content-Type", "application/json", "[] trailing", 400, "unexpected content after JSON"},
		{"POST /plugins/a/upgrade", "", "", "", 400, "invalid reference format"},
		{"POST /plugins/a/upgrade?remote=p", "", "", "", 404, `plugin \"a\" not found`},
	} {
		method, path, _ := strings.Cut(tc.op, " ")
		r := httptest.NewRequest(method, path, strings.NewReader(tc.body))
		r.Header.Set(tc.header, tc.value)
		got := httptest.NewRecorder()
		s.ServeHTTP(got, r)
		if got.Code != tc.code || !strings.Contains(got.Body.String(), tc.want) {
			t.Errorf("%s, %s %q: %d %s", tc.op, tc.value, tc.body, got.Code, got.Body)
		}
	}
}

// What dockerd serves beside the published list.
func TestUnpublishedOperations(t *testing.T) {
	s := newServer(new(strings.Builder))
	for op, want := range map[string]int{
		"OPTIONS /containers/json": 200, "OPTIONS /nothing": 200, "POST /build/cancel": 400, "POST /grpc": 500,
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
