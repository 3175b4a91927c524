package oci

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// minMemory is the least memory in bytes that a container is given; below it the OCI runtime itself does not get through.
const minMemory = 6 << 20

// check collects everything that is wrong with a spec in itself, in dockerd's words where dockerd has them.
func check(s engine.SandboxSpec, h host) (warnings []string, err error) {
	var errs []error
	add := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if os := s.Platform.OS; os != "" && os != "linux" {
		add(fmt.Errorf("image operating system %q cannot be used on this platform: operating system is not supported", os))
	}
	possible, warnings := honour(s.Spec.Resources, h.limits)
	errs = append(errs, checkResources(possible, h)...)
	errs = append(errs, checkModes(s.Spec.Security)...)
	add(checkSecurity(s.Spec.Security, h))
	add(checkSysctls(s.Spec))
	add(checkTargets(s.Spec))
	for target, options := range s.Spec.Tmpfs {
		if _, err := tmpfsOptions(strings.Split(options, ",")); err != nil {
			add(fmt.Errorf("%w for %s", err, target))
		}
	}
	if len(errs) == 0 {
		return warnings, nil
	}
	return warnings, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: engine.Problems(errs)}
}

// overProc are the files of /proc that a mount may stand upon: programs that tell a container of its own limits do (runc's
// rootfs_linux.go has the same list). Upon others it would deceive the runtime when it shuts the process in.
var overProc = []string{"cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev", "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"}

func checkTargets(s engine.Spec) error {
	targets := slices.Concat(slices.Collect(maps.Keys(s.Tmpfs)), s.VolumePaths)
	for _, m := range s.Mounts {
		if path.Clean(m.Target) != "/proc" || path.Clean(m.Source) != "/proc" {
			targets = append(targets, m.Target)
		}
	}
	for _, target := range targets {
		below, inside := strings.CutPrefix(path.Clean(target)+"/", "/proc/")
		if inside && !slices.Contains(overProc, strings.TrimSuffix(below, "/")) {
			return fmt.Errorf("%q cannot be mounted because it is inside /proc", path.Clean(target))
		}
	}
	return nil
}

