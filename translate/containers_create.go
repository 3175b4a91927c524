package translate

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"encoding/json"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"github.com/xcengine/xc/engine"
)

// CreateQuery is what a create request says beside its body.
type CreateQuery struct {
	Name, Platform string
	Version        Version
}

// Create turns a create request into the engine's words. It takes the body over. The warnings are about the request itself;
// the answer holds the engine's too.
func Create(body container.CreateRequest, q CreateQuery, host Host) (engine.CreateRequest, []string, error) {
	c := &creation{Config: body.Config, hc: body.HostConfig, net: body.NetworkingConfig, host: host, platform: q.Platform}
	if c.hc == nil {
		c.hc = &container.HostConfig{}
	} else if err := checkModes(c.Config, c.hc, host); err != nil {
		return engine.CreateRequest{}, nil, err
	}
	if c.Config == nil {
		return engine.CreateRequest{}, nil, invalidf("config cannot be empty in order to create a container")
	}
	if c.net == nil {
		c.net = &network.NetworkingConfig{}
	}
	nameDefaultNetwork(c)
	if apply(createRules, q.Version, c); c.err != nil {
		return engine.CreateRequest{}, nil, c.err
	}
	req, err := c.request()
	req.Name = q.Name
	if name := strings.TrimPrefix(q.Name, "/"); name != "" {
		req.Name = name
	}
	return req, c.warnings, err
}

// nameDefaultNetwork replaces the network mode "default", and the endpoint of that name, by "bridge".
func nameDefaultNetwork(c *creation) {
	if c.hc.NetworkMode != "" && !c.hc.NetworkMode.IsDefault() {
		return
	}
	c.hc.NetworkMode = network.NetworkBridge
	if e, ok := c.net.EndpointsConfig[network.NetworkDefault]; ok {
		c.net.EndpointsConfig[network.NetworkBridge] = e
		delete(c.net.EndpointsConfig, network.NetworkDefault)
	}
}

// request checks and reads what the rules have left.
func (c *creation) request() (req engine.CreateRequest, err error) {
	if c.platform != "" {
		if req.Platform, err = Platform(c.platform, c.host); err != nil {
			return req, err
		}
	}
	if err := checkConfig(c.Config); err != nil {
		return req, err
	}
	if err := checkHostConfig(c.hc, c.host); err != nil {
		return req, err
	}
	if c.hc.NetworkMode.IsHost() && len(c.hc.PortBindings) > 0 {
		c.warnings = append(c.warnings, "Published ports are discarded when using host network mode")
	}
	for _, m := range c.hc.Mounts {
		if m.Type == mount.TypeImage {
			c.warnings = append(c.warnings, "Image mount is an experimental feature")
		}
	}
	if req.Endpoints, err = endpoints(c.net.EndpointsConfig); err != nil {
		return req, err
	}
	req.Spec, err = c.spec()
	return req, err
}

// spec reads Config and HostConfig, which were checked.
func (c *creation) spec() (s engine.Spec, err error) {
	s = specOfConfig(c.Config)
	if s.ExposedPorts, err = exposedPorts(c.ExposedPorts); err != nil {
		return s, err
	}
	h := c.hc
	var unbound nat.PortMap
	if s.Network, unbound, err = networkSpec(h, c.NetworkDisabled); err != nil {
		return s, err
	}
	if s.Mounts, err = mounts(h, c.roNonRecursive); err != nil {
		return s, err
	}
	if s.Resources, err = resources(h); err != nil {
		return s, err
	}
	s.Process.Groups, s.Process.ConsoleSize = h.GroupAdd, [2]uint16{uint16(h.ConsoleSize[0]), uint16(h.ConsoleSize[1])}
	s.Annotations, s.VolumesFrom, s.VolumeDriver, s.Tmpfs = h.Annotations, h.VolumesFrom, h.VolumeDriver, h.Tmpfs
	s.ReadonlyRoot, s.StorageOpts, s.AutoRemove, s.Init, s.Runtime = h.ReadonlyRootfs, h.StorageOpt, h.AutoRemove, h.Init, h.Runtime
	s.Restart = engine.RestartPolicy{Name: engine.RestartMode(h.RestartPolicy.Name), MaxRetries: h.RestartPolicy.MaximumRetryCount}
	if s.Restart.Name == "" {
		s.Restart = engine.RestartPolicy{Name: engine.RestartNo}
	}
	s.Log = engine.LogSpec{Driver: h.LogConfig.Type, Options: h.LogConfig.Config}
	if s.Security, err = security(h); err != nil {
		return s, err
	}
	s.Echo = echoOf(h, s.Mounts, unbound)
	return s, nil
}

