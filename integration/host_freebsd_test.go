package integration

import (
	"strings"
	"testing"
)

// leftovers lists what a daemon with this directory and mark left on the host: mounts and processes that name the directory,
// and interfaces and jails with the mark.
func leftovers(t *testing.T, dir, owner string) []string {
	t.Helper()
	var left []string
	for _, look := range []struct {
		what, mark string
		cmd        []string
	}{
		{"mount", dir + "/", []string{"mount", "-p"}},
		{"process", dir + "/", []string{"ps", "-axww", "-o", "command"}},
		{"interface", owner, []string{"ifconfig", "-a"}},
		{"jail", dir + "/", []string{"jls", "name", "path"}},
	} {
		out, err := output(look.cmd[0], look.cmd[1:]...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", look.cmd, err, out)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, look.mark) {
				left = append(left, look.what+" "+strings.TrimSpace(line))
			}
		}
	}
	return left
}

// rules lists the redirections in the anchor that all daemons fill.
func rules(t *testing.T, _ string) []string {
	t.Helper()
	out, err := output("pfctl", "-a", "xc-rdr", "-s", "nat")
	if err != nil {
		return nil // pf is off
	}
	var found []string
	for line := range strings.Lines(out) {
		found = append(found, "pf "+strings.TrimSpace(line))
	}
	return found
}
