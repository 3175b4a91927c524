package networks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Inspect finds a network by name, id or unambiguous id prefix, with the containers that are attached to it now.
func (s *Service) Inspect(ctx context.Context, ref string) (engine.NetworkDetail, error) {
	s.mu.Lock()
	n, err := s.find(ref)
	if err != nil {
		s.mu.Unlock()
		return engine.NetworkDetail{}, err
	}
	d := s.detail(n)
	s.mu.Unlock()
	return d, s.rename(ctx, &d)
}

// List returns the networks that the query selects, oldest first, with what is attached to them.
func (s *Service) List(ctx context.Context, q engine.NetworkQuery) ([]engine.NetworkDetail, error) {
	for _, t := range q.Types {
		if t != "builtin" && t != "custom" {
			return nil, invalid("", fmt.Errorf("invalid filter: 'type'='%s'", t))
		}
	}
	s.mu.Lock()
	var all []engine.NetworkDetail
	for _, n := range s.nets {
		if d := s.detail(n); selects(q, d) {
			all = append(all, d)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b engine.NetworkDetail) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
	for i := range all {
		if err := s.rename(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// find is dockerd's FindNetwork: full id, then name, then id prefix. The caller holds the lock.
func (s *Service) find(ref string) (*network, error) {
	if n := s.nets[engine.NetworkID(ref)]; n != nil && !n.removing {
		return n, nil
	}
	var byPrefix []*network
	for _, n := range s.nets {
		if n.removing {
			continue
		}
		if n.Name == ref {
			return n, nil
		}
		if ref != "" && strings.HasPrefix(string(n.ID), ref) {
			byPrefix = append(byPrefix, n)
		}
	}
	switch len(byPrefix) {
	case 0:
		return nil, notFound(ref)
	case 1:
		return byPrefix[0], nil
	}
	return nil, &engine.Error{
		Kind: engine.Invalid, Resource: engine.ResourceNetwork, ID: ref, Reason: engine.ReasonAmbiguous,
		Args: []string{fmt.Sprint(len(byPrefix))},
	}
}

// detail is a network with its endpoints in use. The caller holds the lock.
func (s *Service) detail(n *network) engine.NetworkDetail {
	d := engine.NetworkDetail{Network: n.Network}
	for _, b := range s.boxes {
		for _, e := range b.endpoints {
			if e.Network == n.ID && e.ID != "" {
				d.Attached = append(d.Attached, engine.AttachedEndpoint{Container: b.id, ContainerName: b.attachment.Name, Endpoint: e})
			}
		}
	}
	slices.SortFunc(d.Attached, func(a, b engine.AttachedEndpoint) int {
		return strings.Compare(string(a.Container), string(b.Container))
	})
	return d
}

// rename brings the containers' names to the present ones.
func (s *Service) rename(ctx context.Context, d *engine.NetworkDetail) error {
	if s.Containers == nil || len(d.Attached) == 0 {
		return nil
	}
	users, err := s.Containers.NetworkUsers(ctx, d.ID)
	if err != nil {
		return err
	}
	names := make(map[engine.ContainerID]string, len(users))
	for _, u := range users {
		names[u.Container] = u.ContainerName
	}
	for i, a := range d.Attached {
		if name := names[a.Container]; name != "" {
			d.Attached[i].ContainerName = name
		}
	}
	return nil
}

// selects is dockerd's filter of networks (moby daemon/network/filter.go): fields add up, values of one are alternatives,
// names and ids match in part, labels must all hold.
func selects(q engine.NetworkQuery, d engine.NetworkDetail) bool {
	in := func(list []string, matches func(string) bool) bool {
		return len(list) == 0 || slices.ContainsFunc(list, matches)
	}
	part := func(of string) func(string) bool { return func(s string) bool { return strings.Contains(of, s) } }
	equal := func(to string) func(string) bool { return func(s string) bool { return s == to } }
	kind := "custom"
	if d.Predefined {
		kind = "builtin"
	}
	dangling := !d.Predefined && len(d.Attached) == 0
	return in(q.Names, part(d.Name)) && in(q.IDs, part(string(d.ID))) && in(q.Drivers, equal(d.Driver)) && in(q.Scopes, equal(d.Scope)) &&
		in(q.Types, equal(kind)) && labelled(d.Labels, q.Labels) && (q.Dangling == nil || *q.Dangling == dangling)
}

func labelled(labels map[string]string, want []engine.LabelMatch) bool {
	for _, w := range want {
		if value, ok := labels[w.Key]; !ok || w.HasValue && value != w.Value {
			return false
		}
	}
	return true
}
