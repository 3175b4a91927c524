package jailer

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/devfs"
	"github.com/xcengine/xc/engine/platform/freebsd/jail"
	"github.com/xcengine/xc/engine/platform/freebsd/linuxulator"
	"github.com/xcengine/xc/engine/platform/freebsd/mount"
)

// How much of the mounted file systems a jail sees (enforce_statfs of jail(8)): those below its root. Linux programs and df
// need it.
const ownMounts = 1

// configOf decides a container's jail. release is that of the image's userland, empty when it is not known.
func configOf(s engine.SandboxSpec, w wish, h host, release string) (jail.Config, error) {
	sec := s.Spec.Security
	allow, deny := allowed(sec.CapAdd, sec.CapDrop, sec.Privileged, h.knows)
	c := jail.Config{
		Name: jail.Name(s.ID), Root: s.Root, Hostname: s.Spec.Hostname, Domain: s.Spec.Domainname, InheritHost: sec.UTSMode == "host",
		InheritNet: s.HostNetwork || s.NetworkOf.ID != "", EnforceStatfs: ownMounts, Allow: allow, Params: maps.Clone(w.Params),
	}
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	for _, d := range deny {
		if _, said := c.Params["allow."+d]; !said {
			c.Params["allow."+d] = "false"
		}
	}
	c.VNET = !c.InheritNet && (w.VNET == nil || *w.VNET)
	if c.InheritNet && w.VNET != nil && *w.VNET {
		return c, fmt.Errorf("%s: the network is the host's or another container's, which has its own stack or not", engine.LabelVNET)
	}
	if s.NetworkOf.ID != "" {
		c.Name = s.NetworkOf.Sandbox.Jail + "." + c.Name
	}
	if ipc := sec.IpcMode; ipc == "host" || s.IpcOf.ID != "" {
		c.SysVMsg, c.SysVSem, c.SysVShm = "inherit", "inherit", "inherit"
	}
	if len(w.Datasets) > 0 {
		for _, a := range []string{"mount", "mount.zfs"} {
			if !slices.Contains(c.Allow, a) {
				c.Allow = append(c.Allow, a)
			}
		}
	}
	if s.Platform.OS == "linux" {
		c.Linux, c.LinuxRelease = true, linuxulator.Release
	} else if older(release, h.release) {
		c.OSRelease, c.OSRelDate = release, relDate(release)
	}
	return takeInts(c, h.secureLevel)
}

// shared is the jail to be in for the network stack of a jail of this name: the one that has the stack. Who wants its IPC too
// must be in the named one.
func shared(name string, ipc bool) string {
	if ipc {
		return name
	}
	top, _, _ := strings.Cut(name, ".")
	return top
}

// takeInts moves parameters that have a place in Config there, so that each is given once. secureLevel is the host's.
func takeInts(c jail.Config, secureLevel int) (jail.Config, error) {
	for name, to := range map[string]*int{"children.max": &c.ChildrenMax, "enforce_statfs": &c.EnforceStatfs, "osreldate": &c.OSRelDate} {
		value, ok := c.Params[name]
		if !ok {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return c, fmt.Errorf("jail parameter %s=%s: not a number", name, value)
		}
		*to = n
		delete(c.Params, name)
	}
	for name, to := range map[string]*string{
		"sysvmsg": &c.SysVMsg, "sysvsem": &c.SysVSem, "sysvshm": &c.SysVShm, "osrelease": &c.OSRelease, "host.domainname": &c.Domain,
	} {
		if value, ok := c.Params[name]; ok {
			*to = value
			delete(c.Params, name)
		}
	}
	if v, ok := c.Params["securelevel"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < -1 || n > 3 {
			return c, fmt.Errorf("jail parameter securelevel=%s: must be -1 to 3", v)
		}
		n = max(n, secureLevel) // a jail's cannot be below its parent's
		c.Securelevel = &n
		delete(c.Params, "securelevel")
	}
	if v, ok := c.Params["linux.osrelease"]; ok && c.Linux {
		c.LinuxRelease = v
		delete(c.Params, "linux.osrelease")
	}
	return c, nil
}

// mayMount reports whether a jail may mount by itself.
func mayMount(c jail.Config) bool {
	value, said := c.Params["allow.mount"]
	return slices.Contains(c.Allow, "mount") || said && value != "false"
}

// rulesOf are the rules of a container's devfs.
func rulesOf(s engine.Spec, w wish) ([]devfs.Rule, error) {
	if s.Security.Privileged {
		return devfs.Privileged(), nil
	}
	rules := devfs.Base()
	for _, d := range s.Resources.Devices {
		r, err := deviceRule(d)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	if len(w.Datasets) > 0 {
		rules = append(rules, devfs.Rule{Path: "zfs"}) // zfs(8) speaks to it
	}
	return append(rules, w.rules...), nil
}

// deviceRule shows a device that was asked for in Docker's way.
func deviceRule(d engine.Device) (devfs.Rule, error) {
	name, ok := strings.CutPrefix(path.Clean(d.HostPath), "/dev/")
	if !ok {
		return devfs.Rule{}, fmt.Errorf("device %s: not below /dev", d.HostPath)
	}
	if d.Path != "" && path.Clean(d.Path) != path.Clean(d.HostPath) {
		return devfs.Rule{}, fmt.Errorf("device %s: it cannot be called %s in a jail", d.HostPath, d.Path)
	}
	return devfs.Parse(name)
}

// planOf decides a container's mounts.
func planOf(s engine.SandboxSpec, ruleset int) ([]mount.Wanted, error) {
	return mount.Plan{Linux: s.Platform.OS == "linux", Ruleset: ruleset, ShmSize: s.Spec.Resources.ShmSize, Special: s.Spec.Jail.Mounts, Mounts: s.Mounts}.Render()
}

// processors reads a cpuset list, "0-3,7", of processors that are there.
func processors(list string, have int) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var set []int
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && isRange {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 0 || last < first {
			//lint:ignore ST1005 Docker's words
			return nil, fmt.Errorf("Invalid value %s for cpuset cpus: invalid format: %s", list, part)
		}
		if last >= have {
			//lint:ignore ST1005 Docker's words
			return nil, fmt.Errorf("Requested CPUs are not available - requested %s, available: 0-%d", list, have-1)
		}
		for n := first; n <= last; n++ {
			set = append(set, n)
		}
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}
