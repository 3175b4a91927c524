package jail

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

// Values of jailsys parameters (sys/jail.h).
const (
	sysDisable int32 = 0
	sysNew     int32 = 1
	sysInherit int32 = 2
)

// namePrefix marks our jails.
const namePrefix = "xc-"

// Name is the jail's name of a container.
func Name(id engine.ContainerID) string { return namePrefix + id.Short() }

// OwnName reports whether a jail's name is of ours, and the first 12 digits of its container's id.
func OwnName(name string) (id12 string, ok bool) {
	id12, ok = strings.CutPrefix(name, namePrefix)
	if !ok || len(id12) != 12 || strings.Trim(id12, "0123456789abcdef") != "" {
		return "", false
	}
	return id12, true
}

// LeftName is what a jail is called that its container has left to those that are in it: the container may be started again
// meanwhile, in another jail.
func LeftName(name string, jid int) string { return name + "-" + strconv.Itoa(jid) }

// IsLeft reports whether a name is one of LeftName's.
func IsLeft(name string) bool {
	at := strings.LastIndexByte(name, '-')
	if at < 0 {
		return false
	}
	_, ours := OwnName(name[:at])
	jid, err := strconv.Atoi(name[at+1:])
	return ours && err == nil && jid > 0
}

// Config is everything that decides a container's jail.
type Config struct {
	Name             string
	Root             string
	Hostname, Domain string
	InheritHost      bool // the host's own host name (UTS mode host)
	VNET             bool
	InheritNet       bool // the host's addresses (network mode host)
	Addrs            []netip.Addr
	ChildrenMax      int
	EnforceStatfs    int
	Allow            []string          // beyond the policy: "mlock", "mount.zfs"
	Params           map[string]string // raw ones of the user, applied last
	OSRelease        string            // of the image's userland, when it is older than the kernel
	OSRelDate        int
	Linux            bool
	LinuxRelease     string // "5.15.0"
	Securelevel      *int
	SysVMsg, SysVSem string // "new" (default), "inherit", "disable"
	SysVShm          string
}

// policy is what every container's jail may do.
var policy = []string{"raw_sockets", "chflags", "set_hostname", "reserved_ports"}

// Params renders jail_set(2)'s parameters for a new jail. The error names the parameter that cannot be meant.
func Params(c Config) (iov.List, error) {
	l := iov.List{}.String("name", c.Name).String("path", c.Root).Flag("persist").
		Int("enforce_statfs", int32(c.EnforceStatfs)).Int("children.max", int32(c.ChildrenMax))
	switch {
	case c.InheritHost:
		l = l.Int("host", sysInherit)
	case c.Domain != "":
		l = l.String("host.hostname", c.Hostname).String("host.domainname", c.Domain)
	default:
		l = l.String("host.hostname", c.Hostname)
	}
	l = network(l, c)
	for _, s := range []struct{ name, mode string }{{"sysvmsg", c.SysVMsg}, {"sysvsem", c.SysVSem}, {"sysvshm", c.SysVShm}} {
		v, err := jailsys(s.name, s.mode)
		if err != nil {
			return nil, err
		}
		l = l.Int(s.name, v)
	}
	for _, a := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(policy, c.Allow)))) {
		l = l.Flag("allow." + a)
	}
	if c.OSRelease != "" {
		l = l.String("osrelease", c.OSRelease)
	}
	if c.OSRelDate != 0 {
		l = l.Int("osreldate", int32(c.OSRelDate))
	}
	if c.Securelevel != nil {
		l = l.Int("securelevel", int32(*c.Securelevel))
	}
	if c.Linux {
		l = l.Int("linux", sysNew)
		if _, said := c.Params["linux.osname"]; !said {
			l = l.String("linux.osname", "Linux")
		}
		l = l.String("linux.osrelease", c.LinuxRelease)
	}
	return raw(l, c.Params)
}

// network says which stack and addresses the jail has. With a stack of its own the ip4 and ip6 parameters must not be given.
func network(l iov.List, c Config) iov.List {
	if c.VNET {
		return l.Int("vnet", sysNew)
	}
	if c.InheritNet {
		return l.Int("ip4", sysInherit).Int("ip6", sysInherit)
	}
	for _, f := range families(c.Addrs) {
		if len(f.addrs) == 0 {
			l = l.Int(f.name, sysDisable)
			continue
		}
		l = l.Int(f.name, sysNew).Addrs(f.name+".addr", f.addrs)
	}
	return l
}

