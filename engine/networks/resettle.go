package networks

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/xcengine/xc/engine"
)

// yield gives networks that chose their subnets themselves other ones, where the host has come to use those meanwhile: another
// daemon may have chosen the same while this one was stopped, or before this one made its choice seen. Networks in use stay, and
// so do subnets that the network's own bridge carries.
func (s *Service) yield(ctx context.Context, held map[engine.ContainerID]engine.Attached) error {
	used := make(map[engine.NetworkID]bool)
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
		if err := s.resettle(ctx, n, occupied); err != nil {
			return err
		}
	}
	return nil
}

// resettle chooses the network's subnets again that were chosen and that something other than the network's own bridge occupies.
// What is whose is read of one and the same list: two lists may tell of two moments.
func (s *Service) resettle(ctx context.Context, n *network, occupied []engine.Occupied) error {
	r := n.Network
	changed := false
	for _, pools := range []*[]engine.Pool{&r.Pools4, &r.Pools6} {
		*pools = slices.Clone(*pools)
		for i, p := range *pools {
			carried := slices.Contains(occupied, engine.Occupied{Prefix: p.Subnet, Interface: n.Bridge})
			other := slices.IndexFunc(occupied, func(o engine.Occupied) bool { return o.Interface != n.Bridge && o.Prefix.Overlaps(p.Subnet) })
			if !p.Auto || carried || other < 0 {
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
			s.Log.Warn("network has another subnet: the host uses its former one", "network", r.Name, "former", p.Subnet, "now", subnet, "user", occupied[other])
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
