package oci

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

// host is what rendering has to know of the machine. It is read once, when the Runtime is made.
type host struct {
	groups       cgroup.Hierarchies
	limits       cgroup.Support
	groupParent  string   // of containers that name none
	initPath     string   // program that is mounted as /sbin/docker-init
	capabilities []string // those that this process has and can pass on
	oomScoreAdj  int      // this process's own
	processors   int
	memory       int64 // bytes
	// seccomp expands a profile (JSON, empty for Docker's default) for this machine and these capabilities; nil when the
	// kernel has no seccomp filters.
	seccomp          func(profile string, capabilities []string) (*specs.LinuxSeccomp, error)
	appArmor         bool
	cgroupNamespaces bool
	thermalPaths     []string // of processors, to be masked
	pingGroups       bool     // the sysctl net.ipv4.ping_group_range exists
	lowPorts         bool     // the sysctl net.ipv4.ip_unprivileged_port_start exists
	recursiveRO      bool     // the container's OCI runtime knows the mount option "rro"
}
