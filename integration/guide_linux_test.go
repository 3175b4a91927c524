package integration

import (
	"os"
	"os/exec"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

const guideState = "/var/lib/xc"

// guideShell knows jobs without a terminal, as the reader's shell does with one.
var guideShell = []string{"bash", "--norc", "--noprofile", "-m"}

// guideEnd ends the daemon of a guide that was not followed to its end.
const guideEnd = "kill %1 %2; wait; xcd purge --state-dir " + guideState

// guideHome puts the test's own goroutine, and with it all that it starts, on a network and mounts of its own, and gives a home
// directory. Nothing of what the guide installs is seen by the host.
func guideHome(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "ip", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	home := t.TempDir()
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/run", "/usr/local/bin", "/usr/local/sbin", "/usr/local/etc", "/usr/local/share", "/var/lib", "/var/log"} {
		if err := unix.Mount("guide", dir, "tmpfs", 0, "mode=755"); err != nil {
			t.Skipf("%s cannot be covered: %v", dir, err)
		}
	}
	if out, err := output("ip", "link", "set", "lo", "up"); err != nil {
		t.Fatal(err, out)
	}
	return home
}

// guideDir is where the reader begins: the sources.
func guideDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir + "/.."
}

// guideImages are those that the guide names. Programs of FreeBSD do not run here: busybox stands for them.
func guideImages(t *testing.T) map[string]v1.Image {
	t.Helper()
	box := busyboxImage(t, "sh")
	return map[string]v1.Image{
		"library/busybox:1.36": box, "freebsdxc/freebsd:13.2": box,
		"library/mariadb:10.9": busyboxImage(t, "sh", "-c", `echo "ready, with the password ${MARIADB_ROOT_PASSWORD:?}"`),
	}
}

// guideLeft lists what the guide left on this machine outside of its own mounts and network.
func guideLeft(t *testing.T, p *guidePlace) []string {
	t.Helper()
	if p.owner == "" {
		t.Fatal("no daemon was started")
	}
	return controlGroups(t, p.owner)
}
