package translate

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/storage"

	"github.com/xcengine/xc/engine"
)

// Inspect renders a container. size may be nil.
func Inspect(c engine.Container, size *engine.RootSize, v Version, host Host) container.InspectResponse {
	args := c.Spec.Process.Args()
	if len(args) == 0 {
		args = []string{""}
	}
	base := &container.ContainerJSONBase{
		ID: string(c.ID), Created: stamp(c.Created), Path: args[0], Args: append([]string{}, args[1:]...),
		State: state(c.Status), Image: string(c.Image), LogPath: c.LogPath, Name: "/" + c.Name, RestartCount: c.Status.Restarts,
		Driver: c.Driver, Platform: c.Platform.OS, HostConfig: hostConfig(c, host),
		GraphDriver: storage.DriverData{Name: c.Driver, Data: map[string]string{"ID": string(c.ID)}},
	}
	maps.Copy(base.GraphDriver.Data, c.Storage)
	if base.HostConfig.LogConfig.Type != "json-file" {
		base.LogPath = "" // of other drivers dockerd does not tell
	}
	// dockerd knows the engine's files from the first start on.
	if !c.Status.Started.IsZero() {
		base.ResolvConfPath = host.file(string(c.ID), "resolv.conf")
		base.HostnamePath = host.file(string(c.ID), "hostname")
		base.HostsPath = host.file(string(c.ID), "hosts")
	}
	for _, id := range c.Execs {
		base.ExecIDs = append(base.ExecIDs, string(id))
	}
	if size != nil {
		base.SizeRw, base.SizeRootFs = &size.Writable, &size.Total
	}
	resp := container.InspectResponse{
		ContainerJSONBase: base, Mounts: mountPoints(c.Mounts), Config: config(c), NetworkSettings: networkSettings(c, host),
	}
	apply(inspectRules, v, inspection{&resp, c.ID})
	return resp
}

// stamp renders a time as inspect shows it; the zero time is year 1.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// state renders a status. To Docker a container that waits for its restart runs.
func state(s engine.Status) *container.State {
	restarting := s.State == engine.StateRestarting
	return &container.State{
		Status: string(s.State), Running: s.State.Alive() || restarting, Paused: s.State == engine.StatePaused,
		Restarting: restarting, OOMKilled: s.OOMKilled, Dead: s.State == engine.StateDead, Pid: s.Pid, ExitCode: s.ExitCode,
		Error: s.Error, StartedAt: stamp(s.Started), FinishedAt: stamp(s.Finished), Health: health(s.Health),
	}
}

func health(h *engine.Health) *container.Health {
	if h == nil {
		return nil
	}
	out := &container.Health{Status: string(h.Status), FailingStreak: h.Failing, Log: []*container.HealthcheckResult{}}
	for _, p := range h.Log {
		out.Log = append(out.Log, &container.HealthcheckResult{Start: p.Start, End: p.End, ExitCode: p.ExitCode, Output: p.Output})
	}
	return out
}

// config gives back what was asked for, merged with the image's.
func config(c engine.Container) *container.Config {
	s := c.Spec
	out := &container.Config{
		Hostname: s.Hostname, Domainname: s.Domainname, User: s.Process.User, AttachStdin: s.AttachStdin,
		AttachStdout: s.AttachStdout, AttachStderr: s.AttachStderr, ExposedPorts: portSet(s.ExposedPorts), Tty: s.Process.TTY,
		OpenStdin: s.OpenStdin, StdinOnce: s.StdinOnce, Env: s.Process.Env, Cmd: s.Process.Cmd, Healthcheck: DockerHealth(s.Health),
		Image: s.ImageRef, WorkingDir: s.Process.WorkDir, Entrypoint: s.Process.Entrypoint, NetworkDisabled: s.Network.Disabled,
		OnBuild: s.OnBuild, Labels: s.Labels, StopSignal: s.StopSignal, StopTimeout: s.StopTimeout, Shell: s.Shell,
	}
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	if len(s.VolumePaths) > 0 {
		out.Volumes = map[string]struct{}{}
	}
	for _, p := range s.VolumePaths {
		out.Volumes[p] = struct{}{}
	}
	if e, ok := c.Endpoints[string(s.Network.Mode)]; ok && hasOwnNetwork(c) {
		out.MacAddress = e.Spec.MAC
	}
	return out
}

// DockerHealth gives a health check back; nil for none.
func DockerHealth(h *engine.HealthSpec) *container.HealthConfig {
	if h == nil {
		return nil
	}
	return &container.HealthConfig{
		Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries,
	}
}

