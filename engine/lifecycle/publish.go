package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"github.com/xcengine/xc/engine"
)

// Publish adds ports to those that a container has published, at once if it runs.
func (s *Service) Publish(ctx context.Context, ref string, ports []engine.PortBinding) error {
	return s.rebind(ctx, ref, func(c engine.Container) ([]engine.PortBinding, error) {
		all := slices.Clone(c.Spec.Network.Bindings)
		for _, p := range ports {
			if slices.Contains(all, p) {
				return nil, &engine.Error{Op: "publish", Kind: engine.Conflict, Resource: engine.ResourcePort, ID: c.Name, Err: fmt.Errorf("container %s publishes port %d/%s so already", c.Name, p.Port.Number, p.Port.Proto)}
			}
			all = append(all, p)
		}
		return all, nil
	})
}

// Unpublish takes ports away that were published: of those that match in everything that a wanted one names (a container's port 0,
// no protocol, no address, host port 0 fit any). One that fits none is an error, and nothing is changed.
func (s *Service) Unpublish(ctx context.Context, ref string, ports []engine.PortBinding) error {
	return s.rebind(ctx, ref, func(c engine.Container) ([]engine.PortBinding, error) {
		all := slices.Clone(c.Spec.Network.Bindings)
		for _, p := range ports {
			before := len(all)
			if all = slices.DeleteFunc(all, func(have engine.PortBinding) bool { return fits(have, p) }); len(all) == before {
				return nil, &engine.Error{Op: "unpublish", Kind: engine.NotFound, Resource: engine.ResourcePort, ID: c.Name, Err: fmt.Errorf("container %s does not publish such a port", c.Name)}
			}
		}
		return all, nil
	})
}

func fits(have, want engine.PortBinding) bool {
	return (want.Port.Number == 0 || want.Port.Number == have.Port.Number) && (want.Port.Proto == "" || want.Port.Proto == have.Port.Proto) &&
		(!want.HostIP.IsValid() || want.HostIP == have.HostIP) &&
		(want.HostFirst == 0 || want.HostFirst == have.HostFirst && max(want.HostFirst, want.HostLast) == max(have.HostFirst, have.HostLast))
}

// rebind records other ports and applies them when the container runs. When that fails the record is as before.
func (s *Service) rebind(ctx context.Context, ref string, change func(engine.Container) ([]engine.PortBinding, error)) error {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	c := u.snapshot()
	if mode := c.Spec.Network.Mode; mode == "none" || mode == "host" || joinsNetwork(c) {
		return &engine.Error{Op: "publish", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: ref, Err: fmt.Errorf("container %s has no network of its own to publish ports of", c.Name)}
	}
	wanted, err := change(c)
	if err != nil {
		return err
	}
	return s.renet(ctx, u, func(c *engine.Container) { c.Spec.Network.Bindings = wanted })
}

// Sandbox tells where a container is in the kernel; the zero value says that it does not run.
func (s *Service) Sandbox(id engine.ContainerID) engine.Sandbox {
	s.mu.RLock()
	u := s.units[id]
	s.mu.RUnlock()
	if u == nil {
		return engine.Sandbox{}
	}
	if _, r := u.current(); r != nil {
		return r.box
	}
	return engine.Sandbox{}
}
