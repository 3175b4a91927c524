package networks

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks/dns"
	"github.com/xcengine/xc/engine/networks/ipam"
	"github.com/xcengine/xc/engine/networks/ports"
)

// Config is what the service stands on. All members are needed unless said otherwise.
type Config struct {
	Owner      engine.Owner
	Store      Store
	Plumber    Plumber
	Firewall   Firewall
	Containers Containers // nil: inspect shows names as they were when the container was attached
	Events     Events
	Log        *slog.Logger
	// Pools are what networks get subnets from that name none; nil: dockerd's own for IPv4, and a unique local prefix made
	// of Owner for IPv6.
	Pools []ipam.Block
	// FirstPort to LastPort is what host ports are chosen from; 0: 32768 to 60999.
	FirstPort, LastPort uint16
	// DefaultAddr is the default network's gateway with its prefix length; invalid: chosen at the first start, then kept.
	DefaultAddr netip.Prefix
	// DefaultMTU is the default network's; 0: 1500.
	DefaultMTU int
	// ResolvConf is the host's file (empty: /etc/resolv.conf). ResolvConfUpstream is read in its place for containers when
	// it names loopback addresses only, as hosts with systemd-resolved have it (empty: /run/systemd/resolve/resolv.conf).
	ResolvConf, ResolvConfUpstream string
	// HasInterface reports whether the host has an interface of a name. Nil: that is found out when it is needed.
	HasInterface func(name string) bool
	// Failpoint is told of the steps by which a network is made and removed. Nil: nobody is. Tests end the daemon there.
	Failpoint func(step string)
}

// Service is the networks of one daemon. It is safe for concurrent use; calls for one container are made one at a time.
type Service struct {
	Config
	ports     *ports.Allocator
	names     *dns.Directory
	resolver  *dns.Server
	host      *dns.HostConf
	upstream  *dns.HostConf
	filtering *filtering
	cursors   *cursorWriter

	create sync.Mutex // one network is made at a time: subnets are chosen among what is there
	mu     sync.Mutex
	nets   map[engine.NetworkID]*network
	boxes  map[engine.ContainerID]*box
}

// New reads the networks from the store and makes the records of those that always are. Nothing in the kernel changes before
// Recover, which must be called next.
func New(ctx context.Context, cfg Config) (*Service, error) {
	cfg.setDefaults()
	var share ports.Sharer
	if p, ok := cfg.Plumber.(UDPSharer); ok {
		share = p.ShareUDP
	}
	s := &Service{
		Config: cfg, ports: ports.New(cfg.FirstPort, cfg.LastPort, share), names: dns.NewDirectory(),
		host: dns.NewHostConf(cfg.ResolvConf), upstream: dns.NewHostConf(cfg.ResolvConfUpstream),
		nets: make(map[engine.NetworkID]*network), boxes: make(map[engine.ContainerID]*box),
	}
	s.resolver = dns.NewServer(s.names, s.host, cfg.Log)
	s.filtering = newFiltering(cfg.Firewall, s.rules)
	s.cursors = newCursorWriter(cfg.Store, cfg.Log)
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("read networks: %w", err)
	}
	if err := s.ensurePredefined(ctx); err != nil {
		return nil, fmt.Errorf("make the default networks: %w", err)
	}
	return s, nil
}

// Close ends the resolver and writes down how far addresses were handed out. What containers have stays.
func (s *Service) Close(ctx context.Context) error {
	s.resolver.Close()
	return s.cursors.close(ctx)
}

func (c *Config) setDefaults() {
	if c.Pools == nil {
		c.Pools = append(ipam.DefaultBlocks(), ipam.UniqueLocal(globalID(c.Owner)))
	}
	if c.Failpoint == nil {
		c.Failpoint = func(string) {}
	}
	if c.FirstPort == 0 {
		c.FirstPort, c.LastPort = ports.DefaultFirst, ports.DefaultLast
	}
	if c.DefaultMTU == 0 {
		c.DefaultMTU = 1500
	}
	if c.ResolvConf == "" {
		c.ResolvConf = "/etc/resolv.conf"
	}
	if c.ResolvConfUpstream == "" {
		c.ResolvConfUpstream = "/run/systemd/resolve/resolv.conf"
	}
}

// network is a network in memory.
type network struct {
	engine.Network
	opts     options
	pools    []*pool
	removing bool
	// listens is the gateway address at which names are answered; invalid: they are not.
	listens netip.Addr
}

