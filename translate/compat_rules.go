package translate

//lint:file-ignore SA1019 old clients send and read what is deprecated

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"

	"github.com/xcengine/xc/engine"
)

// A rule changes a message of, or for, the clients of some versions: those below one, or those from one on.
type rule[T any] struct {
	below, from Version // zero: no bound
	do          func(T)
}

func (r rule[T]) applies(v Version) bool {
	below := r.below == Version{} || v.Before(r.below.Major, r.below.Minor)
	return below && !v.Before(r.from.Major, r.from.Minor)
}

// apply runs the rules for a version in their order.
func apply[T any](rules []rule[T], v Version, msg T) {
	for _, r := range rules {
		if r.applies(v) {
			r.do(msg)
		}
	}
}

// creation is a create request on its way through the rules. The first refusal ends it.
type creation struct {
	*container.Config
	hc       *container.HostConfig
	net      *network.NetworkingConfig
	host     Host
	platform string
	warnings []string
	err      error
	// roNonRecursive: read-only binds leave what is mounted below them writable.
	roNonRecursive bool
}

func (c *creation) refuse(format string, args ...any) {
	if c.err == nil {
		c.err = invalidf(format, args...)
	}
}

// createRules are what differs between versions of POST /containers/create (api/server/router/container of moby 28.5.2).
var createRules = []rule[*creation]{
	// The client removed the container itself.
	{below: Version{1, 25}, do: func(c *creation) { c.hc.AutoRemove = false }},
	{below: Version{1, 40}, do: func(c *creation) {
		eachBind(c, func(o *mount.BindOptions) { o.NonRecursive = false })
		c.hc.KernelMemoryTCP = 0
		if c.hc.IpcMode == "" {
			c.hc.IpcMode = container.IPCModeShareable
		}
	}},
	{below: Version{1, 41}, do: func(c *creation) {
		c.platform = ""
		if c.host.CgroupVersion == "1" && c.hc.CgroupnsMode == "" {
			c.hc.CgroupnsMode = container.CgroupnsModeHost
		}
	}},
	{below: Version{1, 42}, do: func(c *creation) {
		eachBind(c, func(o *mount.BindOptions) { o.CreateMountpoint = false })
		// Options of another type were not refused.
		for i := range c.hc.Mounts {
			if m := &c.hc.Mounts[i]; m.Type != mount.TypeVolume {
				m.VolumeOptions = nil
			}
			if m := &c.hc.Mounts[i]; m.Type != mount.TypeTmpfs {
				m.TmpfsOptions = nil
			}
		}
		c.hc.ConsoleSize = [2]uint{}
	}},
	{from: Version{1, 42}, do: func(c *creation) {
		c.hc.KernelMemory = 0
		for _, m := range c.hc.Mounts {
			switch {
			case m.VolumeOptions != nil && m.Type != mount.TypeVolume:
				c.refuse("VolumeOptions must not be specified on mount type %q", m.Type)
			case m.BindOptions != nil && m.Type != mount.TypeBind:
				c.refuse("BindOptions must not be specified on mount type %q", m.Type)
			case m.TmpfsOptions != nil && m.Type != mount.TypeTmpfs:
				c.refuse("TmpfsOptions must not be specified on mount type %q", m.Type)
			}
		}
	}},
	{below: Version{1, 43}, do: func(c *creation) { c.hc.Annotations = nil }},
	{below: Version{1, 44}, do: func(c *creation) {
		if c.Healthcheck != nil {
			c.Healthcheck.StartInterval = 0
		}
		c.roNonRecursive = true
		for _, m := range c.hc.Mounts {
			if m.Type != mount.TypeBind || m.BindOptions == nil {
				continue
			}
			if m.BindOptions.ReadOnlyForceRecursive {
				c.refuse("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
			}
			m.BindOptions.ReadOnlyNonRecursive = m.ReadOnly // dockerd shows it
		}
		if len(c.net.EndpointsConfig) > 1 {
			c.refuse("Container cannot be created with multiple network endpoints: %s",
				strings.Join(slices.Sorted(maps.Keys(c.net.EndpointsConfig)), ", "))
		}
	}},
	{below: Version{1, 45}, do: func(c *creation) {
		for _, m := range c.hc.Mounts {
			if m.VolumeOptions != nil && m.VolumeOptions.Subpath != "" {
				c.refuse("VolumeOptions.Subpath needs API v1.45 or newer")
			}
		}
	}},
	{below: Version{1, 48}, do: func(c *creation) {
		for _, e := range c.net.EndpointsConfig {
			if e != nil {
				e.GwPriority = 0
			}
		}
		for _, m := range c.hc.Mounts {
			if m.Type == mount.TypeImage {
				c.refuse(`Mount type "Image" needs API v1.48 or newer`)
			}
		}
	}},
	{from: Version{1, 48}, do: warnOfVolumeDriver},
	{below: Version{1, 44}, do: func(c *creation) { moveMAC(c, true) }},
	{from: Version{1, 44}, do: func(c *creation) { moveMAC(c, false) }},
	{below: Version{1, 48}, do: func(c *creation) { moveSysctls(c, true) }},
	{from: Version{1, 48}, do: func(c *creation) { moveSysctls(c, false) }},
}

func eachBind(c *creation, do func(*mount.BindOptions)) {
	for _, m := range c.hc.Mounts {
		if m.BindOptions != nil && m.Type == mount.TypeBind {
			do(m.BindOptions)
		}
	}
}

// warnOfVolumeDriver tells that the container's volume driver is not that of its mounts.
func warnOfVolumeDriver(c *creation) {
	if c.hc.VolumeDriver == "" {
		return
	}
	for _, m := range c.hc.Mounts {
		named := m.VolumeOptions != nil && m.VolumeOptions.DriverConfig != nil && m.VolumeOptions.DriverConfig.Name != ""
		if m.Type == mount.TypeVolume && !named {
			c.warnings = append(c.warnings, "WARNING: the container-wide volume-driver configuration is ignored for volumes "+
				"specified via 'mount'. Use '--mount type=volume,volume-driver=...' instead")
			return
		}
	}
}

// moveMAC gives the container's address to the endpoint that it is for. Old clients know no addresses of endpoints; new ones
// are told that the container's is out of use.
func moveMAC(c *creation, old bool) {
	mac := c.MacAddress
	if mac == "" {
		if old {
			for _, e := range c.net.EndpointsConfig {
				if e != nil {
					e.MacAddress = ""
				}
			}
		}
		return
	}
	if !c.hc.NetworkMode.IsBridge() && !c.hc.NetworkMode.IsUserDefined() {
		if old {
			c.refuse("conflicting options: mac-address and the network mode")
		} else {
			c.warnings = append(c.warnings, macWarning)
		}
		return
	}
	e := mainEndpoint(c, old, "unable to migrate container-wide MAC address to a specific network: ")
	switch {
	case e == nil:
	case old || e.MacAddress == "":
		e.MacAddress = mac
	case e.MacAddress != mac:
		c.refuse("the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty")
	}
	if !old {
		c.warnings = append(c.warnings, macWarning)
	}
}

const macWarning = "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."

// sysctlOption is the endpoint's driver option that takes settings of its interface.
const sysctlOption = "com.docker.network.endpoint.sysctls"

// moveSysctls gives settings of the interface eth0 to the endpoint that becomes it; new clients must do so themselves.
func moveSysctls(c *creation, old bool) {
	if c.hc.NetworkMode.IsHost() || c.hc.NetworkMode.IsContainer() {
		return
	}
	var moved, names []string
	for _, k := range slices.Sorted(maps.Keys(c.hc.Sysctls)) {
		part := strings.SplitN(k, ".", 5)
		if len(part) != 5 || part[0] != "net" || !strings.HasPrefix(part[3], "eth") {
			continue
		}
		switch {
		case !old:
			c.err = faultf("interface specific sysctl setting %q must be supplied using driver option '%s'", k, sysctlOption)
			return
		case part[3] != "eth0":
			c.err = faultf("unable to determine network endpoint for sysctl %s, use driver option '%s' to set per-interface sysctls", k, sysctlOption)
			return
		}
		names = append(names, k)
		moved = append(moved, "net."+part[1]+"."+part[2]+".IFNAME."+part[4]+"="+c.hc.Sysctls[k])
	}
	if len(moved) == 0 {
		return
	}
	e := mainEndpoint(c, old, "unable to find a network for sysctl "+names[0]+": ")
	if e == nil {
		return
	}
	value := strings.Join(moved, ",")
	c.warnings = append(c.warnings, "Migrated sysctl "+strconv.Quote(strings.Join(names, ","))+" to DriverOpts{"+strconv.Quote(sysctlOption)+":"+strconv.Quote(value)+"}.")
	if e.DriverOpts == nil {
		e.DriverOpts = map[string]string{}
	}
	if before, ok := e.DriverOpts[sysctlOption]; ok {
		value += "," + before
	}
	e.DriverOpts[sysctlOption] = value
	for _, k := range names {
		delete(c.hc.Sysctls, k)
	}
}

// mainEndpoint finds the endpoint that the network mode names, or makes it when there is none at all.
func mainEndpoint(c *creation, old bool, context string) *network.EndpointSettings {
	name := c.hc.NetworkMode.NetworkName()
	if len(c.net.EndpointsConfig) == 0 {
		c.net.EndpointsConfig = map[string]*network.EndpointSettings{name: {}}
	}
	if old {
		for _, e := range c.net.EndpointsConfig {
			return e // there is one at most
		}
	}
	e, ok := c.net.EndpointsConfig[name]
	if !ok {
		c.refuse("%sHostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks", context)
	}
	return e
}

// updateRules are what differs between versions of POST /containers/{id}/update.
var updateRules = []rule[*container.UpdateConfig]{
	{below: Version{1, 40}, do: func(u *container.UpdateConfig) { u.PidsLimit = nil }},
	{from: Version{1, 42}, do: func(u *container.UpdateConfig) { u.KernelMemory = 0 }},
}

// inspection is an inspect answer on its way to its client.
type inspection struct {
	*container.InspectResponse
	id engine.ContainerID
}

// inspectRules are what differs between versions of GET /containers/{id}/json.
var inspectRules = []rule[inspection]{
	// The short id was an alias in networks that have names.
	{below: Version{1, 45}, do: func(i inspection) {
		for name, e := range i.NetworkSettings.Networks {
			if container.NetworkMode(name).IsUserDefined() {
				e.Aliases = unique(slices.Concat(e.Aliases, []string{i.id.Short(), i.Config.Hostname}))
			}
		}
	}},
}

// listRules are what differs between versions of GET /containers/json.
var listRules = []rule[*container.Summary]{
	{below: Version{1, 46}, do: func(s *container.Summary) { s.HostConfig.Annotations = nil }},
}

// execRules are what differs between versions of creating and starting an exec; the size is of its terminal.
var execRules = []rule[**[2]uint]{
	{below: Version{1, 42}, do: func(size **[2]uint) { *size = nil }},
}

// unique drops what stood earlier in the list.
func unique(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
