package oci

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	own, err := cgroup.OwnUnified()
	if err != nil {
		return h, err
	}
	h.limits = h.groups.Support(own)
	status, err := ownStatus()
	if err != nil {
		return h, err
	}
	// What this process has; nothing else can be given to a container.
	mask, err := strconv.ParseUint(status["CapEff"], 16, 64)
	if err != nil {
		return h, fmt.Errorf("read own capabilities: %w", err)
	}
	h.capabilities = capabilitiesIn(mask)
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
		h.seccomp = expander(status["Seccomp"] != "0" || hasX32())
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

// ownStatus reads lines of /proc/self/status.
func ownStatus() (map[string]string, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	status := map[string]string{}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.TrimSpace(value)
	}
	return status, nil
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

// expander renders Docker's profile, or one given as JSON in its form, for this architecture and kernel.
//
// Runc spends most of its time on a filter's rules, which it makes anew for each process and architecture. An architecture
// whose calls the kernel does not have needs none: without x32 a start and an exec take a tenth to a fifth less.
func expander(x32 bool) func(string, []string) (*specs.LinuxSeccomp, error) {
	return func(profile string, capabilities []string) (*specs.LinuxSeccomp, error) {
		s := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: capabilities}}}
		var out *specs.LinuxSeccomp
		var err error
		if profile == "" {
			out, err = seccomp.GetDefaultProfile(s)
		} else {
			out, err = seccomp.LoadProfile(profile, s)
		}
		if err != nil {
			return nil, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: err}
		}
		if out != nil && !x32 {
			out.Architectures = slices.DeleteFunc(out.Architectures, func(a specs.Arch) bool { return a == specs.ArchX32 })
		}
		return out, nil
	}
}

// kernel returns the kernel's release and the machine's name as uname(1) prints them.
func kernel() (release, machine string, err error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]), nil
}
