package jailer

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/jail"
	"github.com/xcengine/xc/engine/platform/freebsd/linuxulator"
	"github.com/xcengine/xc/engine/platform/freebsd/mount"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
)

// minMemory is the least memory in bytes that a container is given, as dockerd has it.
const minMemory = 6 << 20

// findings collects what is wrong and what will have no effect.
type findings struct {
	warnings []string
	errs     []error
}

func (f *findings) warn(when bool, format string, args ...any) {
	if when {
		f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
	}
}

func (f *findings) refuse(when bool, format string, args ...any) {
	if when {
		f.errs = append(f.errs, fmt.Errorf(format, args...))
	}
}

func (f *findings) add(errs ...error) {
	f.errs = append(f.errs, slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}

// check finds everything that is wrong with a spec in itself, in dockerd's words where dockerd has them.
func check(s engine.SandboxSpec, h host) ([]string, error) {
	var f findings
	f.platform(s.Platform, h)
	f.resources(s.Spec.Resources, h)
	f.modes(s.Spec)
	f.security(s.Spec.Security, h)
	w, errs := readWish(s.Spec)
	f.add(errs...)
	c, err := configOf(s, w, h, "")
	f.add(err)
	if err == nil {
		_, err = jail.Params(c)
		f.add(err)
		f.known(c, h)
		f.warn(c.VNET && slices.ContainsFunc(s.Spec.Security.CapDrop, func(c string) bool { return capName(c) == "NET_RAW" }),
			"capability NET_RAW is not dropped: root in a jail with a network stack of its own always has it")
		f.sysctls(s.Spec.Security.Sysctls, h, c.VNET)
	}
	f.datasets(w.Datasets, h)
	for target, options := range s.Spec.Tmpfs {
		_, err := mount.Plan{Mounts: []engine.Mount{{Kind: engine.MountTmpfs, Target: target, Options: strings.Split(options, ",")}}}.Render()
		f.add(err)
	}
	for _, m := range s.Spec.Mounts {
		f.warn(m.Propagation != "" && strings.TrimPrefix(m.Propagation, "r") != "private", "mount propagation %s at %s has no effect on FreeBSD", m.Propagation, m.Target)
	}
	if len(f.errs) == 0 {
		return f.warnings, nil
	}
	return f.warnings, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: engine.Problems(f.errs)}
}

// datasets refuses those that are not there or are not as the image needs them.
func (f *findings) datasets(wanted []engine.JailDataset, h host) {
	for _, d := range wanted {
		have, err := h.dataset(d.Name, append(slices.Sorted(maps.Keys(d.Props)), "type"))
		if err != nil {
			f.add(fmt.Errorf("dataset %s: %w", d.Name, err))
			continue
		}
		f.add(fit(d, have)...)
	}
}

func (f *findings) platform(p engine.Platform, h host) {
	switch p.OS {
	case "", "freebsd":
	case "linux":
		for _, missing := range linuxulator.Check(h.linux) {
			if missing.Breaks == linuxulator.BreaksSome {
				f.warn(true, "%s: %s (%s)", missing.What, missing.Breaks, missing.Mend)
				continue
			}
			f.refuse(true, "%s: %s (%s)", missing.What, missing.Breaks, missing.Mend)
		}
	default:
		f.refuse(true, "image operating system %q cannot be used on this platform: operating system is not supported", p.OS)
	}
	f.refuse(p.Architecture != "" && p.Architecture != h.arch, "an image for the architecture %s cannot run on this host (%s)", p.Architecture, h.arch)
}

func (f *findings) resources(r engine.Resources, h host) {
	f.refuse(r.Memory != 0 && r.Memory < minMemory, "Minimum memory limit allowed is 6MB")
	f.refuse(r.Memory > 0 && r.MemorySwap > 0 && r.MemorySwap < r.Memory, "Minimum memoryswap limit should be larger than memory limit, see usage")
	f.refuse(r.Memory == 0 && r.MemorySwap > 0, "You should always set the Memory limit when using Memoryswap limit, see usage")
	f.refuse(r.NanoCPUs > 0 && r.CPUPeriod > 0, "Conflicting options: Nano CPUs and CPU Period cannot both be set")
	f.refuse(r.NanoCPUs > 0 && r.CPUQuota > 0, "Conflicting options: Nano CPUs and CPU Quota cannot both be set")
	f.refuse(r.NanoCPUs < 0 || r.NanoCPUs > int64(h.processors)*1e9, "range of CPUs is from 0.01 to %[1]d.00, as there are only %[1]d CPUs available", h.processors)
	f.refuse(r.ShmSize < 0, "SHM size can not be less than 0")
	f.refuse(len(r.DeviceCgroupRules) > 0, "device cgroup rules do not exist on FreeBSD: show devices with a label, %sNAME=\"path bpf* unhide\"", engine.LabelDevfs)
	for _, d := range r.Devices {
		_, err := deviceRule(d)
		f.add(err)
	}
	_, err := processors(r.CPUSetCPUs, h.processors)
	f.add(err)
	f.ulimits(r.Ulimits)
	limited := r.Memory > 0 || r.NanoCPUs > 0 || r.CPUQuota > 0 || r.PidsLimit != nil && *r.PidsLimit > 0
	f.warn(limited && !h.racct, "limits of memory, processors and processes are discarded: this kernel does not account for them (put kern.racct.enable=1 in /boot/loader.conf and restart the host)")
	f.warn(r.MemorySwap > 0 && r.MemorySwap != 2*r.Memory && h.racct, "the limit of swap is discarded: FreeBSD counts memory that was promised, not what is in use")
	f.warn(r.CPUShares != 0, "CPU shares are discarded: FreeBSD has none")
	f.warn(r.CPUSetMems != "", "the memory nodes of a cpuset are discarded: FreeBSD has none for jails")
	f.warn(r.CPURealtimePeriod != 0 || r.CPURealtimeRuntime != 0, "CPU real-time limits are discarded: FreeBSD has none")
	f.warn(r.MemoryReservation != 0, "the memory reservation is discarded: FreeBSD has none")
	f.warn(r.KernelMemory != 0, "the limit of kernel memory is discarded: FreeBSD has none")
	f.warn(r.Swappiness != nil && *r.Swappiness != -1, "the swappiness is discarded: FreeBSD has none")
	f.warn(r.OOMKillDisable != nil && *r.OOMKillDisable, "OomKillDisable is discarded: FreeBSD cannot do without")
	f.warn(r.OOMScoreAdj != 0, "the OOM score is discarded: FreeBSD has none")
	f.warn(r.BlkioWeight != 0 || len(r.BlkioWeightDevice) > 0, "block I/O weights are discarded: FreeBSD has none")
	f.warn(len(r.ReadBps)+len(r.WriteBps)+len(r.ReadIOps)+len(r.WriteIOps) > 0, "block I/O limits of single devices are discarded: FreeBSD has none")
	f.warn(r.CgroupParent != "", "the cgroup parent is discarded: FreeBSD has no control groups")
}