type pool struct {
	engine.Pool
	addrs *ipam.Pool
}

// bridged reports whether containers get interfaces in it.
func (n *network) bridged() bool {
	return !n.ConfigOnly && (n.Driver == driverBridge || n.Driver == driverXC)
}

// embedded reports whether names of containers are answered in it: in those that users made.
func (n *network) embedded() bool { return n.bridged() && !n.Predefined }

// pool is the network's pool of a family that has the address; an invalid address means the family's first pool.
func (n *network) pool(six bool, a netip.Addr) *pool {
	for _, p := range n.pools {
		if p.Subnet.Addr().Is6() == six && (!a.IsValid() || p.Subnet.Contains(a)) {
			return p
		}
	}
	return nil
}

func (s *Service) load(ctx context.Context) error {
	records, err := s.Store.Networks(ctx)
	if err != nil {
		return err
	}
	cursors, err := s.Store.Cursors(ctx)
	if err != nil {
		return err
	}
	last := make(map[engine.NetworkID]map[netip.Prefix]netip.Addr)
	for _, c := range cursors {
		if last[c.Network] == nil {
			last[c.Network] = make(map[netip.Prefix]netip.Addr)
		}
		last[c.Network][c.Pool] = c.Last
	}
	for _, r := range records {
		n, err := newNetwork(r, last[r.ID])
		if err != nil {
			return fmt.Errorf("network %s: %w", r.Name, err)
		}
		s.nets[r.ID] = n
	}
	return nil
}

// newNetwork makes a network of its record, with nothing handed out but what its record reserves.
func newNetwork(r engine.Network, last map[netip.Prefix]netip.Addr) (*network, error) {
	opts, err := parseOptions(r.Driver, r.Options)
	if err != nil {
		return nil, err
	}
	n := &network{Network: r, opts: opts}
	if !n.bridged() {
		return n, nil
	}
	for _, pools := range [][]engine.Pool{r.Pools4, r.Pools6} {
		for _, p := range pools {
			if p.Subnet.Addr().Is6() && !r.EnableIPv6 || p.Subnet.Addr().Is4() && !r.EnableIPv4 {
				continue
			}
			addrs, err := reserved(p, last[p.Subnet])
			if err != nil {
				return nil, err
			}
			for i, bounds := range [][]netip.Addr{opts.start, opts.end} {
				for _, a := range bounds {
					if p.Subnet.Contains(a) {
						addrs.Bound(a, i == 1)
					}
				}
			}
			for _, router := range []netip.Addr{opts.router4, opts.router6} {
				_ = addrs.Take(router) // it may be of the other family, outside, or the gateway
			}
			n.pools = append(n.pools, &pool{Pool: p, addrs: addrs})
		}
	}
	return n, nil
}

// reserved is a pool's addresses with those taken that no container may have. The errors are dockerd's.
func reserved(p engine.Pool, last netip.Addr) (*ipam.Pool, error) {
	addrs := ipam.New(p.Subnet, p.Range, last)
	if p.Gateway.IsValid() && addrs.Take(p.Gateway) != nil {
		return nil, fmt.Errorf("failed to allocate gateway (%s): %w", p.Gateway, sentence("Address already in use"))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Aux)) {
		if a := p.Aux[name]; addrs.Take(a) != nil {
			return nil, fmt.Errorf("failed to allocate secondary ip address (%s:%s): %w", name, a, sentence("Address already in use"))
		}
	}
	return addrs, nil
}

// segment is the network's side on the host.
func (n *network) segment() engine.Segment {
	s := engine.Segment{
		Network: n.ID, Name: n.Name, Managed: n.Driver == driverBridge,
		Bridge: n.Bridge, Alias: n.opts.alias, MTU: n.opts.mtu, EnableV6: n.EnableIPv6,
	}
	if s.Managed {
		s.Alias = s.Bridge
		for _, p := range n.pools {
			if p.Gateway.IsValid() && !(p.Gateway.Is4() && n.opts.inhibit4) {
				s.Addrs = append(s.Addrs, netip.PrefixFrom(p.Gateway, p.Subnet.Bits()))
			}
		}
	}
	return s
}

// globalID spreads an owner's 32 bits over the 40 of a unique local prefix.
func globalID(owner engine.Owner) [5]byte {
	id := [5]byte{'x'}
	for i := range min(8, len(owner)) {
		id[1+i/2] = id[1+i/2]<<4 | hexDigit(owner[i])
	}
	return id
}

func hexDigit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}
