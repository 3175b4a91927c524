package lifecycle

import (
	"bytes"
	"context"
	"fmt"
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
