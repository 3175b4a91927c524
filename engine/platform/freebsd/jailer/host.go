package jailer

import (
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine/platform/freebsd/linuxulator"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
)

// host is what deciding must know of the machine.
type host struct {
	arch       string // GOARCH's words
	release    string // "13.2-RELEASE"
	processors int
	racct      bool // kern.racct.enable
	noNewPrivs bool
	linux      linuxulator.State
	// secureLevel is kern.securelevel.
	secureLevel int
	knows       func(param string) bool // of jail parameters
	// dataset gives properties of a ZFS dataset, nil when it is not there.
	dataset func(name string, props []string) (map[string]string, error)
	sysctl  func(name string) (sysctl.Variable, error)
}

// version splits a release, "13.2-RELEASE-p4", into its numbers.
func version(release string) (major, minor int, ok bool) {
	v, _, _ := strings.Cut(release, "-")
	a, b, found := strings.Cut(v, ".")
	major, err := strconv.Atoi(a)
	if err != nil || !found {
		return 0, 0, false
	}
	minor, err = strconv.Atoi(b)
	return major, minor, err == nil
}

// older reports whether release a comes before b. What cannot be read is not older.
func older(a, b string) bool {
	a1, a2, ok1 := version(a)
	b1, b2, ok2 := version(b)
	return ok1 && ok2 && (a1 < b1 || a1 == b1 && a2 < b2)
}

// userland finds the release that an image's freebsd-version(1) names: a line USERLAND_VERSION="13.2-RELEASE-p4".
func userland(script string) string {
	for line := range strings.Lines(script) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "USERLAND_VERSION="); ok {
			v = strings.Trim(v, `"'`)
			if _, _, ok := version(v); ok {
				return v
			}
		}
	}
	return ""
}

// relDate is the __FreeBSD_version that a release began with, as near as its name tells.
func relDate(release string) int {
	major, minor, _ := version(release)
	return major*100_000 + minor*1000
}
