package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks/ipam"
)

// complete chooses subnets, gateways and the interface, and refuses what does not go together.
func (s *Service) complete(ctx context.Context, r *engine.Network) error {
	opts, err := parseOptions(r.Driver, r.Options)
	if err != nil {
		return err
	}
	if err := admitOptions(r, opts); err != nil {
		return err
	}
	r.Bridge = opts.bridge
	if r.Bridge == "" && r.Driver == driverBridge {
		r.Bridge = engine.BridgeName(s.Owner, r.ID)
	}
	if r.EnableIPv4 {
		if r.Pools4, err = s.completePools(ctx, r, r.Pools4, opts.mode4 == engine.GatewayIsolated || opts.inhibit4 && r.Internal, false); err != nil {
			return err
		}
	}
	if r.EnableIPv6 {
		if r.Pools6, err = s.completePools(ctx, r, r.Pools6, opts.mode6 == engine.GatewayIsolated, true); err != nil {
			return err
		}
	}
	return s.sameBridge(r)
}

func admitOptions(r *engine.Network, opts options) error {
	isolated := opts.mode4 == engine.GatewayIsolated || opts.mode6 == engine.GatewayIsolated
	switch {
	case !r.EnableIPv4 && !r.EnableIPv6:
		return invalid(r.Name, errors.New("IPv4 or IPv6 must be enabled"))
	case isolated && !r.Internal:
		return invalid(r.Name, errors.New("gateway mode 'isolated' can only be used for an internal network"))
	case r.Driver == driverXC && opts.bridge == "" && opts.alias == "":
		return invalid(r.Name, errors.New("a network of driver xc needs an interface: option bridge, for containers with a network stack of their own, or alias, for the others"))
	}
	return nil
}

// completePools chooses what a family's pools leave open. noGateway: the host has no address in the network.
func (s *Service) completePools(ctx context.Context, r *engine.Network, pools []engine.Pool, noGateway, six bool) ([]engine.Pool, error) {
	if len(pools) > 1 && r.Driver == driverBridge {
		return nil, forbidden(r.Name, errors.New("bridge driver doesn't support multiple subnets"))
	}
	if len(pools) == 0 {
		if r.Driver == driverXC {
			return nil, invalid(r.Name, errors.New("a network of driver xc needs a subnet"))
		}
		subnet, err := s.choose(ctx, six)
		if err != nil {
			return nil, err
		}
		pools = []engine.Pool{{Subnet: subnet, Auto: true}}
	}
	out := slices.Clone(pools)
	for i := range out {
		if err := s.completePool(r, &out[i], noGateway || r.Driver == driverXC); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) completePool(r *engine.Network, p *engine.Pool, noGateway bool) error {
	if err := s.overlaps(p.Subnet); err != nil {
		return err
	}
	addrs, err := reserved(*p, netip.Addr{})
	if err != nil {
		return &engine.Error{Op: "create", Resource: engine.ResourceNetwork, ID: r.Name, Err: err}
	}
	if !p.Gateway.IsValid() && !noGateway {
		if p.Gateway, err = addrs.First(); err != nil {
			return &engine.Error{Op: "create", Kind: engine.Unavailable, Resource: engine.ResourceNetwork, ID: r.Name, Reason: engine.ReasonNoAddress, Args: []string{p.Subnet.String()}}
		}
		p.GatewayAuto = true
	}
	if err := special6(*p); err != nil {
		return invalid(r.Name, err)
	}
	return nil
}

// exclusive takes the turn at choosing subnets and making what shows others the choice, from daemons on the same host.
func (s *Service) exclusive(ctx context.Context) (release func(), err error) {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.Plumber.Exclusive(ctx)
}

// choose finds a subnet that neither the host nor another network uses.
func (s *Service) choose(ctx context.Context, six bool) (netip.Prefix, error) {
	occupied, err := s.Plumber.Occupied(ctx)
	if err != nil {
		return netip.Prefix{}, &engine.Error{Op: "create", Resource: engine.ResourceNetwork, Err: fmt.Errorf("list what the host's addresses and routes occupy: %w", err)}
	}
	used := s.subnets()
	for _, o := range occupied {
		used = append(used, o.Prefix)
	}
	for _, a := range s.host.Conf().Servers {
		used = append(used, netip.PrefixFrom(a.WithZone(""), a.BitLen())) // a name server is not to be hidden
	}
	var blocks []ipam.Block
	for _, b := range s.Pools {
		if b.Base.Addr().Is6() == six {
			blocks = append(blocks, b)
		}
	}
	subnet, ok := ipam.Choose(blocks, used)
	if !ok {
		return netip.Prefix{}, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceNetwork, Reason: engine.ReasonPoolsExhausted}
	}
	return subnet, nil
}

// subnets are those of the networks that there are.
func (s *Service) subnets() []netip.Prefix {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []netip.Prefix
	for _, n := range s.nets {
		for _, p := range n.pools {
			all = append(all, p.Subnet)
		}
	}
	return all
}

func (s *Service) overlaps(subnet netip.Prefix) error {
	for _, other := range s.subnets() {
		if other.Overlaps(subnet) {
			return &engine.Error{
				Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, Reason: engine.ReasonOverlap,
				Args: []string{subnet.String(), other.String()},
			}
		}
	}
	return nil
}

// sameBridge refuses a second network on a managed bridge.
func (s *Service) sameBridge(r *engine.Network) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nets {
		if r.Driver == driverBridge && n.Driver == driverBridge && n.Bridge == r.Bridge && !n.ConfigOnly {
			return forbidden(r.Name, fmt.Errorf("cannot create network %s (%s): conflicts with network %s (%s): networks have same bridge name", r.ID, r.Bridge, n.ID, n.Bridge))
		}
	}
	return nil
}
