package networks

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/xcengine/xc/engine"
)

// yield gives networks that chose their subnets themselves other ones, where the host has come to use those meanwhile: another
// daemon may have chosen the same while this one was stopped, or before this one made its choice seen. Networks in use stay, and
// so do subnets of which a bridge carries the address.
func (s *Service) yield(ctx context.Context, found engine.PlugInventory, held map[engine.ContainerID]engine.Attached) error {
	used := make(map[engine.NetworkID]bool)
	carried := make(map[engine.NetworkID][]netip.Prefix)
	for _, seg := range found.Segments {
		id := engine.NetworkID(seg.Network.Short())
		carried[id] = append(carried[id], seg.Addrs...)
	}
	for _, h := range held {
		for _, e := range h.Endpoints {
			used[engine.NetworkID(e.Network.Short())] = true
		}
	}
	occupied, err := s.Plumber.Occupied(ctx)
	if err != nil {
		return fmt.Errorf("list what the host's addresses and routes occupy: %w", err)
	}
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.nets))
	s.mu.Unlock()
	for _, n := range all {
		if used[engine.NetworkID(n.ID.Short())] || n.Driver != driverBridge || n.Name == nameBridge && s.DefaultAddr.IsValid() {
			continue
		}
		if err := s.resettle(ctx, n, occupied, carried[engine.NetworkID(n.ID.Short())]); err != nil {
			return err
		}
	}
	return nil
}

// resettle chooses the network's subnets again that were chosen and are occupied, but for those of the addresses that the network's
// own bridge carries.
func (s *Service) resettle(ctx context.Context, n *network, occupied, carried []netip.Prefix) error {
	r := n.Network
	changed := false
	for _, pools := range []*[]engine.Pool{&r.Pools4, &r.Pools6} {
		*pools = slices.Clone(*pools)
		for i, p := range *pools {
			own := func(a netip.Prefix) bool { return a.Masked() == p.Subnet }
			if !p.Auto || slices.ContainsFunc(carried, own) || !slices.ContainsFunc(occupied, p.Subnet.Overlaps) {
				continue
			}
			subnet, err := s.choose(ctx, p.Subnet.Addr().Is6())
			if err != nil {
				return err
			}
			fresh := engine.Pool{Subnet: subnet, Auto: true}
			if err := s.completePool(&r, &fresh, !p.Gateway.IsValid()); err != nil {
				return err
			}
			s.Log.Warn("network has another subnet: the host uses its former one", "network", r.Name, "former", p.Subnet, "now", subnet)
			(*pools)[i], changed = fresh, true
		}
	}
	if !changed {
		return nil
	}
	again, err := newNetwork(r, nil)
	if err != nil {
		return err
	}
	if err := s.Store.PutNetwork(ctx, r); err != nil {
		return err
	}
	s.mu.Lock()
	s.nets[r.ID] = again
	s.mu.Unlock()
	return nil
}
