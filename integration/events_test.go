package integration

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// story is what happened since a moment, one event a line: type, action and the attributes that are asked for.
func (e *engine) story(since time.Time, attributes ...string) []string {
	e.t.Helper()
	format := "{{.Type}} {{.Action}}"
	for _, a := range attributes {
		format += fmt.Sprintf(`{{with index .Actor.Attributes %q}} %s={{.}}{{end}}`, a, a)
	}
	stamp := func(at time.Time) string { return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()) }
	return strings.Split(e.must("events", "--since", stamp(since), "--until", stamp(time.Now()), "--format", format), "\n")
}

// The order is the one recorded of dockerd.
func TestEventOrder(t *testing.T) {
	e := start(t)
	e.must("volume", "create", "vol")
	begin := time.Now()
	tell := func(name string, want ...string) {
		t.Helper()
		got := e.story(begin, "signal", "exitCode", "destination")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		begin = time.Now()
	}
	e.must("run", "--rm", "--name", "box", "-v", "vol:/v", "testbox", "true")
	eventually(t, "the removal", func() bool { return strings.Contains(strings.Join(e.story(begin), "\n"), "destroy") })
	tell("run --rm", "container create", "container attach", "volume mount destination=/v", "network connect", "container start",
		"network disconnect", "volume unmount", "container die exitCode=0", "container destroy")

	e.must("run", "-d", "--name", "box", "testbox", "signals", "0")
	eventually(t, "ready", func() bool { return strings.Contains(e.must("logs", "box"), "ready") })
	tell("run -d", "container create", "network connect", "container start")
	e.must("kill", "-s", "USR1", "box")
	tell("kill", fmt.Sprint("container kill signal=", int(syscall.SIGUSR1)))
	e.must("stop", "box")
	tell("stop", "container kill signal=15", "network disconnect", "container stop", "container die exitCode=0")
	e.must("start", "box")
	eventually(t, "ready", func() bool { return strings.Count(e.must("logs", "box"), "ready") == 2 })
	tell("start", "network connect", "container start")
	e.must("restart", "box")
	tell("restart", "container kill signal=15", "network disconnect", "container stop", "container die exitCode=0",
		"network connect", "container start", "container restart")
	e.must("cp", "box:/etc/passwd", t.TempDir())
	tell("cp from", "container archive-path")
	e.must("rm", "-f", "box")
	tell("rm -f", "container kill signal=9", "network disconnect", "container die exitCode=137", "container destroy")
}
