package networks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks/ports"
)

// publish binds the ports that are wanted and not held yet.
func (t *attaching) publish(ctx context.Context) error {
	t.mu.Lock()
	four, six := t.exits(t.want, t.box.published, t.endpoints)
	t.mu.Unlock()
	wished := wishes(bindings(t.want), four, six)
	keep, need := compare(t.box.published, wished)
	if err := t.vacate(ctx, need); err != nil {
		return err
	}
	var err error
	if t.reserved, err = t.ports.Reserve(ctx, t.want.Container, need); err != nil {
		return t.atEndpoint(err)
	}
	t.undo.Push("ports", func(context.Context) error { t.ports.GiveBack(t.want.Container, t.reserved); return nil })
	t.surplus = slices.Clone(t.box.published)
	for _, p := range keep {
		t.published = append(t.published, place(p, four, six))
		t.surplus = slices.DeleteFunc(t.surplus, func(q publication) bool { return q.PublishedPort == p })
	}
	for _, h := range t.reserved {
		t.published = append(t.published, place(h.PublishedPort, four, six))
	}
	for _, w := range wished {
		t.published = append(t.published, w.through...)
	}
	return nil
}

// atEndpoint names the endpoint whose ports could not be published, as dockerd does.
func (t *attaching) atEndpoint(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := cmp.Or(t.gateway(t.endpoints, false), t.gateway(t.endpoints, true))
	return &engine.Error{
		Op: "publish endpoint", Kind: engine.KindOf(err), Resource: engine.ResourceEndpoint,
		ID: fmt.Sprintf("%s (%s)", t.want.Name, t.endpoints[name].ID), Err: err,
	}
}

// vacate lets the resolver leave port 53 when a container wants to publish it.
func (s *Service) vacate(ctx context.Context, need []ports.Want) error {
	const port = 53
	wanted := slices.ContainsFunc(need, func(w ports.Want) bool {
		return w.First > 0 && w.First <= port && max(w.First, w.Last) >= port && w.Port.Proto != engine.SCTP
	})
	if !wanted {
		return nil
	}
	moved, err := s.resolver.Vacate()
	if moved {
		err = errors.Join(err, s.filtering.sync(ctx))
	}
	return err
}

// plug makes the interfaces.
func (t *attaching) plug(ctx context.Context) error {
	sandbox, plugs := t.box.attachment.Sandbox, t.box.plugs
	t.undo.Push("interfaces", func(ctx context.Context) error { return t.unplug(ctx, sandbox, plugs) })
	if len(t.replaced) > 0 { // a plug's addresses are changed by making it again
		kept := slices.DeleteFunc(slices.Clone(plugs), func(p engine.Plug) bool {
			return slices.ContainsFunc(slices.Collect(maps.Values(t.replaced)), func(e engine.Endpoint) bool { return e.Network == p.Network })
		})
		if _, err := t.Plumber.Attach(ctx, engine.Wiring{Container: t.want.Container, Sandbox: sandbox, Plugs: kept}); err != nil {
			return err
		}
	}
	got, err := t.wire(ctx, t.want, t.endpoints, plugs)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.box.plugs = got
	t.mu.Unlock()
	nameInterfaces(t.endpoints, got)
	return nil
}

// unplug brings the interfaces back to those of before.
func (t *attaching) unplug(ctx context.Context, sandbox engine.Sandbox, before []engine.Plug) error {
	now := t.box.plugs
	t.mu.Lock()
	t.box.plugs = before
	t.mu.Unlock()
	if len(before) > 0 {
		_, err := t.Plumber.Attach(ctx, engine.Wiring{Container: t.want.Container, Sandbox: sandbox, Plugs: before})
		return err
	}
	return t.Plumber.Detach(ctx, now)
}

// commit makes the wish what the box has, and brings packet filter and resolver to it.
func (t *attaching) commit(ctx context.Context) error {
	attachment, published, endpoints := t.box.attachment, t.box.published, t.box.endpoints
	set := func(a engine.Attachment, p []publication, e map[string]engine.Endpoint) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.box.attachment, t.box.published, t.box.endpoints = a, p, e
	}
	gone, come := portRules(t.box.id, published, t.published), portRules(t.box.id, t.published, published)
	t.undo.Push("rules", func(ctx context.Context) error {
		set(attachment, published, endpoints)
		return t.filtering.ports(ctx, come, gone)
	})
	set(t.want, t.published, maps.Clone(t.endpoints))
	if err := t.filtering.ports(ctx, gone, come); err != nil {
		return fmt.Errorf("publish and connect: %w", err)
	}
	t.mu.Lock()
	for _, e := range t.gone() {
		t.release(e)
	}
	t.mu.Unlock()
	t.giveBack(t.surplus)
	t.register(t.box)
	return nil
}

// gone is the endpoints that the box had and has not any more, but for those whose addresses were given back before.
func (t *attaching) gone() map[string]engine.Endpoint {
	gone := maps.Clone(t.before)
	for name := range t.endpoints {
		delete(gone, name)
	}
	return gone
}

func (t *attaching) giveBack(surplus []publication) {
	var held []ports.Held
	for _, p := range surplus {
		if p.HostPort != 0 {
			held = append(held, ports.Held{PublishedPort: p.PublishedPort})
		}
	}
	t.ports.GiveBack(t.want.Container, held)
}

// tell publishes what an Attach changed.
func (t *attaching) tell() {
	gone := t.gone()
	maps.Copy(gone, t.replaced)
	for _, name := range networkOrder(t.want.Mode, gone) {
		t.tellOne("disconnect", gone[name], t.want.Container)
	}
	for _, name := range networkOrder(t.want.Mode, t.came) {
		t.tellOne("connect", t.came[name], t.want.Container)
	}
}
