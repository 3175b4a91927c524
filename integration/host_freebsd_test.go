package integration

import (
	"net"
	"strings"
	"testing"
)

// hostState lists what a daemon with this directory could leave: mounts below it, interfaces, jails and pf anchors of ours.
func hostState(t *testing.T, dir string) []string {
	t.Helper()
	var state []string
	add := func(what, prefix string, cmd ...string) {
		out, err := output(cmd[0], cmd[1:]...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, prefix) {
				state = append(state, what+" "+strings.TrimSpace(line))
			}
		}
	}
	add("mount", dir+"/", "mount", "-p")
	add("jail", "xc-", "jls", "name")
	add("process", dir+"/", "ps", "-axww", "-o", "command")
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		state = append(state, "interface "+i.Name)
	}
	return state
}
