package engine

import "net/netip"

// The words between the networks service and a platform's network drivers (engine/networks declares the interfaces).

// Segment is the host's side of one network: the interface that its endpoints are joined to.
type Segment struct {
	Network NetworkID
	Name    string // of the network, for descriptions only
	// Managed: the engine makes and removes Bridge. Otherwise the administrator made Bridge and Alias; they must exist
	// and the driver changes nothing of them.
	Managed bool
	Bridge  string // interface that private stacks are bridged to; empty: this network serves shared stacks only
	Alias   string // interface that carries the addresses of shared stacks; empty: private stacks only
	// Addrs are the addresses that a managed Bridge carries, each with its network's prefix length; usually the gateways.
	Addrs    []netip.Prefix
	MTU      int // 0: the system's own
	EnableV6 bool
}

// HostNetNS is the name of the host's network namespace in the directory of those of containers, on Linux.
const HostNetNS = "default"

// BridgeName is the name of a managed network's interface unless the user chose one: "xc", four digits of the owner, "-", six
// of the network. The kernels' limit is 15 bytes.
func BridgeName(owner Owner, id NetworkID) string {
	return "xc" + string(owner[:min(4, len(owner))]) + "-" + string(id[:min(6, len(id))])
}

// Occupied is a prefix of the host's addresses and routes, and the interface that it is on; empty where a route has none.
type Occupied struct {
	Prefix    netip.Prefix
	Interface string
}

// Wiring is everything that one container has of the network. It is complete in itself: what the container's sandbox has
// beyond it is taken away.
type Wiring struct {
	Container ContainerID
	Sandbox   Sandbox
	Plugs     []Plug
}

// Plug joins a sandbox to a segment: an interface of the sandbox's own stack, or addresses of the host's when the sandbox
// shares it.
type Plug struct {
	// Container and Network may hold only the first 12 digits, or nothing, in what a driver read from the kernel.
	Container ContainerID
	Network   NetworkID
	Bridge    string // Segment.Bridge
	Alias     string // Segment.Alias
	// Device is an interface of the administrator's that itself moves into a private stack, in place of one that is joined
	// to a bridge; Network and Bridge are empty then. A shared stack has Addrs on it, as on any Alias.
	Device string
	// Lent is the sandbox that Device is in. Only drivers fill it.
	Lent Sandbox
	// Interface is the name inside a private stack ("eth0"). The driver answers the name that it really gave.
	Interface string
	// Host is the host's end, or the interface that carries Addrs for a shared stack. Only drivers fill it.
	Host string
	MAC  string // "02:42:ac:11:00:02"; empty: the driver's choice
	// Addrs are the addresses, each with its network's prefix length.
	Addrs []netip.Prefix
	// Gateway4 and Gateway6 are the default routers; at most one plug of a wiring has one of each family.
	Gateway4, Gateway6 netip.Addr
	MTU                int  // 0: the segment's
	Isolated           bool // may not talk to other isolated plugs of its segment
	// Sysctls are set inside a private stack, where IFNAME in a key stands for the interface's name. Platforms that
	// have none refuse a plug with them.
	Sysctls []string // "key=value"
}

// PlugInventory is what a driver finds in the kernel that carries this daemon's mark. A Device in a private stack carries none:
// it would be the administrator's no more.
type PlugInventory struct {
	Segments []Segment // Network (12 digits at least), Bridge and Addrs, as the bridge carries them, are set
	Plugs    []Plug    // Host and, as far as the kernel keeps them, Container, Network and Addrs are set
}

// GatewayMode says how a network's containers meet what lies beyond its bridge, by Docker's words.
type GatewayMode string

// The gateway modes. The empty mode is "nat".
const (
	GatewayNAT            GatewayMode = "nat"             // translated outwards; from outside published ports only
	GatewayNATUnprotected GatewayMode = "nat-unprotected" // as nat, but every port may be reached by direct routing
	GatewayRouted         GatewayMode = "routed"          // no translation; from outside published ports only, by direct routing
	GatewayIsolated       GatewayMode = "isolated"        // the host has no address on the bridge
)

// FirewallRules is everything that the host's packet filter must do for this daemon.
type FirewallRules struct {
	Networks  []FirewallNetwork
	Ports     []FirewallPort
	Resolvers []FirewallResolver
}

// FirewallNetwork is one network as the packet filter sees it.
type FirewallNetwork struct {
	Network NetworkID
	Name    string
	// Managed: the engine owns Bridge and translates for it. Otherwise only its address table is kept.
	Managed bool
	Bridge  string
	Subnets []netip.Prefix
	// Internal: nothing passes between Bridge and any other interface.
	Internal bool
	// Isolated: its endpoints may not talk to each other (Plug.Isolated). What they send to published ports is left to the
	// proxies: led to an endpoint of the same network it would be dropped.
	Isolated     bool
	Mode4, Mode6 GatewayMode
	// Masquerade4 and Masquerade6: packets that leave by another interface get the host's address: SNAT4 or SNAT6 when
	// it is valid, else that of the interface they leave by.
	Masquerade4, Masquerade6 bool
	SNAT4, SNAT6             netip.Addr
	// Addrs are the addresses of the endpoints at present (for tables that administrators refer to).
	Addrs []netip.Addr
}

// FirewallPort is one published port: what comes to Host:HostPort from outside, from other containers or from the host's
// own addresses goes to Target. Loopback addresses are not the packet filter's: a proxy serves them.
type FirewallPort struct {
	Container ContainerID
	Network   NetworkID
	Bridge    string
	Proto     Proto
	Host      netip.Addr // unspecified: every address of the host, of that family
	HostPort  uint16     // 0: not translated (GatewayRouted), Target is merely let through
	Target    netip.AddrPort
}

// FirewallResolver keeps name queries of containers (udp and tcp port 53 of Addr, coming in by Bridge) from being taken
// for a published port 53, and brings them to Port when that is not 53.
type FirewallResolver struct {
	Bridge string
	Addr   netip.Addr
	Port   uint16
}