// hostConfig gives back what was asked of the host, with dockerd's defaults filled in.
func hostConfig(c engine.Container, host Host) *container.HostConfig {
	s := c.Spec
	var e echo
	if len(s.Echo) > 0 {
		_ = json.Unmarshal(s.Echo, &e) // our own words; what another version wrote is left out
	}
	h := &container.HostConfig{
		ContainerIDFile: e.ContainerIDFile, LogConfig: container.LogConfig{Type: s.Log.Driver, Config: s.Log.Options},
		NetworkMode:     container.NetworkMode(s.Network.Mode),
		PortBindings:    portMap(s.Network.Bindings, e.PortBindings),
		RestartPolicy:   container.RestartPolicy{Name: container.RestartPolicyMode(s.Restart.Name), MaximumRetryCount: s.Restart.MaxRetries},
		AutoRemove:      s.AutoRemove,
		VolumeDriver:    s.VolumeDriver,
		VolumesFrom:     s.VolumesFrom,
		ConsoleSize:     [2]uint{uint(s.Process.ConsoleSize[0]), uint(s.Process.ConsoleSize[1])},
		Annotations:     s.Annotations,
		DNS:             strs(s.Network.DNS),
		DNSOptions:      s.Network.DNSOptions,
		DNSSearch:       s.Network.DNSSearch,
		ExtraHosts:      s.Network.ExtraHosts,
		GroupAdd:        s.Process.Groups,
		Cgroup:          e.Cgroup,
		Links:           links(c),
		OomScoreAdj:     s.Resources.OOMScoreAdj,
		PublishAllPorts: s.Network.PublishAll,
		ReadonlyRootfs:  s.ReadonlyRoot,
		StorageOpt:      s.StorageOpts,
		Tmpfs:           s.Tmpfs,
		ShmSize:         s.Resources.ShmSize,
		Runtime:         s.Runtime,
		Isolation:       e.Isolation,
		Resources:       dockerResources(s.Resources, host),
		Mounts:          dockerMounts(s.Mounts),
		Init:            s.Init,
	}
	h.CPUCount, h.KernelMemoryTCP = e.CPUCount, e.KernelMemoryTCP
	if e.Mounts != nil {
		h.Mounts = e.Mounts
	}
	for _, m := range s.Mounts {
		if m.Origin == engine.OriginBinds {
			h.Binds = append(h.Binds, m.Raw)
		}
	}
	setSecurity(h, s.Security)
	setDefaults(h, host)
	return h
}

func setSecurity(h *container.HostConfig, s engine.Security) {
	h.Privileged, h.CapAdd, h.CapDrop, h.SecurityOpt, h.Sysctls = s.Privileged, s.CapAdd, s.CapDrop, s.Options, s.Sysctls
	h.PidMode, h.IpcMode = container.PidMode(s.PidMode), container.IpcMode(s.IpcMode)
	h.UTSMode, h.UsernsMode = container.UTSMode(s.UTSMode), container.UsernsMode(s.UsernsMode)
	h.CgroupnsMode, h.MaskedPaths, h.ReadonlyPaths = container.CgroupnsMode(s.CgroupnsMode), s.MaskedPaths, s.ReadonlyPaths
}

// The paths that Docker hides or protects in a Linux container (oci/defaults.go of moby 28.5.2).
var (
	maskedPaths = []string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

func setDefaults(h *container.HostConfig, host Host) {
	if h.LogConfig.Type == "" {
		h.LogConfig.Type = host.LogDriver
	}
	if h.LogConfig.Config == nil {
		h.LogConfig.Config = map[string]string{}
	}
	if h.RestartPolicy.Name == "" {
		h.RestartPolicy.Name = container.RestartPolicyDisabled
	}
	if h.NetworkMode == "" || h.NetworkMode.IsDefault() {
		h.NetworkMode = network.NetworkBridge
	}
	if h.ShmSize == 0 {
		h.ShmSize = defaultShmSize
	}
	if h.Runtime == "" {
		h.Runtime = host.Runtime
	}
	if h.IpcMode == "" {
		h.IpcMode = container.IPCModePrivate
	}
	if h.CgroupnsMode == "" {
		h.CgroupnsMode = container.CgroupnsModeHost
		if host.CgroupVersion == "2" {
			h.CgroupnsMode = container.CgroupnsModePrivate
		}
	}
	if h.Privileged || host.OSType != "linux" {
		return
	}
	if h.MaskedPaths == nil {
		h.MaskedPaths = maskedPaths
	}
	if h.ReadonlyPaths == nil {
		h.ReadonlyPaths = readonlyPaths
	}
}

// links renders the links of the default network, which dockerd shows as "/container:/own name/alias".
func links(c engine.Container) []string {
	if container.NetworkMode(c.Spec.Network.Mode).IsUserDefined() {
		return nil
	}
	var out []string
	for _, l := range c.Spec.Network.Links {
		name, alias, ok := strings.Cut(strings.TrimPrefix(l, "/"), ":")
		if !ok {
			alias = name
		}
		alias = alias[strings.LastIndexByte(alias, '/')+1:]
		out = append(out, "/"+name+":/"+c.Name+"/"+alias)
	}
	return out
}

// netnsName is the file of a container's network stack among the others'. The host's has dockerd's name for it.
func netnsName(c engine.Container) string {
	if hasOwnStack(c) {
		return c.ID.Short()
	}
	return engine.HostNetNS
}

// networkSettings renders a container's networks, and the old copy of its place in the default one.
func networkSettings(c engine.Container, host Host) *container.NetworkSettings {
	n := &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{}}
	n.Ports = portsInForce(c)
	for name, e := range c.Endpoints {
		n.Networks[name] = endpointSettings(c, name, e)
	}
	if c.Status.State.Alive() && !joinsAnother(c) {
		n.SandboxID = string(c.ID)
		if host.NetnsDir != "" {
			n.SandboxKey = strings.TrimSuffix(host.NetnsDir, "/") + "/" + netnsName(c)
		}
	}
	if b, ok := n.Networks[network.NetworkBridge]; ok {
		n.DefaultNetworkSettings = container.DefaultNetworkSettings{
			EndpointID: b.EndpointID, Gateway: b.Gateway, GlobalIPv6Address: b.GlobalIPv6Address, GlobalIPv6PrefixLen: b.GlobalIPv6PrefixLen,
			IPAddress: b.IPAddress, IPPrefixLen: b.IPPrefixLen, IPv6Gateway: b.IPv6Gateway, MacAddress: b.MacAddress,
		}
	}
	return n
}
