package translate

import (
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// checkModes refuses modes that exclude other wishes, as dockerd does while it decodes. c may be nil.
func checkModes(c *container.Config, h *container.HostConfig, host Host) error {
	if c == nil {
		c = &container.Config{}
	}
	mode := h.NetworkMode
	shares := mode == "container" || mode.IsContainer()
	switch {
	case shares && mode.ConnectedContainer() == "":
		return invalidf("invalid network mode: invalid container format container:<name|id>")
	case shares && c.Hostname != "":
		return invalidf("conflicting options: hostname and the network mode")
	case shares && len(h.Links) > 0:
		return invalidf("conflicting options: container type network can't be used with links. This would result in undefined behavior")
	case shares && len(h.DNS) > 0:
		return invalidf("conflicting options: dns and the network mode")
	case shares && len(h.ExtraHosts) > 0:
		return invalidf("conflicting options: custom host-to-IP mapping and the network mode")
	case shares && (len(h.PortBindings) > 0 || h.PublishAllPorts):
		return invalidf("conflicting options: port publishing and the container type network mode")
	case shares && len(c.ExposedPorts) > 0:
		return invalidf("conflicting options: port exposing and the container type network mode")
	case h.UTSMode.IsHost() && c.Hostname != "":
		return invalidf("conflicting options: hostname and the UTS mode")
	case mode.IsHost() && len(h.Links) > 0:
		return invalidf("conflicting options: host type networking can't be used with links. This would result in undefined behavior")
	case !h.Isolation.IsDefault():
		return invalidf("invalid isolation (%s): %s only supports 'default'", h.Isolation, host.OSType)
	case h.IOMaximumBandwidth != 0:
		return invalidf("invalid option: QoS maximum bandwidth configuration is not supported on %s", host.OSType)
	case h.IOMaximumIOps != 0:
		return invalidf("invalid option: QoS maximum IOPs configuration is not supported on %s", host.OSType)
	}
	return nil
}

// checkConfig refuses what is wrong with the portable half of a request.
func checkConfig(c *container.Config) error {
	if c.WorkingDir != "" && !path.IsAbs(c.WorkingDir) {
		return invalidf("the working directory '%s' is invalid, it needs to be an absolute path", c.WorkingDir)
	}
	if c.StopSignal != "" {
		if _, err := parseSignal(c.StopSignal); err != nil {
			return err
		}
	}
	for _, env := range c.Env {
		if name, _, _ := strings.Cut(env, "="); name == "" {
			return invalidf("invalid environment variable: %s", env)
		}
	}
	for p := range c.Volumes {
		if p != "" {
			p = "/" + p // one that is not absolute is in the root, as with an image's
		}
		if why := badTarget(p); why != "" {
			return invalidf("%s", why)
		}
	}
	if err := checkText(c); err != nil {
		return err
	}
	return checkHealth(c.Healthcheck)
}

// checkText refuses NUL characters, which no system call takes, and host names that none holds.
func checkText(c *container.Config) error {
	for what, list := range map[string][]string{
		"command": c.Cmd, "entrypoint": c.Entrypoint, "environment": c.Env, "working directory": {c.WorkingDir},
		"user": {c.User}, "hostname": {c.Hostname}, "domainname": {c.Domainname},
	} {
		for _, s := range list {
			if strings.ContainsRune(s, 0) {
				return invalidf("invalid %s: it contains a NUL character", what)
			}
		}
	}
	if len(c.Hostname) > 255 || strings.ContainsAny(c.Hostname, " \t\n/") {
		return invalidf("invalid hostname: %q", c.Hostname)
	}
	return nil
}

func checkHealth(h *container.HealthConfig) error {
	if h == nil {
		return nil
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Interval", h.Interval}, {"Timeout", h.Timeout}, {"StartPeriod", h.StartPeriod}, {"StartInterval", h.StartInterval}} {
		if d.value != 0 && d.value < container.MinimumDuration {
			return invalidf("%s in Healthcheck cannot be less than %s", d.name, container.MinimumDuration)
		}
	}
	if h.Retries < 0 {
		return invalidf("Retries in Healthcheck cannot be negative")
	}
	return nil
}

// checkHostConfig refuses what is wrong with the other half, in the order in which dockerd looks.
func checkHostConfig(h *container.HostConfig, host Host) error {
	if h.AutoRemove && !h.RestartPolicy.IsNone() {
		return invalidf("can't create 'AutoRemove' container with restart policy")
	}
	for _, m := range h.Mounts {
		if err := checkMount(m); err != nil {
			return err
		}
	}
	for _, check := range []func(*container.HostConfig) error{checkExtraHosts, checkPolicy, checkCapabilities, checkAnnotations, checkDevices, checkLinks} {
		if err := check(h); err != nil {
			return err
		}
	}
	if err := checkResources(h.Resources, host, false); err != nil {
		return err
	}
	if err := checkNamespaces(h); err != nil {
		return err
	}
	if !host.knowsRuntime(h.Runtime) {
		return invalidf("unknown or invalid runtime name: %s", h.Runtime)
	}
	for target := range h.Tmpfs {
		if why := badTarget(target); why != "" {
			return invalidf("%s", why)
		}
	}
	for _, from := range h.VolumesFrom {
		if err := checkVolumesFrom(from); err != nil {
			return err
		}
	}
	return nil
}

func checkExtraHosts(h *container.HostConfig) error {
	for _, extra := range h.ExtraHosts {
		name, ip, ok := strings.Cut(extra, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t\n") {
			return invalidf("bad format for add-host: %q", extra)
		}
		if _, err := netip.ParseAddr(strings.Trim(ip, "[]")); err != nil && ip != "host-gateway" {
			return invalidf("invalid IP address in add-host: %q", ip)
		}
	}
	return nil
}

func checkPolicy(h *container.HostConfig) error { return checkRestart(h.RestartPolicy) }

func checkRestart(p container.RestartPolicy) error {
	if err := container.ValidateRestartPolicy(p); err != nil {
		return invalidf("%s", err)
	}
	return nil
}

// capabilityNames are those of Linux 5.9 and later (capabilities(7)). The platform tells which it has.
var capabilityNames = strings.Fields(`AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN
	DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN
	NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE
	SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`)

func checkCapabilities(h *container.HostConfig) error {
	for _, list := range []struct {
		name string
		caps []string
	}{{"CapAdd", h.CapAdd}, {"CapDrop", h.CapDrop}} {
		for _, c := range list.caps {
			name := strings.TrimPrefix(strings.ToUpper(c), "CAP_")
			if !slices.Contains(capabilityNames, name) && name != "ALL" {
				return invalidf("invalid %s: unknown capability: %q", list.name, "CAP_"+name)
			}
		}
	}
	return nil
}

func checkAnnotations(h *container.HostConfig) error {
	if _, ok := h.Annotations[""]; ok {
		return invalidf("invalid Annotations: the empty string is not permitted as an annotation key")
	}
	return nil
}

// checkDevices refuses what would change a container's meaning if it were left out.
func checkDevices(h *container.HostConfig) error {
	for _, r := range h.DeviceRequests {
		return invalidf("could not select device driver %q with capabilities: %v", r.Driver, r.Capabilities)
	}
	for _, d := range h.Devices {
		if d.PathOnHost == "" || strings.Trim(d.CgroupPermissions, "rwm") != "" {
			return invalidf("invalid device: %s:%s:%s", d.PathOnHost, d.PathInContainer, d.CgroupPermissions)
		}
	}
	if h.ConsoleSize[0] > 65535 || h.ConsoleSize[1] > 65535 {
		return invalidf("invalid console size: %d by %d", h.ConsoleSize[0], h.ConsoleSize[1])
	}
	return nil
}

// checkLinks refuses links that are not "container[:alias]"; dockerd answers 500.
func checkLinks(h *container.HostConfig) error {
	for _, l := range h.Links {
		if l == "" {
			return faultf("empty string specified for links")
		}
		if strings.Count(l, ":") > 1 {
			return faultf("bad format for links: %s", l)
		}
	}
	return nil
}

func checkNamespaces(h *container.HostConfig) error {
	switch {
	case !h.IpcMode.Valid():
		return invalidf("invalid IPC mode: %v", h.IpcMode)
	case !h.PidMode.Valid():
		return invalidf("invalid PID mode: %v", h.PidMode)
	case h.ShmSize < 0:
		return invalidf("SHM size can not be less than 0")
	case !h.UTSMode.Valid():
		return invalidf("invalid UTS mode: %v", h.UTSMode)
	case !h.UsernsMode.Valid():
		return invalidf("invalid USER mode: %v", h.UsernsMode)
	case !h.Cgroup.Valid():
		return invalidf("invalid cgroup mode: %v", h.Cgroup)
	case h.OomScoreAdj < -1000 || h.OomScoreAdj > 1000:
		return invalidf("Invalid value %d, range for oom score adj is [-1000, 1000]", h.OomScoreAdj)
	case !h.CgroupnsMode.Valid():
		return invalidf("invalid cgroup namespace mode: %v", h.CgroupnsMode)
	}
	return nil
}

// checkSecurityOption returns an option's name; dockerd answers 500 to one that it does not know. The separator may be a
// colon, as it once was.
func checkSecurityOption(o string) (string, error) {
	switch o {
	case "no-new-privileges", "writable-cgroups", "disable": // the last is an old form of label=disable
		return o, nil
	}
	name, value, ok := strings.Cut(o, "=")
	if !ok {
		name, value, ok = strings.Cut(o, ":")
	}
	switch {
	case !ok:
		return "", faultf("invalid --security-opt 1: %q", o)
	case name == "label", name == "apparmor", name == "seccomp", o == "systempaths=unconfined":
		return name, nil
	case name == "no-new-privileges", name == "writable-cgroups":
		if _, err := strconv.ParseBool(value); err == nil {
			return name, nil
		}
	}
	return "", faultf("invalid --security-opt 2: %q", o)
}

// CheckRef refuses the empty name of a container.
func CheckRef(ref string) error {
	if ref == "" {
		return invalidf("invalid name or ID supplied: %q", ref)
	}
	return nil
}

// CheckStart refuses what a start request once could say and what it asks of checkpoints, which there are none of.
func CheckStart(bodyLength int64, checkpoint string) error {
	if bodyLength > 7 || bodyLength == -1 {
		return invalidf("starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")
	}
	if checkpoint != "" {
		return invalidf("checkpoint is only supported in experimental mode")
	}
	return nil
}
