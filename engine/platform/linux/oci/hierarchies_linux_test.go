package oci_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

// layoutMark in the environment makes the test binary rearrange control groups in the mount namespace it was started in,
// unless that was done already.
const (
	layoutMark = "XC_TEST_HIERARCHIES"
	layoutDone = "done"
)

const groupRoot = "/sys/fs/cgroup"

// dependent are the cases in which control groups matter, or the runtime does that only another layout lets run.
const dependent = "^(ExitStatus|NotExecutable|Terminal|Exec.*|Kill|Pause|Stats|Processes|MemoryLimit|Update|Sandboxes|Remove.*|HostNamespaces|Peers|SharedMemory|Limits|ControlGroup|Interrupted|Seccomp)$"

// TestOtherHierarchies runs the suite again as on hosts with other control groups than this one: version 2 alone (with the
// controllers that no version 1 hierarchy has taken), and version 1 alone, on which crun works that refuses a hybrid host.
func TestOtherHierarchies(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("containers need root")
	}
	if os.Getenv(layoutMark) != "" || testing.Short() {
		t.Skip("once is enough")
	}
	groups, err := cgroup.Find()
	if err != nil {
		t.Skip(err)
	}
	for _, layout := range []string{"v1", "v2"} {
		if groups.Unified() == (layout == "v2") && len(groups.V1) == 0 {
			continue // this host has it, or cannot have it
		}
		t.Run(layout, func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self, "-test.run=^TestConformance$/./"+dependent, "-test.v")
			cmd.Env = append(os.Environ(), layoutMark+"="+layout)
			cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			for _, m := range regexp.MustCompile(`(?m)^    --- (PASS|SKIP): (TestConformance/\w+)`).FindAllStringSubmatch(string(out), -1) {
				t.Log(m[1], m[2])
			}
		})
	}
}

// arrange mounts another layout of hierarchies in this process's own mount namespace.
func arrange(layout string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if layout == "v2" {
		if err := clearGroups(); err != nil {
			return err
		}
		return unix.Mount("cgroup2", groupRoot, "cgroup2", 0, "")
	}
	groups, err := cgroup.Find()
	if err != nil {
		return err
	}
	stage, err := os.MkdirTemp("", "xc-test-groups-")
	if err != nil {
		return err
	}
	defer os.Remove(stage) //nolint:errcheck // an empty directory
	if err := unix.Mount("tmpfs", stage, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, point := range groups.V1 {
		at := filepath.Join(stage, filepath.Base(point))
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(point, at, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	if err := clearGroups(); err != nil {
		return err
	}
	return unix.Mount(stage, groupRoot, "", unix.MS_MOVE, "")
}

// clearGroups unmounts everything at and below the usual place of control groups.
func clearGroups() error {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(info)), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		point := strings.Fields(lines[i])[4]
		if point != groupRoot && !strings.HasPrefix(point, groupRoot+"/") {
			continue
		}
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}
