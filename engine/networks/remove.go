package networks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/xcengine/xc/engine"
)

// Remove removes a network to which no running container is attached.
func (s *Service) Remove(ctx context.Context, ref string) error {
	n, err := s.condemn(ref)
	if err != nil {
		return err
	}
	return s.remove(ctx, n)
}

// condemn decides that a network is to be removed: from then on nothing finds it any more.
func (s *Service) condemn(ref string) (*network, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	if n.Predefined {
		return nil, &engine.Error{Op: "remove", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: n.Name, Reason: engine.ReasonPredefined}
	}
	if users := s.users(n); len(users) > 0 {
		return nil, &engine.Error{Op: "remove", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: n.Name, Reason: engine.ReasonHasEndpoints, Args: users}
	}
	for _, other := range s.nets {
		if n.ConfigOnly && other.ConfigFrom == n.Name {
			return nil, forbidden(n.Name, fmt.Errorf("error while removing network: configuration network %q is in use", n.Name))
		}
	}
	n.removing = true
	return n, nil
}

// users lists names and endpoint ids of the containers that have, or are about to have, a place in the network.
func (s *Service) users(n *network) []string {
	var users []string
	for _, a := range s.detail(n).Attached {
		users = append(users, a.ContainerName, a.Endpoint.ID)
	}
	return users
}

// remove deletes the record first: what a crash leaves in the kernel then belongs to nobody, and Recover takes it away.
func (s *Service) remove(ctx context.Context, n *network) error {
	if err := s.Store.DeleteNetwork(ctx, n.ID); err != nil {
		s.mu.Lock()
		n.removing = false
		s.mu.Unlock()
		return err
	}
	s.Failpoint("network.forgotten")
	err := s.lose(context.WithoutCancel(ctx), n)
	s.Failpoint("network.lost")
	s.publish("destroy", n.Network, nil)
	return err
}

// Prune removes the networks that no running container is attached to, as the query selects them. What only configures others stays,
// as with dockerd.
func (s *Service) Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error) {
	custom := engine.NetworkQuery{Types: []string{"custom"}, Labels: q.Labels}
	all, err := s.List(ctx, custom)
	if err != nil {
		return engine.PruneResult{}, err
	}
	var result engine.PruneResult
	for _, d := range all {
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		if d.ConfigOnly || len(d.Attached) > 0 || !q.Until.IsZero() && d.Created.After(q.Until) || anyLabel(d.Labels, q.NotLabels) {
			continue
		}
		n, err := s.condemn(string(d.ID))
		if err != nil {
			continue // came into use or went meanwhile, or others are configured by it
		}
		if err := s.remove(ctx, n); err != nil {
			s.Log.Warn("network not pruned", "network", d.Name, "error", err)
			continue
		}
		result.Deleted = append(result.Deleted, d.Name)
	}
	s.Events.Publish(engine.Event{Type: engine.EventNetwork, Action: "prune", Attributes: map[string]string{"reclaimed": "0"}})
	return result, nil
}

func anyLabel(labels map[string]string, unwanted []engine.LabelMatch) bool {
	return slices.ContainsFunc(unwanted, func(w engine.LabelMatch) bool { return labelled(labels, []engine.LabelMatch{w}) })
}

// Reload makes the kernel have every network and rule again, after somebody removed them.
func (s *Service) Reload(ctx context.Context) error {
	s.mu.Lock()
	var all []*network
	for _, n := range s.nets {
		if n.bridged() && !n.removing {
			all = append(all, n)
		}
	}
	containers := slices.Collect(maps.Keys(s.boxes))
	s.mu.Unlock()
	var errs []error
	for _, n := range all {
		if err := s.Plumber.EnsureNetwork(ctx, n.segment()); err != nil {
			errs = append(errs, err)
			continue
		}
		s.listen(n)
	}
	for _, id := range containers {
		b := s.enter(id)
		errs = append(errs, s.replug(ctx, b))
		s.leave(b)
	}
	return errors.Join(append(errs, s.filtering.assert(ctx))...)
}

// Warnings says in sentences what on this host keeps networks from working as they should, for the daemon's info.
func (s *Service) Warnings(ctx context.Context) []string { return s.Firewall.Warnings(ctx) }

// AddressPools are those that networks get subnets from, for the daemon's info.
func (s *Service) AddressPools() []engine.Pool {
	pools := make([]engine.Pool, len(s.Pools))
	for i, b := range s.Pools {
		pools[i] = engine.Pool{Subnet: b.Base, Range: netip.PrefixFrom(b.Base.Addr(), b.Bits)}
	}
	return pools
}
