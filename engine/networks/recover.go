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

// Recover takes up what containers that kept running hold, before any Attach: addresses, ports, interfaces, names. The host's
// side of every network is made as it must be, the packet filter's rules are stated anew, and what is ours in the kernel but
// belongs to nobody is taken away. A network or container that cannot be brought to what it should be is logged, and the
// others are not kept waiting.
func (s *Service) Recover(ctx context.Context, running []engine.Attachment, held map[engine.ContainerID]engine.Attached) error {
	found, err := s.Plumber.Inventory(ctx)
	if err != nil {
		return fmt.Errorf("find what networks an earlier daemon left: %w", err)
	}
	if publishes53(held) {
		if _, err := s.resolver.Vacate(); err != nil {
			return err
		}
	}
	if err := s.settle(ctx, held); err != nil {
		return err
	}
	stray := found.Plugs
	for _, a := range running {
		stray = s.adopt(ctx, a, held[a.Container], stray)
	}
	errs := []error{s.Plumber.Detach(ctx, stray)}
	for _, seg := range found.Segments {
		if !s.knows(seg) {
			errs = append(errs, s.Plumber.RemoveNetwork(ctx, seg))
		}
	}
	return errors.Join(append(errs, s.filtering.assert(ctx))...)
}

// settle gives every network its subnets and makes the host's side of it. Another daemon that hangs does not keep this one from its
// start: most networks have their subnets for long.
func (s *Service) settle(ctx context.Context, held map[engine.ContainerID]engine.Attached) error {
	release, err := s.exclusive(ctx)
	if err != nil {
		s.Log.Error("subnets are chosen without waiting for other daemons: they may choose the same", "error", err)
		release = func() {}
	}
	defer release()
	if err := s.yield(ctx, held); err != nil {
		return err
	}
	s.realiseAll(ctx)
	return nil
}

func publishes53(held map[engine.ContainerID]engine.Attached) bool {
	for _, h := range held {
		if slices.ContainsFunc(h.Ports, func(p engine.PublishedPort) bool { return p.HostPort == 53 }) {
			return true
		}
	}
	return false
}

// realiseAll makes the host's side of every network, and the resolver serve it.
func (s *Service) realiseAll(ctx context.Context) {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.nets))
	s.mu.Unlock()
	for _, n := range all {
		if !n.bridged() {
			continue
		}
		if err := s.Plumber.EnsureNetwork(ctx, n.segment()); err != nil {
			s.Log.Error("network is not made on the host", "network", n.Name, "error", err)
			continue
		}
		s.listen(n)
	}
}

func (s *Service) knows(seg engine.Segment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range s.nets {
		if id.Short() == seg.Network.Short() && n.Bridge == seg.Bridge {
			return true
		}
	}
	return false
}

// adopt takes up one container, and returns the plugs that are not its.
func (s *Service) adopt(ctx context.Context, a engine.Attachment, held engine.Attached, found []engine.Plug) []engine.Plug {
	b := s.enter(a.Container)
	defer s.leave(b)
	s.mu.Lock()
	b.attachment = a
	for name, e := range held.Endpoints {
		n := s.nets[e.Network]
		if n == nil {
			s.Log.Error("container runs in a network that is gone", "container", a.Container.Short(), "network", name)
			continue
		}
		e.DNSNames = n.dnsNames(a, e.Spec)
		s.retake(e)
		b.endpoints[n.Name] = e
	}
	var left []engine.Plug
	for _, p := range found {
		if owned, ok := b.recognise(p); ok {
			b.plugs = append(b.plugs, owned)
		} else {
			left = append(left, p)
		}
	}
	b.plugs = append(b.plugs, lent(a)...)
	four, six := s.exits(a, nil, b.endpoints)
	// With its last network it lost its ports: its shim may still listen, and is told when the daemon goes on.
	var led []engine.PublishedPort
	for _, p := range held.Ports {
		if e := exitFor(p.HostIP, four, six); e.network != nil {
			b.published, led = append(b.published, place(p, four, six)), append(led, p)
		}
	}
	s.mu.Unlock()
	s.ports.Adopt(a.Container, heldPorts(led))
	if err := s.rewire(ctx, b); err != nil {
		s.Log.Error("container's network is not mended", "container", a.Container.Short(), "error", err)
	}
	s.register(b)
	return left
}

// lent are the interfaces of the administrator's that a container which runs has in its private stack.
func lent(a engine.Attachment) []engine.Plug {
	if !private(a.Sandbox) {
		return nil
	}
	x, _ := readLabels(a.Labels)
	all := x.plugs(a)
	for i := range all {
		all[i].Lent = a.Sandbox
	}
	return all
}

// heldPorts leaves out what was only let through.
func heldPorts(all []engine.PublishedPort) []engine.PublishedPort {
	return slices.DeleteFunc(slices.Clone(all), func(p engine.PublishedPort) bool { return p.HostPort == 0 })
}

// recognise completes a plug that the kernel has with what the box knows of it, if it is one of the box's.
func (b *box) recognise(p engine.Plug) (engine.Plug, bool) {
	x, _ := readLabels(b.attachment.Labels)
	for _, d := range x.plugs(b.attachment) {
		if p.Network == "" && p.Alias == d.Device && p.Container.Short() == b.id.Short() {
			p.Container, p.Device = b.id, d.Device
			return p, true
		}
	}
	for _, e := range b.endpoints {
		marked := p.Container != "" && p.Container.Short() == b.id.Short() && p.Network.Short() == e.Network.Short()
		addressed := p.Container == "" && slices.ContainsFunc(p.Addrs, func(a netip.Prefix) bool {
			return slices.Contains(endpointAddrs(e), a.Addr())
		})
		if marked || addressed {
			p.Container, p.Network, p.Interface, p.MAC = b.id, e.Network, e.Interface, e.MAC
			return p, true
		}
	}
	return p, false
}

// rewire makes the plugs that a box lacks. With none lacking the kernel is left alone: a thousand containers are taken up in
// no time.
func (s *Service) rewire(ctx context.Context, b *box) error {
	lacks := false
	s.mu.Lock()
	for _, e := range b.endpoints {
		n := s.nets[e.Network]
		there := slices.ContainsFunc(b.plugs, func(p engine.Plug) bool { return p.Network == e.Network && (p.Bridge == "" || p.Bridge == n.Bridge) })
		lacks = lacks || n.bridged() && !there
	}
	s.mu.Unlock()
	if !lacks {
		return nil
	}
	return s.replug(ctx, b)
}

// replug states a container's plugs anew. The caller has the box's turn.
func (s *Service) replug(ctx context.Context, b *box) error {
	got, err := s.wire(ctx, b.attachment, b.endpoints, b.plugs)
	if err != nil {
		return err
	}
	s.mu.Lock()
	b.plugs = got
	s.mu.Unlock()
	return nil
}
