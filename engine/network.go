package engine

import (
	"net/netip"
	"time"
)

// Proto is a transport protocol: "tcp", "udp" or "sctp".
type Proto string

// The protocols.
const (
	TCP  Proto = "tcp"
	UDP  Proto = "udp"
	SCTP Proto = "sctp"

	// SocketStream and SocketDatagram are Unix-domain sockets, which are forwarded and never published.
	SocketStream   Proto = "unix"
	SocketDatagram Proto = "unixgram"
)

// Port is a container's port.
type Port struct {
	Number uint16
	Proto  Proto
}

// PortRange is first to last of one protocol, both included.
type PortRange struct {
	First, Last uint16
	Proto       Proto
}

// PortBinding wants a container's port published. An invalid HostIP means every address of the host, of both families.
// HostFirst 0 lets the engine choose; HostLast above HostFirst lets it choose within the range.
type PortBinding struct {
	Port                Port
	HostIP              netip.Addr
	HostIPRaw           string // as given, for inspect
	HostFirst, HostLast uint16
	HostPortRaw         string
}

// PublishedPort is a port in force. Several may stand for one PortBinding (one each for IPv4 and IPv6).
type PublishedPort struct {
	Port     Port
	HostIP   netip.Addr
	HostPort uint16
}

// NetworkMode is where a container's network comes from: "bridge", "host", "none", "container:<id>" or a network's name.
// "default" and the empty mode mean "bridge".
type NetworkMode string

// NetworkSpec is what a container wants of the network, apart from its endpoints.
type NetworkSpec struct {
	Mode       NetworkMode
	Disabled   bool
	MAC        string // Docker's old container-wide address
	Bindings   []PortBinding
	PublishAll bool
	DNS        []netip.Addr
	DNSSearch  []string
	DNSOptions []string
	DNSFrom    DNSSource // where resolv.conf comes from
	ExtraHosts []string  // "name:address"; the address may be "host-gateway"
	Links      []string  // "container[:alias]"
}

// EndpointSpec is what a container wants of one network.
type EndpointSpec struct {
	Aliases    []string
	Links      []string
	IPv4, IPv6 netip.Addr   // invalid: any
	LinkLocal  []netip.Addr // nil: the request said nothing of addresses; empty: it left them all open
	MAC        string       // empty: derived from the address
	DriverOpts map[string]string
	GwPriority int
}

// Endpoint is a container's place in a network. Addresses are set while it is attached.
type Endpoint struct {
	Spec               EndpointSpec
	Network            NetworkID
	ID                 string // 64 hex, new with each attachment; empty while detached
	Interface          string // name inside the container
	MAC                string
	IPv4, IPv6         netip.Prefix
	Gateway4, Gateway6 netip.Addr
	DNSNames           []string // every name the resolver answers for it
}

// Network is the record of one network.
type Network struct {
	ID                     NetworkID
	Name                   string
	Created                time.Time
	Driver                 string // bridge, host, null, xc
	Scope                  string // local
	Pools4                 []Pool
	Pools6                 []Pool
	IPAMDriver             string
	IPAMOptions            map[string]string
	EnableIPv4, EnableIPv6 bool
	Internal               bool
	Attachable             bool
	Ingress                bool
	ConfigOnly             bool
	ConfigFrom             string
	Options                map[string]string
	Labels                 map[string]string
	Predefined             bool   // made and owned by the engine; cannot be removed
	Bridge                 string // host interface
}

// Pool is one address pool of a network.
type Pool struct {
	Subnet  netip.Prefix
	Range   netip.Prefix // invalid: the whole subnet
	Gateway netip.Addr
	Aux     map[string]netip.Addr // reserved addresses by name
	Auto    bool                  // chosen by the engine; inspect shows what was asked for, too
	// GatewayAuto: Gateway was chosen by the engine. Docker's inspect shows such a gateway only when Auto holds too.
	GatewayAuto bool
}

// PoolCursor is the last address that was handed out of a pool, where the search for the next one goes on.
type PoolCursor struct {
	Network NetworkID
	Pool    netip.Prefix // Subnet of the pool
	Last    netip.Addr
}

// NetworkRequest asks for a network; invalid or empty members are chosen.
type NetworkRequest struct {
	Name                                      string
	Driver                                    string
	Pools                                     []Pool
	IPAMDriver                                string
	IPAMOptions                               map[string]string
	EnableIPv4                                *bool
	EnableIPv6                                *bool
	Internal, Attachable, Ingress, ConfigOnly bool
	ConfigFrom                                string
	Options                                   map[string]string
	Labels                                    map[string]string
}

// NetworkQuery selects networks for a list.
type NetworkQuery struct {
	Names, IDs, Drivers, Scopes, Types []string
	Labels                             []LabelMatch
	Dangling                           *bool
}

// AttachedEndpoint is one row of a network's inspect.
type AttachedEndpoint struct {
	Container     ContainerID
	ContainerName string
	Endpoint      Endpoint
}

// NetworkDetail is a network with what is attached to it.
type NetworkDetail struct {
	Network
	Attached []AttachedEndpoint
}

// Attachment asks the networks service to give a container its network. It is complete in itself: applying it again changes
// nothing, and what is attached beyond it is taken away.
type Attachment struct {
	Container  ContainerID
	Name       string
	Hostname   string
	Sandbox    Sandbox
	Mode       NetworkMode
	Endpoints  map[string]Endpoint // wanted, by network name
	Bindings   []PortBinding
	PublishAll bool
	Exposed    []Port
	// DNS are the servers that the user named for this container: where the engine's own resolver asks for what it does
	// not know. Empty: the host's.
	DNS []netip.Addr
	// Labels are the container's, of which some speak of its network (LabelIP and others).
	Labels map[string]string
}

// Attached is what Attach made.
type Attached struct {
	Endpoints map[string]Endpoint
	Ports     []PublishedPort
	// Proxies are the listeners that the container's shim must serve. The caller owns them and closes its copies. Those
	// that an earlier Attach made stand here without a Listener, with where they lead now.
	Proxies []Proxy
}

// Resolver says how a container finds names.
type Resolver struct {
	Servers     []netip.Addr // for resolv.conf
	Search      []string
	Options     []string
	Embedded    bool       // Servers is the engine's own resolver
	HostGateway netip.Addr // what "host-gateway" means
}