func checkResources(r engine.Resources, h host) (errs []error) {
	invalid := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	invalid(r.Memory != 0 && r.Memory < minMemory, "Minimum memory limit allowed is 6MB")
	invalid(r.Memory > 0 && r.MemorySwap > 0 && r.MemorySwap < r.Memory, "Minimum memoryswap limit should be larger than memory limit, see usage")
	invalid(r.Memory == 0 && r.MemorySwap > 0, "You should always set the Memory limit when using Memoryswap limit, see usage")
	invalid(r.Swappiness != nil && (*r.Swappiness < 0 || *r.Swappiness > 100), "Invalid value: %v, valid memory swappiness range is 0-100", deref(r.Swappiness))
	invalid(r.MemoryReservation > 0 && r.MemoryReservation < minMemory, "Minimum memory reservation allowed is 6MB")
	invalid(r.Memory > 0 && r.MemoryReservation > r.Memory, "Minimum memory limit can not be less than memory reservation limit, see usage")
	invalid(r.NanoCPUs > 0 && r.CPUPeriod > 0, "Conflicting options: Nano CPUs and CPU Period cannot both be set")
	invalid(r.NanoCPUs > 0 && r.CPUQuota > 0, "Conflicting options: Nano CPUs and CPU Quota cannot both be set")
	invalid(r.NanoCPUs > 0 && !h.limits.CPUQuota, "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted")
	invalid(r.NanoCPUs < 0 || r.NanoCPUs > int64(h.processors)*1e9, "range of CPUs is from 0.01 to %[1]d.00, as there are only %[1]d CPUs available", h.processors)
	invalid(r.CPUShares < 0, "invalid CPU shares (%d): must be a positive integer", r.CPUShares)
	invalid(r.CPUPeriod != 0 && (r.CPUPeriod < 1000 || r.CPUPeriod > 1000000), "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
	invalid(r.CPUQuota > 0 && r.CPUQuota < 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)")
	invalid(r.BlkioWeight > 0 && (r.BlkioWeight < 10 || r.BlkioWeight > 1000), "Range of blkio weight is from 10 to 1000")
	invalid(r.ShmSize < 0, "SHM size can not be less than 0")
	invalid(r.OOMScoreAdj < -1000 || r.OOMScoreAdj > 1000, "Invalid value %d, range for oom score adj is [-1000, 1000]", r.OOMScoreAdj)
	errs = append(errs, checkSet("cpus", "CPUs", r.CPUSetCPUs, h.limits.CPUs), checkSet("mems", "memory nodes", r.CPUSetMems, h.limits.Mems))
	errs = append(errs, checkUlimits(r.Ulimits)...)
	_, err := parseDeviceRules(r.DeviceCgroupRules)
	errs = append(errs, err)
	for _, d := range r.Devices {
		invalid(strings.Trim(d.Access, "rwm") != "" || len(d.Access) > 3, "invalid access of device %q: %q is not made of r, w and m", d.HostPath, d.Access)
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func deref(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// checkSet compares a cpuset list with what the host has.
func checkSet(field, words, asked, available string) error {
	want, err := parseSet(asked)
	if err != nil {
		//lint:ignore ST1005 Docker's words
		return fmt.Errorf("Invalid value %s for cpuset %s: %w", asked, field, err)
	}
	have, err := parseSet(available)
	if err != nil {
		return fmt.Errorf("read the host's %s: %w", words, err)
	}
	for n := range want {
		if !have[n] {
			//lint:ignore ST1005 Docker's words
			return fmt.Errorf("Requested %s are not available - requested %s, available: %s", words, asked, available)
		}
	}
	return nil
}

// maxProcessor bounds the numbers in a cpuset list, as the kernel's NR_CPUS does.
const maxProcessor = 8192

// parseSet decodes a list like "0-3,7" (cpuset(7)).
func parseSet(list string) (map[int]bool, error) {
	set := map[int]bool{}
	if list == "" {
		return set, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			return nil, fmt.Errorf("invalid format: %s", part)
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(to); err != nil {
				return nil, fmt.Errorf("invalid format: %s", part)
			}
		}
		if first < 0 || last < first || last >= maxProcessor {
			return nil, fmt.Errorf("invalid format: %s", part)
		}
		for n := first; n <= last; n++ {
			set[n] = true
		}
	}
	return set, nil
}

// ulimitNames are the limits that setrlimit(2) knows.
var ulimitNames = []string{
	"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
	"rttime", "sigpending", "stack",
}

func checkUlimits(given []engine.Ulimit) (errs []error) {
	for _, u := range given {
		switch {
		case !slices.Contains(ulimitNames, strings.ToLower(u.Name)):
			errs = append(errs, fmt.Errorf("invalid ulimit type: %s", u.Name))
		case rlimit(u.Soft) > rlimit(u.Hard):
			errs = append(errs, fmt.Errorf("ulimit soft limit must be less than or equal to hard limit: %d > %d", u.Soft, u.Hard))
		}
	}
	return errs
}

func checkModes(s engine.Security) (errs []error) {
	peer := func(mode string) bool { return strings.HasPrefix(mode, "container:") && mode != "container:" }
	for _, m := range []struct {
		name, mode string
		allowed    []string
		peers      bool
	}{
		{"IPC", s.IpcMode, []string{"", "none", "private", "shareable", "host"}, true},
		{"PID", s.PidMode, []string{"", "host"}, true},
		{"UTS", s.UTSMode, []string{"", "host"}, false},
		{"user namespace", s.UsernsMode, []string{"", "host"}, false},
		{"cgroup namespace", s.CgroupnsMode, []string{"", "private", "host"}, false},
	} {
		if !slices.Contains(m.allowed, m.mode) && !(m.peers && peer(m.mode)) {
			errs = append(errs, fmt.Errorf("invalid %s mode: %s", m.name, m.mode))
		}
	}
	return errs
}

func checkSecurity(s engine.Security, h host) error {
	o, err := parseOptions(s.Options)
	if err != nil {
		return err
	}
	if o.appArmor != "" && o.appArmor != unconfined && !h.appArmor {
		return fmt.Errorf("apparmor=%s: AppArmor is not enabled on this host", o.appArmor)
	}
	caps, err := capabilities(s.CapAdd, s.CapDrop, s.Privileged, h.capabilities)
	if err != nil {
		return err
	}
	_, err = seccompProfile(s, o, caps, h)
	return err
}

// ipcSysctls are the sysctls of an IPC namespace besides fs.mqueue.* (runc's libcontainer/configs/validate).
var ipcSysctls = []string{
	"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
	"kernel.shm_rmid_forced",
}

// checkSysctls refuses those that would be the host's.
func checkSysctls(s engine.Spec) error {
	for name := range s.Security.Sysctls {
		name = strings.ReplaceAll(name, "/", ".")
		switch {
		case strings.HasPrefix(name, "net."):
			if s.Network.Mode == "host" {
				return fmt.Errorf("sysctl %q not allowed in host network namespace", name)
			}
		case slices.Contains(ipcSysctls, name), strings.HasPrefix(name, "fs.mqueue."):
			if s.Security.IpcMode == "host" {
				return fmt.Errorf("sysctl %q is not allowed in the hosts ipc namespace", name)
			}
		case name == "kernel.domainname", name == "kernel.hostname":
			if s.Security.UTSMode == "host" {
				return fmt.Errorf("sysctl %q is not allowed in the hosts uts namespace", name)
			}
		default:
			return fmt.Errorf("sysctl %q is not in a separate kernel namespace", name)
		}
	}
	return nil
}
