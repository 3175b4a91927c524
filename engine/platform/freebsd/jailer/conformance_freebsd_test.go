package jailer_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/platform/freebsd/jail/launch"
	"github.com/xcengine/xc/engine/platform/freebsd/jailer"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/runtimetest"
	"github.com/xcengine/xc/engine/shim"
)

var _ lifecycle.Runtime = (*jailer.Runtime)(nil)

func TestMain(m *testing.M) {
	launch.Stage(os.Args)
	runtimetest.Main(m, func(r *reaper.Reaper) shim.Launcher { return launch.New(r) })
}

func TestConformance(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("jails need root")
	}
	runtimetest.Run(t, runtimetest.Platform{
		Image: engine.Platform{OS: "freebsd", Architecture: runtime.GOARCH},
		Open: func(t *testing.T, state string, _ engine.Owner) lifecycle.Runtime {
			r, err := jailer.New(jailer.Config{
				StateDir: state, DevfsFirst: 900, Run: runner.Host{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			return r
		},
		Leftovers: leftovers,
	})
}

// leftovers looks for what the runtime and its containers can leave in the kernel and on disk.
func leftovers(t *testing.T, state string, _ engine.Owner) []string {
	t.Helper()
	var left []string
	mounts, err := exec.Command("/sbin/mount", "-v").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, state) {
			left = append(left, "mount "+line)
		}
	}
	jails, err := exec.Command("/usr/sbin/jls", "path").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(jails)) {
		if strings.Contains(line, state) {
			left = append(left, "jail at "+line)
		}
	}
	dirs, err := filepath.Glob(filepath.Join(state, "jails", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return append(left, dirs...)
}
