package networks

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Plumber makes interfaces, addresses and routes. It marks what it makes, so that Inventory and Cleanup find it without any
// record and nothing else. All methods are safe for concurrent use, for different containers and networks also in parallel.
type Plumber interface {
	// EnsureNetwork makes the host's side of a network be as wanted: interface, addresses, MTU, forwarding. It may be
	// repeated, also with endpoints attached. After an error, nothing that was not there before remains. An interface
	// that exists without our mark is used but never removed.
	EnsureNetwork(ctx context.Context, s engine.Segment) error
	// RemoveNetwork unmakes a managed segment. It succeeds when there is nothing left.
	RemoveNetwork(ctx context.Context, s engine.Segment) error
	// Attach converges the container's sandbox to the wiring: missing plugs are made, present ones corrected, others taken
	// away, default routes set. Its loopback interface is brought up, also when there is no plug. It answers the plugs
	// as they stand, in the wiring's order. After an error, no plug remains that was not there before.
	// On a sandbox that shares the host's stack it puts the addresses on Plug.Alias (or Plug.Bridge when that is empty)
	// and lets the sandbox use them.
	Attach(ctx context.Context, w engine.Wiring) ([]engine.Plug, error)
	// Detach takes plugs away, as Attach or Inventory answered them. The sandbox may be gone already.
	Detach(ctx context.Context, plugs []engine.Plug) error
	// Inventory lists what of ours exists.
	Inventory(ctx context.Context) (engine.PlugInventory, error)
	// Occupied lists the prefixes that a new network must not overlap: the host's addresses and routes, default routes
	// excepted.
	Occupied(ctx context.Context) ([]engine.Occupied, error)
	// Exclusive keeps the other daemons of this host waiting in theirs until release is called or this process ends. Between
	// what Occupied lists and what EnsureNetwork adds to it, nobody else adds the same.
	Exclusive(ctx context.Context) (release func(), err error)
	// Cleanup removes everything of ours.
	Cleanup(ctx context.Context) error
}

// UDPSharer is a Plumber of a host on which a program lets others have its port of udp, too, when they say the same, and only then.
type UDPSharer interface {
	// ShareUDP says so of a socket, or takes it back.
	ShareUDP(fd uintptr, may bool) error
}

// Firewall keeps the host's packet filter as wanted. Only objects of this daemon's own are ever changed.
type Firewall interface {
	// Apply makes the rules hold: all of them or, with an error, those that held before. Given what holds already it does
	// nothing. It relies on what it applied before, to be fast; with assert it relies on nothing and restates everything.
	// Not called concurrently.
	Apply(ctx context.Context, rules engine.FirewallRules, assert bool) error
	// Warnings says in sentences what on this host keeps the rules from having effect: the filter is off, or rules of
	// others drop what these accept.
	Warnings(ctx context.Context) []string
	// Cleanup removes everything of ours.
	Cleanup(ctx context.Context) error
}

// PortFilter is a Firewall that changes published ports without being told all the others again, so that one more costs the
// same beside many.
type PortFilter interface {
	// ApplyPorts is Apply for ports that went and came since: done is false, and nothing changed, when it does not know
	// what holds. Ports that are as they are to be are passed over.
	ApplyPorts(ctx context.Context, gone, come []engine.FirewallPort) (done bool, err error)
}

// Containers knows the containers' records. It is asked without any lock of this package held.
type Containers interface {
	// NetworkUsers lists the containers that have an endpoint in the network, also stopped ones, whose endpoint has no ID.
	NetworkUsers(ctx context.Context, id engine.NetworkID) ([]engine.AttachedEndpoint, error)
}

// Store keeps networks across restarts of the daemon. Each call is one transaction.
type Store interface {
	PutNetwork(ctx context.Context, n engine.Network) error
	// DeleteNetwork removes the network and its cursors. It succeeds when there is none.
	DeleteNetwork(ctx context.Context, id engine.NetworkID) error
	Networks(ctx context.Context) ([]engine.Network, error)
	// PutCursors notes the last address handed out, by network and pool. Unknown networks are passed over.
	PutCursors(ctx context.Context, cursors []engine.PoolCursor) error
	Cursors(ctx context.Context) ([]engine.PoolCursor, error)
}

// Events takes what happened, in order.
type Events interface {
	Publish(e engine.Event)
}
