package networks

import (
	"context"
	"errors"
	"slices"

	"github.com/xcengine/xc/engine"
)

// Detach takes away everything that Attach made for the container. It may be repeated, and finishes what it began also when
// ctx ends. After an error, what could not be taken away is still held.
func (s *Service) Detach(ctx context.Context, id engine.ContainerID) error {
	ctx = context.WithoutCancel(ctx)
	b := s.enter(id)
	defer s.leave(b)
	s.names.Remove(id)
	s.mu.Lock()
	published := portRules(b.id, b.published, nil)
	b.published = nil
	plugs := slices.Clone(b.plugs)
	s.mu.Unlock()
	var errs []error
	if len(published) > 0 {
		errs = append(errs, s.filtering.ports(ctx, published, nil))
	}
	s.ports.Release(id)
	if len(plugs) > 0 {
		if err := s.Plumber.Detach(ctx, plugs); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	s.mu.Lock()
	gone := b.endpoints
	tables := s.inTables(b)
	for _, e := range gone {
		s.release(e)
	}
	b.endpoints, b.plugs = make(map[string]engine.Endpoint), nil
	order := networkOrder(b.attachment.Mode, gone)
	s.mu.Unlock()
	if tables {
		errs = append(errs, s.filtering.sync(ctx))
	}
	for _, name := range order {
		s.tellOne("disconnect", gone[name], id)
	}
	return errors.Join(errs...)
}

// tabler is a Firewall with tables of all networks for administrators to refer to, and not those of their own networks alone.
type tabler interface{ TablesOfAll() bool }

// inTables reports whether the packet filter knows the container's addresses by tables that administrators refer to.
func (s *Service) inTables(b *box) bool {
	if t, ok := s.Firewall.(tabler); ok && t.TablesOfAll() {
		return len(b.endpoints) > 0
	}
	for _, e := range b.endpoints {
		if n := s.nets[e.Network]; n != nil && n.Driver == driverXC {
			return true
		}
	}
	return false
}

func (s *Service) tellOne(action string, e engine.Endpoint, id engine.ContainerID) {
	s.mu.Lock()
	n := s.nets[e.Network]
	s.mu.Unlock()
	if n != nil {
		s.publish(action, n.Network, map[string]string{"container": string(id)})
	}
}
