package integration

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// loopback is the interface of 127.0.0.1.
const loopback = "lo"

// asDockerd is what a build made as dockerd has it: as it is.
func asDockerd(built string) string { return built }

// The words of refusals that are the system's own.
const (
	refusesDevice = `error gathering device information while adding custom device "/dev/nope": no such file or directory`
	refusesColumn = `ps: error: unknown user-defined format specifier "nosuch"`
)

// untouched is the size that a container begins with.
var untouched = regexp.MustCompile(`^0B \(virtual `)

// stored lists what a daemon keeps outside of its directory: nothing.
func stored(testing.TB, string) []string { return nil }

// firstProcess is what goes before a command that --init was asked for.
const firstProcess = "1 /sbin/docker-init -- "

// leftovers lists what a daemon with this directory and mark left on the host: mounts below the directory, processes that
// name it, and interfaces, nftables tables and control groups with the mark.
func leftovers(t testing.TB, dir, owner string) []string {
	t.Helper()
	var left []string
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			left = append(left, "mount "+fields[4])
		}
	}
	for _, alias := range glob(t, "/sys/class/net/*/ifalias") {
		if mark, err := os.ReadFile(alias); err == nil && strings.Contains(string(mark), owner) {
			left = append(left, "interface "+filepath.Base(filepath.Dir(alias))+" "+strings.TrimSpace(string(mark)))
		}
	}
	if out, err := output("nft", "list", "tables"); err == nil {
		for line := range strings.Lines(out) {
			if strings.Contains(line, owner) {
				left = append(left, "nft "+strings.TrimSpace(line))
			}
		}
	}
	for _, p := range glob(t, "/proc/[0-9]*/cmdline") {
		if cmd, err := os.ReadFile(p); err == nil && strings.Contains(string(cmd), dir+"/") {
			left = append(left, "process "+strings.ReplaceAll(string(cmd), "\x00", " "))
		}
	}
	return append(left, controlGroups(t, owner)...)
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func controlGroups(t testing.TB, owner string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a group that went while we looked
		}
		if d.IsDir() && strings.Contains(path, owner) {
			found = append(found, "control group "+path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// rules lists the packet filter's rules of a daemon.
func rules(t testing.TB, owner string) []string {
	t.Helper()
	out, err := output("nft", "list", "ruleset")
	if err != nil {
		return nil
	}
	var found []string
	ours := false
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "table ") {
			ours = strings.Contains(line, owner)
		}
		if ours {
			found = append(found, "nft "+strings.TrimSpace(line))
		}
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
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

// outside makes another machine of a network namespace.
func outside(t *testing.T, mark string) machine {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("needs curl")
	}
	name := "xcit" + mark
	ip := func(args ...string) {
		t.Helper()
		if out, err := output("ip", args...); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	ip("netns", "add", name)
	t.Cleanup(func() { ip("netns", "del", name) })
	ip("link", "add", name+"h", "type", "veth", "peer", "name", "eth0", "netns", name)
	ip("addr", "add", besideAddr+"/24", "dev", name+"h")
	ip("link", "set", name+"h", "up")
	ip("-n", name, "addr", "add", outsideAddr+"/24", "dev", "eth0")
	ip("-n", name, "link", "set", "eth0", "up")
	return machine{outsideAddr, besideAddr, func(url string) (string, error) {
		return output("ip", "netns", "exec", name, "curl", "-s", "-m", "2", url)
	}}
}

// peerOf is the user and group of who connected to a socket.
func peerOf(fd int) string {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d:%d", c.Uid, c.Gid)
}
