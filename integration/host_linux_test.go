package integration

import (
	"bufio"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hostState lists what a daemon with this directory could leave: mounts below it, processes that name it, and all interfaces,
// nftables tables and control groups of ours.
func hostState(t *testing.T, dir string) []string {
	t.Helper()
	var state []string
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			state = append(state, "mount "+fields[4])
		}
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		state = append(state, "interface "+i.Name)
	}
	if out, err := output("nft", "list", "tables"); err == nil {
		for line := range strings.Lines(out) {
			state = append(state, "nft "+strings.TrimSpace(line))
		}
	}
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		if cmd, err := os.ReadFile(p); err == nil && strings.Contains(string(cmd), dir+"/") {
			state = append(state, "process "+strings.ReplaceAll(string(cmd), "\x00", " "))
		}
	}
	return append(state, controlGroups(t)...)
}

func controlGroups(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a group that went while we looked
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), "xc-") {
			found = append(found, "control group "+path)
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
