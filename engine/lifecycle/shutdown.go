package lifecycle

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// Shutdown ends every container that runs, as for a shutdown of the host: those that use another's network before that one,
// the others side by side, each by its stop signal and SIGKILL once its own stop timeout or what is left of patience is over. None
// counts as stopped by a user, so restart policies bring them back when a daemon starts again. Config.Hold must be set.
func (s *Service) Shutdown(ctx context.Context, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	var errs []error
	for _, wave := range s.waves() {
		failed := make([]error, len(wave))
		var wg sync.WaitGroup
		for i, u := range wave {
			wg.Go(func() { failed[i] = s.shutDown(ctx, u, time.Until(deadline)) })
		}
		wg.Wait()
		errs = append(errs, failed...)
	}
	return errors.Join(errs...)
}

// waves are the containers in the order of their ends: a container that uses another's network is a wave before that one.
func (s *Service) waves() [][]*unit {
	s.mu.RLock()
	all := slices.Collect(maps.Values(s.units))
	s.mu.RUnlock()
	var waves [][]*unit
	for _, u := range all {
		depth := s.depth(u, len(all))
		for len(waves) <= depth {
			waves = append(waves, nil)
		}
		waves[depth] = append(waves[depth], u)
	}
	slices.Reverse(waves)
	return waves
}

// depth is over how many others a container's network is reached, at most limit.
func (s *Service) depth(u *unit, limit int) int {
	n := 0
	for c := u.snapshot(); joinsNetwork(c) && n < limit; n++ {
		peer, err := s.lookup(strings.TrimPrefix(string(c.Spec.Network.Mode), "container:"))
		if err != nil {
			break
		}
		c = peer.snapshot()
	}
	return n
}

// shutDown ends one container.
func (s *Service) shutDown(ctx context.Context, u *unit, left time.Duration) error {
	if err := u.op.lock(ctx); err != nil {
		return err
	}
	defer u.op.unlock()
	c, r := u.current()
	if r == nil {
		return nil
	}
	if c.Status.State == engine.StatePaused {
		if err := s.resume(ctx, u); err != nil {
			return err
		}
	}
	timeout := defaultStopTimeout
	if c.Spec.StopTimeout != nil {
		timeout = *c.Spec.StopTimeout
	}
	if most := int(left / time.Second); timeout < 0 || timeout > most {
		timeout = max(most, 0)
	}
	return s.terminate(ctx, u, r, engine.StopOptions{Timeout: &timeout})
}