// family are the addresses of one family under the name of its parameters.
type family struct {
	name  string
	addrs []netip.Addr
}

func families(addrs []netip.Addr) []family {
	both := []family{{name: "ip4"}, {name: "ip6"}}
	for _, a := range addrs {
		f := &both[0]
		if a.Is6() {
			f = &both[1]
		}
		f.addrs = append(f.addrs, a)
	}
	return both
}

// Addresses renders the update that gives a jail which shares its parent's stack these addresses and no others. Whether it has
// addresses of its own cannot change (ip4 and ip6), which they are can.
func Addresses(addrs []netip.Addr) iov.List {
	var l iov.List
	for _, f := range families(addrs) {
		l = l.Addrs(f.name+".addr", f.addrs)
	}
	return l
}

func jailsys(name, mode string) (int32, error) {
	switch mode {
	case "", "new":
		return sysNew, nil
	case "inherit":
		return sysInherit, nil
	case "disable":
		return sysDisable, nil
	}
	return 0, fmt.Errorf("%s=%s: must be new, inherit or disable", name, mode)
}

// reserved are parameters that decide what the engine itself relies on; a user cannot set them.
var reserved = []string{"name", "path", "persist", "jid", "vnet", "host.hostname", "parent", "dying", "errmsg", "lastjid", "cpuset.id"}

// kinds of those parameters that are neither strings nor flags; what is not here is a flag below allow., else a string, and
// a number when its value is one.
var ints = map[string]bool{
	"securelevel": true, "enforce_statfs": true, "devfs_ruleset": true, "children.max": true, "osreldate": true,
	"linux.oss_version": true,
}

var sysParams = map[string]bool{
	"host": true, "ip4": true, "ip6": true, "sysvmsg": true, "sysvsem": true, "sysvshm": true, "linux": true, "zfs": true,
}

// raw appends the user's own parameters in the order of their names, each in its kernel's type.
func raw(l iov.List, params map[string]string) (iov.List, error) {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value := params[name]
		if err := checkRaw(name, value); err != nil {
			return nil, err
		}
		switch {
		case sysParams[name]:
			v, err := jailsys(name, value)
			if err != nil {
				return nil, err
			}
			l = l.Int(name, v)
		case ints[name]:
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("jail parameter %s=%s: not a number", name, value)
			}
			l = l.Int(name, int32(n))
		case name == "ip4.addr" || name == "ip6.addr":
			addrs, err := addrList(name, value)
			if err != nil {
				return nil, err
			}
			l = l.Addrs(name, addrs)
		case strings.HasPrefix(name, "allow."):
			flag, err := flagName(name, value)
			if err != nil {
				return nil, err
			}
			l = l.Flag(flag)
		default:
			l = l.String(name, value)
		}
	}
	return l, nil
}

func checkRaw(name, value string) error {
	switch {
	case name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._") != "":
		return fmt.Errorf("jail parameter %q: not a name of one", name)
	case slices.Contains(reserved, name):
		return fmt.Errorf("jail parameter %s: the engine sets it", name)
	case strings.HasPrefix(name, "exec.") || strings.HasPrefix(name, "mount.") || name == "command" || name == "interface" || name == "vnet.interface":
		return fmt.Errorf("jail parameter %s: it is jail(8)'s own, the kernel has none of that name", name)
	case strings.ContainsRune(value, 0):
		return fmt.Errorf("jail parameter %s: the value holds a NUL", name)
	}
	return nil
}

// flagName gives the kernel's name for a boolean: the last part begins with "no" to switch it off.
func flagName(name, value string) (string, error) {
	switch value {
	case "", "1", "true", "yes", "on":
		return name, nil
	case "0", "false", "no", "off":
		i := strings.LastIndexByte(name, '.')
		return name[:i+1] + "no" + name[i+1:], nil
	}
	return "", fmt.Errorf("jail parameter %s=%s: must be true or false", name, value)
}

func addrList(name, value string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, text := range strings.Split(value, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || a.Is4() != (name == "ip4.addr") {
			return nil, fmt.Errorf("jail parameter %s: %q is not an address of that family", name, text)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}
