package oci

import (
	"fmt"
	"maps"
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
)

// specVersion is the oldest runtime-spec version that has all that is rendered here: a runtime may refuse a newer one.
const specVersion = "1.0.2"

// request is what one container's configuration is rendered from: what was asked for, and what was looked up for it.
type request struct {
	engine.SandboxSpec
	options options
	netns   string     // path of the network namespace, empty for the host's
	user    specs.User // resolved inside the root
	home    string     // the user's
	known   accounts.Files
	shm     string // host directory to bind at /dev/shm, empty for one of its own
	devices []specs.LinuxDevice
	rules   []specs.LinuxDeviceCgroup // for these devices
	numbers deviceNumbers
}

// render makes the runtime-spec configuration of a container. It asks the host nothing.
func render(r request, h host) (*specs.Spec, error) {
	caps, err := capabilities(r.Spec.Security.CapAdd, r.Spec.Security.CapDrop, r.Spec.Security.Privileged, h.capabilities)
	if err != nil {
		return nil, err
	}
	limits, err := containerResources(r, h)
	if err != nil {
		return nil, err
	}
	seccomp, err := seccompProfile(r.Spec.Security, r.options, caps, h)
	if err != nil {
		return nil, err
	}
	all, err := mounts(r, h)
	if err != nil {
		return nil, err
	}
	env := environment(r.Spec.Hostname, r.home, r.Spec.Process.TTY, r.Spec.Process.Env)
	masked, readonly := systemPaths(r.Spec.Security, r.options, h)
	s := &specs.Spec{
		Version:     specVersion,
		Process:     process(r.Spec.Process, mainArgs(r), env, r.user, caps, r, h),
		Root:        &specs.Root{Path: r.Root, Readonly: r.Spec.ReadonlyRoot},
		Hostname:    r.Spec.Hostname,
		Mounts:      all,
		Annotations: r.Spec.Annotations,
		Linux: &specs.Linux{
			Namespaces:        namespaces(r, h),
			CgroupsPath:       groupPath(h.groupParent, r.Spec.Resources.CgroupParent, r.ID),
			Resources:         limits,
			Devices:           r.devices,
			Seccomp:           seccomp,
			MaskedPaths:       masked,
			ReadonlyPaths:     readonly,
			Sysctl:            sysctls(r, h),
			RootfsPropagation: rootPropagation(r.Mounts),
		},
	}
	if r.Spec.Security.UTSMode == "host" {
		s.Hostname = ""
	}
	if r.Spec.Chained() {
		return s, chain(s.Process, r, r.known)
	}
	return s, nil
}

// renderExec makes the configuration of a further process. Its capabilities are the container's, or all.
func renderExec(r request, e engine.ExecSpec, h host) (*specs.Process, error) {
	sec := r.Spec.Security
	caps, err := capabilities(sec.CapAdd, sec.CapDrop, sec.Privileged || e.Privileged, h.capabilities)
	if err != nil {
		return nil, err
	}
	p := e.Process
	if p.WorkDir == "" {
		p.WorkDir = r.Spec.Process.WorkDir
	}
	env := environment(r.Spec.Hostname, r.home, p.TTY, r.Spec.Process.Env, p.Env)
	return process(p, p.Args(), env, r.user, caps, r, h), nil
}

// groupPath is the container's control group.
func groupPath(parent, asked string, id engine.ContainerID) string {
	if asked != "" {
		parent = asked
	}
	return path.Join("/", parent, string(id))
}

// containerResources renders the limits and the device rules.
func containerResources(r request, h host) (*specs.LinuxResources, error) {
	possible, _ := honour(r.Spec.Resources, h.limits)
	limits, err := resources(possible, r.numbers)
	if err != nil {
		return nil, err
	}
	if r.Spec.Security.Privileged {
		limits.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
		return limits, nil
	}
	given, err := parseDeviceRules(r.Spec.Resources.DeviceCgroupRules)
	if err != nil {
		return nil, err
	}
	limits.Devices = append(append(defaultDeviceRules(), r.rules...), given...)
	return limits, nil
}

// namespaces lists the container's own and joined namespaces; one that is left out is the host's.
func namespaces(r request, h host) []specs.LinuxNamespace {
	sec := r.Spec.Security
	all := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	add := func(kind specs.LinuxNamespaceType, file string, host bool, peer engine.Peer) {
		switch {
		case host:
		case peer.Pid > 0:
			all = append(all, specs.LinuxNamespace{Type: kind, Path: fmt.Sprintf("/proc/%d/ns/%s", peer.Pid, file)})
		default:
			all = append(all, specs.LinuxNamespace{Type: kind})
		}
	}
	if r.netns != "" {
		all = append(all, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: r.netns})
	}
	add(specs.UTSNamespace, "uts", sec.UTSMode == "host", engine.Peer{})
	add(specs.PIDNamespace, "pid", sec.PidMode == "host", r.PidOf)
	add(specs.IPCNamespace, "ipc", sec.IpcMode == "host", r.IpcOf)
	private := sec.CgroupnsMode == "private" || sec.CgroupnsMode == "" && h.groups.Unified()
	if private && h.cgroupNamespaces {
		all = append(all, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return all
}

// sysctls puts the user's over those that Docker sets in a network namespace of the container's own: the capabilities for
// both are granted anyway.
func sysctls(r request, h host) map[string]string {
	all := map[string]string{}
	if r.netns != "" && r.NetworkOf.ID == "" {
		if h.pingGroups {
			all["net.ipv4.ping_group_range"] = "0 2147483647"
		}
		if h.lowPorts {
			all["net.ipv4.ip_unprivileged_port_start"] = "0"
		}
	}
	if r.Spec.Domainname != "" && r.Spec.Security.UTSMode != "host" {
		all["kernel.domainname"] = r.Spec.Domainname
	}
	maps.Copy(all, r.Spec.Security.Sysctls)
	return all
}
