package ifconfig

import (
	"crypto/sha256"
	"fmt"
	"net"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Group is the interface group of everything of ours.
const Group = "xc"

// nameMax is the longest name of an interface in bytes (net/if.h: IFNAMSIZ without the NUL).
const nameMax = 15

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func validName(s string) bool {
	return s != "" && len(s) <= nameMax && strings.Contains(letters, s[:1]) && strings.Trim(s, letters+"0123456789_.-") == ""
}

// checkName refuses what cannot be the name of an interface.
func checkName(s string) error {
	if !validName(s) {
		return &engine.Error{Op: "name interface", Kind: engine.Invalid, ID: s, Err: fmt.Errorf("%q is not the name of an interface", s)}
	}
	return nil
}

// hostPrefix begins the names of the host's ends of epairs.
const hostPrefix = "xe"

// containerPrefix begins the names of the host's ends of one container, as a rule.
func containerPrefix(id12 string) string { return hostPrefix + id12[:min(7, len(id12))] }

// hostName is the name of the host's end for a container's place in a network.
func hostName(container engine.ContainerID, network engine.NetworkID) string {
	return containerPrefix(container.Short()) + string(network[:min(6, len(network))])
}

// Mark is what a description says. Container is empty for a network's own interface.
type Mark struct {
	Owner     engine.Owner
	Container string // first 12 digits
	Network   string // with a container the first 12 digits, else all 64
	Inside    string // name of the interface inside the jail; empty while it has none
}

// String gives the description.
func (m Mark) String() string {
	if m.Container == "" {
		return fmt.Sprintf("xc:%s:%s", m.Owner, m.Network)
	}
	return fmt.Sprintf("xc:%s:%s:%s:%s", m.Owner, m.Container, m.Network, m.Inside)
}

// ParseMark reads a description; ok is false for one that is not ours.
func ParseMark(s string) (m Mark, ok bool) {
	parts := strings.Split(s, ":")
	if parts[0] != "xc" || len(parts) != 3 && len(parts) != 5 || !hex(parts[1], 8) {
		return Mark{}, false
	}
	m.Owner = engine.Owner(parts[1])
	if len(parts) == 3 {
		m.Network = parts[2]
		return m, hex(m.Network, 64)
	}
	m.Container, m.Network, m.Inside = parts[2], parts[3], parts[4]
	return m, hex(m.Container, 12) && hex(m.Network, 12) && (m.Inside == "" || validName(m.Inside))
}

func hex(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }

// ownMAC is the hardware address of an interface that was given none: the same each time.
func ownMAC(container engine.ContainerID, network engine.NetworkID) string {
	sum := sha256.Sum256([]byte(string(container) + string(network)))
	return net.HardwareAddr(append([]byte{0x02, 0x42}, sum[:4]...)).String()
}