// linuxLimits are ulimits that setrlimit(2) of FreeBSD does not know.
var linuxLimits = []string{"locks", "msgqueue", "nice", "rtprio", "rttime", "sigpending"}

// rlimits are the numbers of sys/resource.h.
var rlimits = map[string]int{
	"cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "memlock": 6, "nproc": 7, "nofile": 8, "sbsize": 9, "as": 10,
	"npts": 11, "swap": 12, "kqueues": 13, "umtxp": 14,
}

func (f *findings) ulimits(given []engine.Ulimit) {
	for _, u := range given {
		name := strings.ToLower(u.Name)
		_, known := rlimits[name]
		f.warn(slices.Contains(linuxLimits, name), "the ulimit %s is discarded: FreeBSD has none", name)
		f.refuse(!known && !slices.Contains(linuxLimits, name), "invalid ulimit type: %s", u.Name)
		f.refuse(uint64(u.Soft) > uint64(u.Hard), "ulimit soft limit must be less than or equal to hard limit: %d > %d", u.Soft, u.Hard)
	}
}

func (f *findings) modes(s engine.Spec) {
	sec := s.Security
	f.refuse(sec.PidMode == "host", "pid mode host: a jail never sees the host's processes")
	f.refuse(strings.HasPrefix(sec.PidMode, "container:"), "pid mode %s: jails do not share their processes", sec.PidMode)
	f.refuse(strings.HasPrefix(sec.IpcMode, "container:") && sec.IpcMode != string(s.Network.Mode), "ipc mode %s: on FreeBSD this needs the same container's network, --network %[1]s", sec.IpcMode)
	f.refuse(s.ReadonlyRoot && slices.ContainsFunc(s.Mounts, func(m engine.MountSpec) bool { return path.Clean(m.Target) == "/" }), "a mount at / cannot stand over a read-only root")
}

func (f *findings) security(s engine.Security, h host) {
	for _, opt := range s.Options {
		sep := "="
		if !strings.Contains(opt, sep) {
			sep = ":"
		}
		key, value, _ := strings.Cut(opt, sep)
		off := value == "unconfined" || value == "disable" || key == "disable"
		switch key {
		case "no-new-privileges":
			f.refuse(value != "" && value != "true" && value != "false", "invalid --security-opt 2: %q", opt)
			f.warn(value != "false" && !h.noNewPrivs, "no-new-privileges is discarded: this kernel cannot do it")
		case "seccomp", "apparmor", "label", "systempaths", "disable", "writable-cgroups":
			f.warn(!off && key != "label" && key != "writable-cgroups" && value != "builtin", "the security option %s is discarded: FreeBSD has none", key)
		default:
			f.refuse(true, "invalid --security-opt 2: %q", opt)
		}
	}
	for _, c := range s.CapAdd {
		f.capability(c, h, s.Privileged)
	}
	for _, c := range s.CapDrop {
		f.refuse(!isCapability(c), "invalid capability: %q", c)
		f.warn(slices.Contains(kept, capName(c)), "capability %s is not dropped: root in a jail always has it", capName(c))
	}
}

func (f *findings) capability(c string, h host, privileged bool) {
	name := capName(c)
	f.refuse(!isCapability(c), "invalid capability: %q", c)
	f.warn(slices.Contains(never, name) && !privileged, "capability %s is not added: a jail cannot have it", name)
	for _, allow := range capAllows[name] {
		f.warn(!h.knows("allow."+allow), "capability %s is not added: this kernel has no allow.%s", name, allow)
	}
}

// sysctls refuses what cannot be a jail's own.
func (f *findings) sysctls(wanted map[string]string, h host, vnet bool) {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		v, err := h.sysctl(name)
		if err != nil {
			f.refuse(true, "sysctl %s: FreeBSD has none of that name", name)
			continue
		}
		f.add(v.Refusal(sysctl.Setting{Name: name, Value: wanted[name]}, vnet))
	}
}

// known refuses parameters that this kernel does not have, and tells which module would bring them.
func (f *findings) known(c jail.Config, h host) {
	for name := range c.Params {
		hint := ""
		if fs, ok := strings.CutPrefix(name, "allow.mount."); ok {
			hint = fmt.Sprintf(" (kldload %s)", strings.TrimPrefix(fs, "no"))
		}
		f.refuse(!h.knows(name), "jail parameter %s: this kernel has none of that name%s", name, hint)
	}
}
