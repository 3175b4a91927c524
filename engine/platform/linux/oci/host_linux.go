package oci

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

// readHost looks at the machine. What depends on the OCI runtime is left for later.
func readHost(cfg Config) (host, error) {
	h := host{groupParent: "/xc-" + string(cfg.Owner), initPath: cfg.InitPath, processors: runtime.NumCPU(), appArmor: hasAppArmor()}
	var err error
	if h.groups, err = cgroup.Find(); err != nil {
		return h, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return h, err
	}
	h.limits = h.groups.Support(unifiedGroup(own))
	if h.capabilities, err = ownCapabilities(); err != nil {
		return h, err
	}
	adj, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return h, err
	}
	if h.oomScoreAdj, err = strconv.Atoi(strings.TrimSpace(string(adj))); err != nil {
		return h, err
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return h, err
	}
	h.memory = int64(info.Totalram) * int64(info.Unit)
	if hasSeccomp() {
		h.seccomp = expandProfile
	}
	h.cgroupNamespaces = exists("/proc/self/ns/cgroup")
	h.pingGroups = exists("/proc/sys/net/ipv4/ping_group_range")
	h.lowPorts = exists("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	h.thermalPaths, err = filepath.Glob("/sys/devices/system/cpu/cpu*/thermal_throttle")
	return h, err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// unifiedGroup finds the version 2 group in the format of /proc/<pid>/cgroup.
func unifiedGroup(text []byte) string {
	for line := range bytes.Lines(text) {
		if path, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("0::")); ok {
			return string(path)
		}
	}
	return "/"
}

// ownCapabilities lists what this process has: nothing else can be given to a container.
func ownCapabilities() ([]string, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if text, ok := strings.CutPrefix(s.Text(), "CapEff:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return capabilitiesIn(mask), err
		}
	}
	return nil, errors.Join(errors.New("/proc/self/status does not tell the capabilities"), s.Err())
}

// hasSeccomp asks the kernel for a filter without giving one: only a kernel that has them looks at the address.
func hasSeccomp() bool {
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0)
	return errors.Is(err, unix.EFAULT)
}

func hasAppArmor() bool {
	b, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && bytes.HasPrefix(b, []byte("Y")) && exists("/sys/kernel/security/apparmor")
}

// expandProfile renders Docker's profile, or one given as JSON in its form, for this architecture and kernel.
func expandProfile(profile string, capabilities []string) (*specs.LinuxSeccomp, error) {
	s := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: capabilities}}}
	if profile == "" {
		return seccomp.GetDefaultProfile(s)
	}
	out, err := seccomp.LoadProfile(profile, s)
	if err != nil {
		return nil, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: err}
	}
	return out, nil
}

// kernel returns the kernel's release and the machine's name as uname(1) prints them.
func kernel() (release, machine string, err error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]), nil
}
