package lifecycle

import (
	"context"
	"errors"

	"github.com/xcengine/xc/engine"
)

// Update changes a container's limits, at once if it runs, and its restart policy.
func (s *Service) Update(ctx context.Context, ref string, req engine.UpdateRequest) ([]string, error) {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer unlock()
	before, r := u.current()
	if req.Restart != nil && before.Spec.AutoRemove && req.Restart.Name != engine.RestartNo && req.Restart.Name != "" {
		return nil, &engine.Error{Op: "update", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Err: errors.New("Restart policy cannot be updated because AutoRemove is enabled for the container")}
	}
	if err := canUpdate(before, req.Resources); err != nil {
		return nil, err
	}
	wanted := before
	wanted.Spec.Resources = updated(before.Spec.Resources, req.Resources)
	if req.Restart != nil {
		wanted.Spec.Restart = *req.Restart
	}
	warnings, err := s.Runtime.Check(ctx, engine.SandboxSpec{ID: wanted.ID, Platform: wanted.Platform, Spec: wanted.Spec, Args: wanted.Spec.Process.Args()})
	if err != nil {
		return nil, err
	}
	if r != nil {
		if err := s.Runtime.Update(ctx, before.ID, wanted.Spec.Resources); err != nil {
			return nil, wrap("update", before.Name, err)
		}
	}
	if err := s.edit(ctx, "update", u, func(c *engine.Container) {
		c.Spec.Resources, c.Spec.Restart = wanted.Spec.Resources, wanted.Spec.Restart
	}); err != nil {
		return nil, err
	}
	s.publish(u.snapshot(), "update", nil)
	return warnings, nil
}

// Keep makes a Transient container one of the user's, which outlives the daemon. It may be repeated.
func (s *Service) Keep(ctx context.Context, ref string) error {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	return s.edit(ctx, "keep", u, func(c *engine.Container) { c.Spec.Transient = false })
}

// canUpdate refuses what contradicts limits that stand and stay.
func canUpdate(c engine.Container, up engine.ResourceUpdate) error {
	conflict := func(text string) error {
		return &engine.Error{Op: "update", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: c.Name, Err: errors.New(text)}
	}
	r := c.Spec.Resources
	switch {
	case up.Memory != nil && up.MemorySwap == nil && r.MemorySwap > 0 && *up.Memory > r.MemorySwap:
		return conflict("Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time")
	case r.NanoCPUs > 0 && up.CPUPeriod != nil && *up.CPUPeriod > 0:
		return conflict("Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set")
	case r.NanoCPUs > 0 && up.CPUQuota != nil && *up.CPUQuota > 0:
		return conflict("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
	case up.NanoCPUs != nil && *up.NanoCPUs > 0 && (r.CPUQuota > 0 || r.CPUPeriod > 0):
		return conflict("Conflicting options: Nano CPUs cannot be updated as CPU Quota or CPU Period has already been set")
	}
	return nil
}

// updated returns resources with the members that the update sets.
func updated(r engine.Resources, up engine.ResourceUpdate) engine.Resources {
	set(&r.Memory, up.Memory)
	set(&r.MemorySwap, up.MemorySwap)
	set(&r.MemoryReservation, up.MemoryReservation)
	set(&r.KernelMemory, up.KernelMemory)
	set(&r.NanoCPUs, up.NanoCPUs)
	set(&r.CPUShares, up.CPUShares)
	set(&r.CPUPeriod, up.CPUPeriod)
	set(&r.CPUQuota, up.CPUQuota)
	set(&r.CPURealtimePeriod, up.CPURealtimePeriod)
	set(&r.CPURealtimeRuntime, up.CPURealtimeRuntime)
	set(&r.CPUSetCPUs, up.CPUSetCPUs)
	set(&r.CPUSetMems, up.CPUSetMems)
	set(&r.BlkioWeight, up.BlkioWeight)
	if up.PidsLimit != nil {
		r.PidsLimit = up.PidsLimit
	}
	return r
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
