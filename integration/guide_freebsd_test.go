package integration

import (
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const guideState = "/var/db/xc"

var guideShell = []string{"sh"}

// guideEnd ends the daemon of a guide that was not followed to its end.
const guideEnd = "service xcd stop; xcd purge"

// guideHome gives a home directory. The guide installs xc on this machine and removes it at its end, so it must be allowed.
func guideHome(t *testing.T) string {
	t.Helper()
	if os.Getenv("XC_GUIDE") == "" {
		t.Skip("the guide installs xc on this machine: XC_GUIDE names the directory of its package if that may be")
	}
	return t.TempDir()
}

// guideDir is where the reader begins: beside the package.
func guideDir(*testing.T) string { return os.Getenv("XC_GUIDE") }

// guideImages are those that the guide names, FreeBSD's of the static programs of this machine.
func guideImages(t *testing.T) map[string]v1.Image {
	t.Helper()
	files, links := map[string][]byte{}, map[string]string{}
	program, err := os.ReadFile("/rescue/sh") // all of /rescue are links to one file
	if err != nil {
		t.Fatal(err)
	}
	files["bin/sh"] = program
	for _, name := range []string{"echo", "cat", "ls", "ping", "hostname"} {
		if _, err := os.Stat(filepath.Join("/rescue", name)); err != nil {
			t.Fatal(err)
		}
		links["bin/"+name] = "bin/sh"
	}
	system := guideImage(t, "freebsd", []string{"/bin/sh"}, files, links)
	return map[string]v1.Image{
		"library/busybox:1.36": busyboxImage(t, "sh"), "freebsdxc/freebsd:13.2": system, "freebsd/freebsd-runtime:14.3": system,
		"library/mariadb:10.9": busyboxImage(t, "sh", "-c", `echo "ready, with the password ${MARIADB_ROOT_PASSWORD:?}"`),
	}
}

// guideLeft lists what the guide left on this machine.
func guideLeft(t *testing.T, _ *guidePlace) (left []string) {
	t.Helper()
	for _, path := range []string{guideState, "/usr/local/sbin/xcd", "/usr/local/bin/xc", "/var/run/xc.sock"} {
		if _, err := os.Stat(path); err == nil {
			left = append(left, path)
		}
	}
	return left
}
