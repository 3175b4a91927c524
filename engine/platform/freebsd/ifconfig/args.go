package ifconfig

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Group is the interface group of everything of ours.
const Group = "xc"

var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,14}$`)

// Name is the name of an interface; made by ParseName alone.
type Name struct{ s string }

// ParseName checks a name: a letter, then letters, digits, dot, dash or underscore, at most 15 bytes (net/if.h).
func ParseName(s string) (Name, error) {
	if !validName.MatchString(s) {
		return Name{}, &engine.Error{Op: "name interface", Kind: engine.Invalid, ID: s, Err: fmt.Errorf("%q is not the name of an interface", s)}
	}
	return Name{s}, nil
}

// String returns the name.
func (n Name) String() string { return n.s }

// Create makes an interface of a cloner ("bridge", "epair", "tap"); the command prints its name.
func Create(cloner string) []string { return []string{cloner, "create"} }

// Setup names a new interface, marks it and puts it in our group.
func Setup(made, name Name, mark Mark) []string {
	return []string{made.s, "name", name.s, "group", Group, "descr", mark.String()}
}

// Destroy removes an interface; either end of an epair removes both.
func Destroy(n Name) []string { return []string{n.s, "destroy"} }

// Up brings an interface up, with an MTU unless that is 0 and a hardware address unless that is empty.
func Up(n Name, mtu int, mac string) []string {
	args := []string{n.s}
	if mac != "" {
		args = append(args, "ether", mac)
	}
	if mtu > 0 {
		args = append(args, "mtu", strconv.Itoa(mtu))
	}
	return append(args, "up")
}

// AddMember joins an interface to a bridge. A private member does not talk to other private
// ones.
func AddMember(bridge, member Name, private bool) []string {
	args := []string{bridge.s, "addm", member.s}
	if private {
		args = append(args, "private", member.s)
	}
	return args
}

// DelMember takes an interface out of a bridge.
func DelMember(bridge, member Name) []string { return []string{bridge.s, "deletem", member.s} }

// AddAddr adds an address with its prefix length, beside those that are there.
func AddAddr(n Name, p netip.Prefix) []string {
	if p.Addr().Is6() {
		return []string{n.s, "inet6", p.String(), "no_dad", "alias"}
	}
	return []string{n.s, "inet", p.String(), "alias"}
}

// AddHostAddr adds an alias for one jail that shares the stack: with the whole prefix as a host's, so that no second route to
// the network is made.
func AddHostAddr(n Name, a netip.Addr) []string {
	return AddAddr(n, netip.PrefixFrom(a, a.BitLen()))
}

// DelAddr removes an address.
func DelAddr(n Name, a netip.Addr) []string {
	if a.Is6() {
		return []string{n.s, "inet6", a.String(), "-alias"}
	}
	return []string{n.s, "inet", a.String(), "-alias"}
}

// ToJail moves an interface into a jail's own stack.
func ToJail(n Name, jail string) []string { return []string{n.s, "vnet", jail} }

// FromJail takes an interface back out of a jail's stack.
func FromJail(n Name, jail string) []string { return []string{n.s, "-vnet", jail} }

// Mark is what a description says. Container is empty for a network's own interface.
type Mark struct {
	Owner     engine.Owner
	Container string // first 12 digits
	Network   string // first 12 digits
}

// String gives the description.
func (m Mark) String() string {
	if m.Container == "" {
		return fmt.Sprintf("xc:%s:%s", m.Owner, m.Network)
	}
	return fmt.Sprintf("xc:%s:%s:%s", m.Owner, m.Container, m.Network)
}

// ParseMark reads a description; ok is false for one that is not ours.
func ParseMark(s string) (m Mark, ok bool) {
	parts := strings.Split(s, ":")
	if len(parts) < 3 || len(parts) > 4 || parts[0] != "xc" || !hex(parts[1], 8) {
		return Mark{}, false
	}
	m = Mark{Owner: engine.Owner(parts[1]), Network: parts[len(parts)-1]}
	if len(parts) == 4 {
		m.Container = parts[2]
	}
	if !hex(m.Network, 12) || m.Container != "" && !hex(m.Container, 12) || len(parts) == 4 && m.Container == "" {
		return Mark{}, false
	}
	return m, true
}

func hex(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }
