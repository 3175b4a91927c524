package oci

import (
	"runtime"
	"strings"

	"github.com/xcengine/xc/engine"
)

// osRelease decodes the format of os-release(5).
func osRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		values[key] = value
	}
	return values
}

// capabilitiesOf says what this host and program can do. release is /etc/os-release's text.
func capabilitiesOf(h host, p program, kernelRelease, machine, release string) engine.Capabilities {
	system := osRelease(release)
	c := engine.Capabilities{
		OSType: runtime.GOOS, Architecture: machine, Pause: h.limits.Freezer, Propagation: true,
		MemoryLimit: h.limits.Memory, SwapLimit: h.limits.Swap, CPUShares: h.limits.CPUShares, CPUQuota: h.limits.CPUQuota,
		CPUSet: h.limits.CPUSet, PidsLimit: h.limits.Pids, OOMKillDisable: h.limits.OOMKillDisable,
		CgroupVersion: h.groups.Version(), CgroupDriver: "cgroupfs",
		KernelVersion: kernelRelease, OperatingSystem: system["PRETTY_NAME"], OSVersion: system["VERSION_ID"],
		NCPU: h.processors, MemTotal: h.memory, Runtime: runtimeName(p), RuntimePath: p.Path,
	}
	if c.OperatingSystem == "" {
		c.OperatingSystem = "Linux"
	}
	if h.seccomp != nil {
		c.Security = append(c.Security, "name=seccomp,profile=builtin")
	}
	if h.cgroupNamespaces && h.groups.Unified() {
		c.Security = append(c.Security, "name=cgroupns")
	}
	c.Warnings = hostWarnings(h)
	return c
}

// runtimeName is a program's name and version, of "runc version 1.1.5+ds1" or "crun version 1.8.1".
func runtimeName(p program) string {
	return p.name() + " " + strings.TrimSpace(p.Version[strings.LastIndexByte(p.Version, ' ')+1:])
}

// hostWarnings are dockerd's, of limits that the host cannot hold and its administrator could let it.
func hostWarnings(h host) []string {
	v2 := h.groups.Unified()
	throttle := func(file, key string) string {
		if v2 {
			return "No io.max (" + key + ") support"
		}
		return "No blkio throttle." + file + " support"
	}
	var warnings []string
	for _, w := range []struct {
		missing bool
		text    string
	}{
		{!h.limits.Memory, "No memory limit support"},
		{!h.limits.Swap, "No swap limit support"},
		{!h.limits.OOMKillDisable && !v2, "No oom kill disable support"},
		{!h.limits.CPUQuota, "No cpu cfs quota support"},
		{!h.limits.CPUQuota, "No cpu cfs period support"},
		{!h.limits.CPUShares, "No cpu shares support"},
		{!h.limits.CPUSet, "No cpuset support"},
		{!h.limits.Pids, "No pids limit support"},
		{!h.limits.BlkioWeight && v2, "No io.weight support"},
		{!h.limits.ReadBps, throttle("read_bps_device", "rbps")},
		{!h.limits.WriteBps, throttle("write_bps_device", "wbps")},
		{!h.limits.ReadIOps, throttle("read_iops_device", "riops")},
		{!h.limits.WriteIOps, throttle("write_iops_device", "wiops")},
	} {
		if w.missing {
			warnings = append(warnings, "WARNING: "+w.text)
		}
	}
	return warnings
}
