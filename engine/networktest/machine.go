package networktest

import (
	"net/netip"
	"os/exec"
	"testing"

	"github.com/xcengine/xc/engine"
)

// Machine is the host under test.
type Machine interface {
	// Sandbox makes an empty network stack that goes with the test.
	Sandbox(t *testing.T) engine.Sandbox
	// Neighbour makes a host on a link of its own to this one, to which it sends everything that is not on that link.
	Neighbour(t *testing.T) Neighbour
	// Command is a program of the host's, to be run with a sandbox's network. The zero sandbox is the host itself.
	Command(box engine.Sandbox, name string, args ...string) *exec.Cmd
	// ForeignBridge makes a bridge as an administrator would, which goes with the test.
	ForeignBridge(t *testing.T, name string)
	// Interfaces lists the names of the host's interfaces.
	Interfaces(t *testing.T) []string
}

// Neighbour is a host outside.
type Neighbour struct {
	Box          engine.Sandbox
	Host4, Host6 netip.Addr // of the host under test, on the link to the neighbour
	Addr4, Addr6 netip.Addr // of the neighbour
	HostPrefixes []netip.Prefix
}
