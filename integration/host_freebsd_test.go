package integration

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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

// openTerminal makes a terminal and returns both of its ends.
func openTerminal() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}
