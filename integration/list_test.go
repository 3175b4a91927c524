package integration

import (
	"strings"
	"testing"
)

func TestPsFilters(t *testing.T) {
	e := start(t)
	port := freePort(t)
	e.must("run", "-d", "--name", "a1", "-p", port+":8080", "-l", "x=y", "testbox", "sleep", "1000")
	e.must("create", "--name", "a2", "-v", "vol:/v", "testbox", "true")
	e.docker("run", "--name", "a3", "testbox", "sh", "-c", "exit 3")
	e.must("commit", "a3", "upon-testbox")
	e.must("create", "--name", "a4", "upon-testbox", "true")
	for filter, want := range map[string]string{
		"status=exited": "a3", "status=running": "a1", "status=created": "a4 a2", "exited=3": "a3", "exited=0": "",
		"name=^/a1$": "a1", "name=a[12]": "a2 a1", "label=x": "a1", "label=x=y": "a1", "label=x=n": "",
		"ancestor=testbox": "a4 a3 a2 a1", "ancestor=upon-testbox": "a4", "ancestor=nope": "", "before=a2": "a1", "since=a2": "a4 a3", "volume=vol": "a2", "volume=/v": "a2",
		"network=bridge": "a4 a3 a2 a1", "network=nope": "",
		"publish=" + port: "a1", "publish=8080": "", "expose=8080": "a1", "expose=8080-8081/tcp": "a1", "expose=8080/udp": "",
		"health=none": "a4 a3 a2 a1", "is-task=true": "", "id=zz": "",
	} {
		got := e.must("ps", "-a", "--filter", filter, "--format", "{{.Names}}")
		if got = strings.Join(strings.Fields(got), " "); got != want {
			t.Errorf("%s gives %q, want %q", filter, got, want)
		}
	}
	if got := e.must("ps", "-s", "--filter", "name=a1", "--format", "{{.Size}} {{.Ports}}"); !untouched.MatchString(got) || !strings.Contains(got, ":"+port+"->8080/tcp") {
		t.Errorf("size and ports: %q", got)
	}
}

// A container shows its image by the name it was made from for as long as that means the same image.
func TestPsImageThatLostItsName(t *testing.T) {
	e := start(t)
	id := e.must("image", "inspect", "-f", "{{.Id}}", "testbox")
	e.must("tag", "testbox", "other:1")
	e.must("create", "--name", "box", "other:1", "true")
	image := func() string { return e.must("ps", "-a", "--format", "{{.Image}}") }
	if got := image(); got != "other:1" {
		t.Errorf("image %q", got)
	}
	e.must("rmi", "-f", "other:1")
	if got, want := image(), id12(strings.TrimPrefix(id, "sha256:")); got != want {
		t.Errorf("without the name the image is %q, want %q", got, want)
	}
}
