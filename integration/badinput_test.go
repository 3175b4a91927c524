package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// raw sends a request as it is written and returns status and body.
func (e *engine) raw(method, path string, body io.Reader, header http.Header) (int, string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), kit.patience*20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		e.t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", strings.TrimPrefix(e.host, "unix://"))
		},
	}}
	resp, err := c.Do(req)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	var m struct{ Message string }
	if json.Unmarshal(answer, &m) == nil && m.Message != "" {
		return resp.StatusCode, m.Message
	}
	return resp.StatusCode, string(answer)
}

var (
	asJSON = http.Header{"Content-Type": {"application/json"}}
	asTar  = http.Header{"Content-Type": {"application/x-tar"}}
)

// wrong is a request and how dockerd 28 answers it.
type wrong struct {
	method, path, body string
	status             int
	says               string
}

// creates are wrong create requests: what goes beside the image.
func creates(more, says string) wrong {
	return wrong{"POST", "/containers/create", `{"Image":"testbox",` + more + `}`, 400, says}
}

func hostConfig(more, says string) wrong { return creates(`"HostConfig":{`+more+`}`, says) }

func wrongs() []wrong {
	const create, box = "/containers/create", "/containers/box"
	return []wrong{
		{"POST", create, "", 400, "invalid JSON: got EOF while reading request body"},
		{"POST", create, "{", 400, "invalid JSON: unexpected EOF"},
		{"POST", create, "[]", 400, "json: cannot unmarshal array"},
		{"POST", create, `{"Image":"testbox"}{}`, 400, "unexpected content after JSON"},
		{"POST", create, `{"Image":5}`, 400, "json: cannot unmarshal number"},
		{"POST", create, "\xff\xfe", 400, "invalid character"},
		{"POST", create, "{}", 400, ""},
		{"POST", create, `{"Image":"nosuch"}`, 404, "No such image: nosuch:latest"},
		{"POST", create + "?name=a%20b", `{"Image":"testbox"}`, 400, "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
		{"POST", create + "?name=/", `{"Image":"testbox"}`, 400, "Invalid container name (/), only"},
		{"POST", create + "?name=box", `{"Image":"testbox"}`, 409, `The container name "/box" is already in use`},
		{"POST", create + "?platform=linux/s390x", `{"Image":"testbox"}`, 404, "does not match the specified platform"},
		creates(`"Cmd":5`, "invalid JSON: json: cannot unmarshal number"),
		creates(`"WorkingDir":"rel"`, "the working directory 'rel' is invalid, it needs to be an absolute path"),
		creates(`"StopSignal":"FOO"`, "invalid signal: FOO"),
		creates(`"Healthcheck":{"Test":["CMD","x"],"Interval":1}`, "Interval in Healthcheck cannot be less than 1ms"),
		creates(`"NetworkingConfig":{"EndpointsConfig":{"bridge":{"IPAMConfig":{"IPv4Address":"1.2.3.4"}}}}`, "* user specified IP address is supported on user defined networks only\n* no configured subnet or ip-range contain the IP address 1.2.3.4"),
		hostConfig(`"Memory":1`, "Minimum memory limit allowed is 6MB"),
		hostConfig(`"Memory":"x"`, "cannot unmarshal string"),
		hostConfig(`"Memory":1e30`, "cannot unmarshal number"),
		hostConfig(`"MemoryReservation":1000000000,"Memory":100000000`, "Minimum memory limit can not be less than memory reservation limit"),
		hostConfig(`"NanoCpus":1000000000000000`, "range of CPUs is from 0.01 to"),
		hostConfig(`"CpuPeriod":1`, "CPU cfs period can not be less than 1ms"),
		hostConfig(`"ShmSize":-1`, "SHM size can not be less than 0"),
		hostConfig(`"RestartPolicy":{"Name":"foo"}`, "invalid restart policy: unknown policy 'foo'"),
		hostConfig(`"RestartPolicy":{"Name":"always"},"AutoRemove":true`, "can't create 'AutoRemove' container with restart policy"),
		{"POST", create, `{"Image":"testbox","HostConfig":{"Binds":["/a:rel"]}}`, 500, "invalid volume specification: '/a:rel'"},
		{"POST", create, `{"Image":"testbox","HostConfig":{"Binds":["/a:/b:bad"]}}`, 500, "invalid mode: bad"},
		hostConfig(`"Binds":["/tmp:/b","/tmp:/b"]`, "Duplicate mount point: /b"),
		hostConfig(`"PortBindings":{"80/tcp":[{"HostPort":"99999"}]}`, "invalid port specification"),
		hostConfig(`"LogConfig":{"Type":"foo"}`, "error looking up logging plugin foo: plugin \"foo\" not found"),
		hostConfig(`"CapAdd":["FOO"]`, `unknown capability: "CAP_FOO"`),
		{"POST", create, `{"Image":"testbox","HostConfig":{"SecurityOpt":["foo"]}}`, 500, `invalid --security-opt 1: "foo"`},
		{"POST", create, `{"Image":"testbox","HostConfig":{"SecurityOpt":["no-new-privileges","writable-cgroups","writable-cgroups=0","disable","label=type:x","foo=bar"]}}`, 500, `invalid --security-opt 2: "foo=bar"`},
		hostConfig(`"Mounts":[{"Type":"foo","Target":"/x"}]`, "mount type unknown"),
		hostConfig(`"Mounts":[{"Type":"bind","Source":"/nosuch/y","Target":"/x"}]`, "bind source path does not exist: /nosuch/y"),
		hostConfig(`"IpcMode":"bogus"`, "invalid IPC mode: bogus"),
		hostConfig(`"VolumesFrom":["nosuch"]`, "No such container: nosuch"),
		hostConfig(`"Links":["nosuch:x"]`, "could not get container for nosuch: No such container: nosuch"),
		{"POST", box + "/kill?signal=FOO", "", 400, "invalid signal: FOO"},
		{"POST", box + "/wait?condition=bogus", "", 400, "invalid condition: \"bogus\""},
		{"POST", box + "/rename?name=", "", 400, "Neither old nor new names may be empty"},
		{"POST", box + "/resize?h=abc&w=5", "", 400, "invalid resize height"},
		{"POST", box + "/stop?t=abc", "", 500, `parsing "abc": invalid syntax`},
		{"POST", box + "/attach?stream=1", "", 200, ""},
		{"POST", box + "/attach?stream=1&detachKeys=ctrl-A,a", "", 400, "Invalid detach keys (ctrl-A,a) provided"},
		{"DELETE", box, "", 409, "container is running: stop the container before removing or force remove"},
		{"DELETE", box + "?link=1&force=1", "", 500, "Conflict, cannot remove the default link name of the container"},
		{"GET", box + "/logs", "", 400, "you must choose at least one stream"},
		{"GET", box + "/archive?path=/nosuch", "", 404, "Could not find the file /nosuch in container box"},
		{"PUT", box + "/archive?path=/nosuch", "", 404, "Could not find the file /nosuch in container box"},
		{"POST", box + "/update", "{", 400, "unexpected EOF"},
		{"POST", box + "/update", `{"Memory":1}`, 400, "Minimum memory limit allowed is 6MB"},
		{"POST", box + "/exec", "{}", 400, "No exec command specified"},
		{"POST", box + "/exec", `{"Cmd":"x"}`, 400, "cannot unmarshal string"},
		{"POST", box + "/exec", `{"Cmd":["x"],"DetachKeys":"foo"}`, 500, "Invalid escape keys (foo) provided"},
		{"POST", "/exec/nosuch/start", "{}", 404, "No such exec instance: nosuch"},
		{"POST", "/containers/nosuch/start", "", 404, "No such container: nosuch"},
		{"GET", "/containers/nosuch/json", "", 404, "No such container: nosuch"},
		{"GET", "/containers/json?filters=x", "", 400, ""},
		{"GET", "/containers/json?filters=%7B%22foo%22:%5B%22x%22%5D%7D", "", 400, "invalid filter 'foo'"},
		{"GET", "/containers/json?limit=abc", "", 500, `parsing "abc": invalid syntax`},
		{"POST", "/volumes/create", `{"Name":"a b"}`, 400, `"a b" includes invalid characters for a local volume name`},
		{"POST", "/volumes/create", `{"Name":"../x"}`, 400, "includes invalid characters"},
		{"POST", "/networks/create", `{"Name":"bridge"}`, 403, "operation is not permitted on predefined bridge network"},
		{"POST", "/networks/create", `{"Name":"nx","IPAM":{"Config":[{"Subnet":"x"}]}}`, 400, "invalid"},
		{"DELETE", "/networks/bridge", "", 403, "bridge is a pre-defined network and cannot be removed"},
		{"DELETE", "/images/testbox", "", 409, "conflict: unable to remove repository reference \"testbox\" (must force)"},
		{"POST", "/images/testbox/tag?repo=A%20B", "", 400, "invalid reference format"},
		{"GET", "/images/nosuch/json", "", 404, "No such image: nosuch:latest"},
		{"POST", "/commit?container=box&changes=FOO%20x", "{}", 400, "FOO is not a valid change command"},
		{"GET", "/nosuch", "", 404, "page not found"},
		{"PUT", "/containers/json", "", 404, "page not found"},
		{"GET", "/v1.99/version", "", 400, "client version 1.99 is too new"},
		{"GET", "/v1.23/version", "", 400, "client version 1.23 is too old"},
		{"GET", "/swarm", "", 503, "This node is not a swarm manager"},
	}
}

// TestWrongRequests sends requests that are wrong and looks at status, words and whether anything was made. With XC_ORACLE
// that engine is asked too: it holds the table true.
func TestWrongRequests(t *testing.T) {
	e := start(t)
	all := []*engine{e}
	if host := os.Getenv("XC_ORACLE"); host != "" {
		o := &engine{t: t, host: host}
		o.must("load", "-i", kit.image)
		t.Cleanup(func() { o.docker("rm", "-f", "box") })
		all = append(all, o)
	}
	for _, e := range all {
		e.must("run", "-d", "--name", "box", "testbox", "sleep", "1000")
	}
	before := e.footprint()
	for _, w := range wrongs() {
		for _, e := range all {
			var body io.Reader
			if w.body != "" || w.path == "/containers/create" {
				body = strings.NewReader(w.body)
			}
			status, said := e.raw(w.method, w.path, body, asJSON)
			if status != w.status || !strings.Contains(said, w.says) {
				t.Errorf("%s: %s %s %s: %d %q, want %d %q", e.host, w.method, w.path, w.body, status, said, w.status, w.says)
			}
		}
	}
	if got := e.must("ps", "-a", "--format", "{{.Names}} {{.State}}"); got != "box running" {
		t.Errorf("containers: %s", got)
	}
	e.asBefore(before)
}

// endless gives one byte over and over until it is closed.
type endless struct {
	fill byte
	sent int64
}

func (r *endless) Read(b []byte) (int, error) {
	if r.sent > 4<<30 {
		return 0, errors.New("four gigabytes were taken")
	}
	for i := range b {
		b[i] = r.fill
	}
	r.sent += int64(len(b))
	return len(b), nil
}

// TestBodiesWithoutEnd sends bodies that do not end, end too early, or are no archive: nothing is made of them.
func TestBodiesWithoutEnd(t *testing.T) {
	e := start(t)
	image, err := os.ReadFile(kit.image)
	if err != nil {
		t.Fatal(err)
	}
	e.must("create", "--name", "box", "testbox", "true")
	e.must("rmi", "-f", "testbox") // so that it would show if it were loaded
	images := e.must("images", "-aq")
	e.must("cp", "box:/etc/passwd", "-") // its root was mounted once
	before, holds := e.footprint(), e.holds()
	half := image[:len(image)/2]
	for _, tc := range []struct {
		method, path string
		body         func() io.Reader
		header       http.Header
		least        int // the smallest status that is right
	}{
		{"POST", "/containers/create", func() io.Reader { return &endless{fill: ' '} }, asJSON, 400},
		{"POST", "/containers/create", func() io.Reader { return &endless{fill: '['} }, asJSON, 400},
		{"POST", "/containers/box/exec", func() io.Reader { return &endless{fill: ' '} }, asJSON, 400},
		{"POST", "/volumes/create", func() io.Reader { return &endless{fill: ' '} }, asJSON, 400},
		{"POST", "/images/load", func() io.Reader { return &endless{fill: 'x'} }, asTar, 200},
		{"POST", "/images/load", func() io.Reader { return bytes.NewReader(half) }, asTar, 200},
		{"POST", "/images/load", func() io.Reader { return strings.NewReader("") }, asTar, 200},
		{"POST", "/images/create?fromSrc=-&repo=junk", func() io.Reader { return &endless{fill: 'x'} }, asTar, 200},
		{"POST", "/images/create?fromSrc=-&repo=junk", func() io.Reader { return bytes.NewReader(half) }, asTar, 200},
		{"PUT", "/containers/box/archive?path=/", func() io.Reader { return &endless{fill: 'x'} }, asTar, 400},
		{"POST", "/build", func() io.Reader { return &endless{fill: 'x'} }, asTar, 400},
	} {
		status, said := e.raw(tc.method, tc.path, tc.body(), tc.header)
		if said == "" || status < tc.least {
			t.Errorf("%s %s: %d %q", tc.method, tc.path, status, said)
		}
	}
	for _, path := range []string{"/images/load", "/images/create?fromSrc=-&repo=junk"} {
		e.breaksOff("POST", path, half)
	}
	e.breaksOff("POST", "/containers/create", []byte(`{"Image":"box","Env":["`))
	if got := e.must("images", "-aq"); got != images {
		t.Errorf("images: %q, were %q", got, images)
	}
	e.asBefore(before)
	e.holdsNoMore(holds)
}

// breaksOff sends a part of a body that was announced longer, and goes.
func (e *engine) breaksOff(method, path string, part []byte) {
	e.t.Helper()
	c, err := net.Dial("unix", strings.TrimPrefix(e.host, "unix://"))
	if err != nil {
		e.t.Fatal(err)
	}
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: d\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", method, path, "application/json", len(part)*2)
	c.Write(part) //nolint:errcheck // the daemon may refuse at once
	c.Close()
}
