package lifecycle

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Containers that name a network in engine.LabelNetGroup know each other by their hosts files, where no resolver is asked.

func (s *Service) noteGroups(c engine.Container) {
	for _, g := range engine.NetGroups(keysOf(c)) {
		if s.groups[g] == nil {
			s.groups[g] = map[engine.ContainerID]bool{}
		}
		s.groups[g][c.ID] = true
	}
}

func (s *Service) forgetGroups(c engine.Container) {
	for _, g := range engine.NetGroups(keysOf(c)) {
		delete(s.groups[g], c.ID)
		if len(s.groups[g]) == 0 {
			delete(s.groups, g)
		}
	}
}

// members lists the other members of a group that run.
func (s *Service) members(group string, but engine.ContainerID) []engine.Container {
	s.mu.RLock()
	var units []*unit
	for id := range s.groups[group] {
		if u := s.units[id]; u != nil && id != but {
			units = append(units, u)
		}
	}
	s.mu.RUnlock()
	var all []engine.Container
	for _, u := range units {
		if c := u.snapshot(); c.Status.State.Alive() {
			all = append(all, c)
		}
	}
	return all
}

// groupHosts names everyone in a container's groups, itself included.
func (s *Service) groupHosts(c engine.Container) []byte {
	var b bytes.Buffer
	for _, group := range engine.NetGroups(keysOf(c)) {
		all := append(s.members(group, c.ID), c)
		slices.SortFunc(all, func(a, b engine.Container) int { return strings.Compare(a.Name, b.Name) })
		for _, m := range all {
			for _, ip := range endpointAddrs(m.Endpoints[group]) {
				fmt.Fprintf(&b, "%s\t%s\n", ip, m.Name)
			}
		}
	}
	return b.Bytes()
}

// tellGroups brings the hosts files of a container's fellows to its coming and going.
func (s *Service) tellGroups(c engine.Container) {
	told := map[engine.ContainerID]bool{}
	for _, group := range engine.NetGroups(keysOf(c)) {
		for _, m := range s.members(group, c.ID) {
			if !told[m.ID] {
				told[m.ID] = true
				s.goes(func(ctx context.Context) { s.renewNames(ctx, m.ID) })
			}
		}
	}
}

// JoinGroup makes a container a member of a network's group, as if it had been created so. later leaves the members' hosts files
// as they are until RenewGroup is called, or one of them comes or goes. A member may join again.
func (s *Service) JoinGroup(ctx context.Context, network, container string, later bool) error {
	c, name, err := s.joinGroup(ctx, network, container)
	if err != nil || later {
		return err
	}
	s.renewNames(ctx, c)
	return s.RenewGroup(ctx, name)
}

// joinGroup records the membership and returns the network's name.
func (s *Service) joinGroup(ctx context.Context, network, container string) (engine.ContainerID, string, error) {
	u, unlock, err := s.operate(ctx, container)
	if err != nil {
		return "", "", err
	}
	defer unlock()
	name, err := s.groupName(ctx, network)
	if err != nil {
		return "", "", err
	}
	c := u.snapshot()
	if _, there := c.Endpoints[name]; !there {
		return "", "", &engine.Error{
			Op: "join", Kind: engine.Conflict, Resource: engine.ResourceEndpoint, ID: c.Name, Err: fmt.Errorf("container %s is not in network %s", c.Name, name),
		}
	}
	groups := engine.NetGroups(c.Spec.Labels)
	if slices.Contains(groups, name) {
		return c.ID, name, nil
	}
	err = s.edit(ctx, "join", u, func(c *engine.Container) {
		if c.Spec.Labels = maps.Clone(c.Spec.Labels); c.Spec.Labels == nil {
			c.Spec.Labels = map[string]string{}
		}
		c.Spec.Labels[engine.LabelNetGroup] = strings.Join(append(groups, name), ",")
	})
	if err != nil {
		return "", "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteGroups(u.snapshot())
	return c.ID, name, nil
}

func (s *Service) groupName(ctx context.Context, network string) (string, error) {
	found, err := s.Networks.Check(ctx, engine.NetworkMode(network), map[string]engine.EndpointSpec{network: {}})
	for name := range found {
		return name, err
	}
	return network, err
}

// RenewGroup writes the hosts files of a network's group now.
func (s *Service) RenewGroup(ctx context.Context, network string) error {
	name, err := s.groupName(ctx, network)
	if err != nil {
		return err
	}
	for _, m := range s.members(name, "") {
		s.renewNames(ctx, m.ID)
	}
	return nil
}
