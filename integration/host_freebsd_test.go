package integration

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// loopback is the interface of 127.0.0.1.
const loopback = "lo0"

// firstProcess goes before a command that --init was asked for: nothing, because a jail numbers no processes of its own and
// the shim reaps what is left in it anyway.
const firstProcess = " "

// leftovers lists what a daemon with this directory and mark left on the host: mounts, processes and jails that name the
// directory, and interfaces with the mark.
func leftovers(t testing.TB, dir, owner string) []string {
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

// stored lists the daemon's datasets.
func stored(t testing.TB, owner string) []string {
	t.Helper()
	if _, err := output("kldstat", "-q", "-m", "zfs"); err != nil {
		return nil
	}
	out, err := output("zfs", "list", "-H", "-o", "name")
	if err != nil {
		t.Fatalf("zfs list: %v\n%s", err, out)
	}
	var found []string
	for name := range strings.Lines(out) {
		if strings.Contains(name, "/"+owner) {
			found = append(found, "dataset "+strings.TrimSpace(name))
		}
	}
	return found
}

var linkModes = regexp.MustCompile(`(?m)^2 755 `)

// asDockerd words what this system makes of a build as Linux would: permissions of links, which are the umask's here; the PATH of
// an image without one; where a script is found; a setuid bit, which root's chown leaves; the loopback interface.
func asDockerd(built string) string {
	built = linkModes.ReplaceAllString(built, "2 777 ")
	return strings.NewReplacer(
		"PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"/.pipes/", "/dev/pipes/",
		"lo0  16384 [127.0.0.1/8 ::1/128 fe80::1/64]", "lo  65536 [127.0.0.1/8 ::1/128]",
		"0 4755 80:80 f ", "0 755 80:80 f ", "1 4755 80:80 g ", "1 755 80:80 g ",
	).Replace(built)
}

// The words of refusals that are the system's own, or the docker CLI's, which knows nothing of devices on FreeBSD.
const (
	refusesDevice = "unknown server OS: freebsd"
	refusesColumn = "ps: nosuch: keyword not found"
)

// untouched is the size that a container begins with: there are copies of the engine's files in its root.
var untouched = regexp.MustCompile(`^\d\d?(\.\d+)?kB \(virtual `)

// foreign finds the bridge of a daemon: to every other one it is an interface like any.
var foreign = regexp.MustCompile(`\bon xc([0-9a-f]{4})-`)

// rules lists what is in the daemon's anchors, but for what comes and goes with other daemons.
func rules(t testing.TB, owner string) []string {
	t.Helper()
	if _, err := os.Stat("/dev/pf"); err != nil {
		return nil // pf is off
	}
	var found []string
	for _, look := range [][2]string{{"xc-rdr", "nat"}, {"xc-nat", "nat"}, {"xc", "rules"}} {
		out, err := output("pfctl", "-q", "-a", look[0]+"/"+owner, "-s", look[1])
		if err != nil {
			t.Fatalf("pfctl: %v\n%s", err, out)
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "pfctl: ") {
				continue // an anchor that holds nothing is none
			}
			if m := foreign.FindStringSubmatch(line); m == nil || strings.HasPrefix(owner, m[1]) {
				found = append(found, "pf "+strings.TrimSpace(line))
			}
		}
	}
	return found
}

// outside makes another machine of a jail with a network stack of its own.
func outside(t *testing.T, mark string) machine {
	t.Helper()
	name := "xcit" + mark
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := output(name, args...)
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return out
	}
	near := run("ifconfig", "epair", "create")
	t.Cleanup(func() { run("ifconfig", near, "destroy") })
	far := strings.TrimSuffix(near, "a") + "b"
	run("jail", "-c", "name="+name, "path=/", "vnet", "persist")
	t.Cleanup(func() { run("jail", "-r", name) })
	run("ifconfig", far, "vnet", name)
	run("ifconfig", near, "inet", besideAddr+"/24", "up")
	run("jexec", name, "ifconfig", far, "inet", outsideAddr+"/24", "up")
	return machine{outsideAddr, besideAddr, func(url string) (string, error) {
		return output("jexec", name, "fetch", "-q", "-T", strconv.Itoa(int(kit.patience)*2), "-o", "-", url)
	}}
}

// openTerminal makes a terminal and returns both of its ends. /dev/ptmx is there only with pty(4): posix_openpt(2) always is.
func openTerminal() (master, slave *os.File, err error) {
	fd, _, errno := unix.Syscall(unix.SYS_POSIX_OPENPT, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return nil, nil, os.NewSyscallError("posix_openpt", errno)
	}
	master = os.NewFile(fd, "ptmx")
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

// peerOf is the user and group of who connected to a socket.
func peerOf(fd int) string {
	const solLocal = 0 // SOL_LOCAL of <sys/un.h>
	c, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d:%d", c.Uid, c.Groups[0])
}
