package oci_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
	"github.com/xcengine/xc/engine/platform/linux/oci"
	"github.com/xcengine/xc/engine/platform/linux/oci/launch"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/runtimetest"
	"github.com/xcengine/xc/engine/shim"
)

var _ lifecycle.Runtime = (*oci.Runtime)(nil)

func TestMain(m *testing.M) {
	if layout := os.Getenv(layoutMark); layout != "" && layout != layoutDone {
		if err := arrange(layout); err != nil {
			fmt.Fprintln(os.Stderr, "control groups:", err)
			os.Exit(1)
		}
		os.Setenv(layoutMark, layoutDone) // for the supervisors, which this starts in the same namespace
	}
	runtimetest.Main(m, func(r *reaper.Reaper) shim.Launcher { return launch.New(r) })
}

// buildInit builds the containers' init program, which must run in a root that holds nothing else.
func buildInit(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("containers need root")
	}
	file := filepath.Join(t.TempDir(), "docker-init")
	cmd := exec.Command("go", "build", "-o", file, "./testdata/docker-init")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build docker-init: %v\n%s", err, out)
	}
	return file
}

func config(t *testing.T, name, init, state string, owner engine.Owner) oci.Config {
	return oci.Config{Runtime: name, StateDir: state, Owner: owner, InitPath: init, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

func TestConformance(t *testing.T) {
	init := buildInit(t)
	for _, name := range []string{"runc", "crun"} {
		t.Run(name, func(t *testing.T) {
			// One state directory keeps the trial's outcome for all of the suite's.
			tried := t.TempDir()
			first, err := oci.New(t.Context(), config(t, name, init, tried, engine.Owner(engine.NewID()[:8])))
			if err != nil {
				t.Skipf("%s cannot be tested here: %v", name, err)
			}
			if err := first.Close(); err != nil {
				t.Error(err)
			}
			runtimetest.Run(t, runtimetest.Platform{
				Image: engine.Platform{OS: "linux", Architecture: runtime.GOARCH},
				Open: func(t *testing.T, state string, owner engine.Owner) lifecycle.Runtime {
					if b, err := os.ReadFile(filepath.Join(tried, "oci-runtime.json")); err == nil {
						if err := os.WriteFile(filepath.Join(state, "oci-runtime.json"), b, 0o600); err != nil {
							t.Fatal(err)
						}
					}
					r, err := oci.New(t.Context(), config(t, name, init, state, owner))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() {
						if err := r.Close(); err != nil {
							t.Error(err)
						}
					})
					return r
				},
				Leftovers: leftovers,
			}, isolation()...)
		})
	}
}

// leftovers looks for what the runtime and its containers can leave in the kernel and on disk.
func leftovers(t *testing.T, state string, owner engine.Owner) []string {
	t.Helper()
	var left []string
	groups, err := cgroup.Find()
	if err != nil {
		t.Fatal(err)
	}
	below, err := groups.Children("/xc-" + string(owner))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range below {
		left = append(left, "control group "+name)
	}
	for _, pattern := range []string{"netns/*", "oci/*", "containers/*/bundle", "containers/*/shm", "oci-trial-*"} {
		found, err := filepath.Glob(filepath.Join(state, pattern))
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, found...)
	}
	host := filepath.Join(state, "netns", engine.HostNetNS) // stays with the directory
	return slices.DeleteFunc(left, func(path string) bool { return path == host })
}