func specOfConfig(c *container.Config) engine.Spec {
	s := engine.Spec{
		ImageRef: c.Image, Hostname: c.Hostname, Domainname: c.Domainname, Labels: c.Labels,
		Process: engine.ProcessSpec{
			Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, WorkDir: c.WorkingDir, User: c.User, TTY: c.Tty,
		},
		VolumePaths: slices.Sorted(maps.Keys(c.Volumes)), StopSignal: c.StopSignal, StopTimeout: c.StopTimeout,
		Health: Health(c.Healthcheck), OnBuild: c.OnBuild, Shell: c.Shell, OpenStdin: c.OpenStdin, StdinOnce: c.StdinOnce,
		AttachStdin: c.AttachStdin, AttachStdout: c.AttachStdout, AttachStderr: c.AttachStderr,
	}
	if c.WorkingDir != "" {
		s.Process.WorkDir = path.Clean(c.WorkingDir)
	}
	return s
}

// Health reads a health check; nil when none is declared.
func Health(h *container.HealthConfig) *engine.HealthSpec {
	if h == nil {
		return nil
	}
	return &engine.HealthSpec{
		Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries,
	}
}

func networkSpec(h *container.HostConfig, disabled bool) (n engine.NetworkSpec, unbound nat.PortMap, err error) {
	n = engine.NetworkSpec{
		Mode: engine.NetworkMode(h.NetworkMode), Disabled: disabled, PublishAll: h.PublishAllPorts, DNSSearch: h.DNSSearch,
		DNSOptions: h.DNSOptions, ExtraHosts: h.ExtraHosts, Links: h.Links,
	}
	if n.DNS, err = addresses("DNS server", h.DNS); err != nil {
		return n, nil, err
	}
	n.Bindings, unbound, err = portBindings(h.PortBindings)
	return n, unbound, err
}

// security reads how far the container is kept apart. As dockerd does it notes that no labels separate a container that
// shares its host's processes.
func security(h *container.HostConfig) (engine.Security, error) {
	s := engine.Security{
		Privileged: h.Privileged, CapAdd: h.CapAdd, CapDrop: h.CapDrop, Options: h.SecurityOpt, Sysctls: h.Sysctls,
		PidMode: string(h.PidMode), IpcMode: string(h.IpcMode), UTSMode: string(h.UTSMode), UsernsMode: string(h.UsernsMode),
		CgroupnsMode: string(h.CgroupnsMode), MaskedPaths: h.MaskedPaths, ReadonlyPaths: h.ReadonlyPaths,
	}
	labelled := false
	for _, o := range s.Options {
		name, err := checkSecurityOption(o)
		if err != nil {
			return s, err
		}
		labelled = labelled || name == "label" || name == "disable"
	}
	if !labelled && (h.IpcMode.IsHost() || h.PidMode.IsHost() || h.Privileged) {
		s.Options = append(slices.Clip(s.Options), "label=disable")
	}
	return s, nil
}

// echo is what a HostConfig says that has no meaning for the engine, in the member names of the API.
type echo struct {
	ContainerIDFile string               `json:",omitempty"`
	Isolation       container.Isolation  `json:",omitempty"`
	Cgroup          container.CgroupSpec `json:",omitempty"`
	CPUCount        int64                `json:"CpuCount,omitempty"`
	KernelMemoryTCP int64                `json:",omitempty"`
	PortBindings    nat.PortMap          `json:",omitempty"` // ports without a binding
	Mounts          []mount.Mount        `json:",omitempty"` // when they were given otherwise than we would
}

func echoOf(h *container.HostConfig, specs []engine.MountSpec, unbound nat.PortMap) []byte {
	e := echo{
		ContainerIDFile: h.ContainerIDFile, Isolation: h.Isolation, Cgroup: h.Cgroup, CPUCount: h.CPUCount,
		KernelMemoryTCP: h.KernelMemoryTCP, PortBindings: unbound,
	}
	if !reflect.DeepEqual(h.Mounts, dockerMounts(specs)) {
		e.Mounts = h.Mounts
	}
	data, err := json.Marshal(e)
	if err != nil || string(data) == "{}" {
		return nil // it cannot fail: all of it was decoded from JSON
	}
	return data
}

// dockerMounts gives back what came as HostConfig.Mounts.
func dockerMounts(specs []engine.MountSpec) []mount.Mount {
	var out []mount.Mount
	for _, s := range specs {
		if s.Origin == engine.OriginMounts {
			out = append(out, dockerMount(s))
		}
	}
	return out
}

// Created answers a create request.
func Created(r engine.CreateResult, warnings []string) container.CreateResponse {
	// An empty list, never null: clients go through it.
	return container.CreateResponse{ID: string(r.ID), Warnings: append(append([]string{}, r.Warnings...), warnings...)}
}
