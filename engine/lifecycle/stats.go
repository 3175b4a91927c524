package lifecycle

import (
	"context"
	"time"

	"github.com/xcengine/xc/engine"
)

// Stats calls each with a sample, then about every second until ctx ends or each fails. Between the first two samples of a
// stream lies a second as well. A container that does not run gives zero samples.
func (s *Service) Stats(ctx context.Context, ref string, once bool, each func(engine.Container, engine.Stats) error) error {
	u, err := s.lookup(ref)
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		c, sample, err := s.sample(ctx, u)
		if err != nil {
			return err
		}
		if err := each(c, sample); err != nil || once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		u.mu.Lock()
		gone := u.gone
		u.mu.Unlock()
		if gone {
			return nil
		}
	}
}

func (s *Service) sample(ctx context.Context, u *unit) (engine.Container, engine.Stats, error) {
	c, r := u.current()
	if r == nil {
		return c, engine.Stats{}, nil
	}
	sample, err := s.Runtime.Stats(ctx, c.ID, r.box, c.Status.Pid)
	if err != nil {
		if now, _ := u.current(); !now.Status.State.Alive() || now.Status.Intent == engine.IntentStop {
			return now, engine.Stats{}, nil // it ended while it was measured
		}
		return c, sample, wrap("stats", c.Name, err)
	}
	return c, sample, nil
}

// Top lists a running container's processes.
func (s *Service) Top(ctx context.Context, ref string, psArgs []string) (engine.ProcessTable, error) {
	u, err := s.lookup(ref)
	if err != nil {
		return engine.ProcessTable{}, err
	}
	c, r := u.current()
	switch {
	case c.Status.State == engine.StateRestarting:
		return engine.ProcessTable{}, &engine.Error{Op: "top", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonRestarting, Args: []string{string(c.ID)}}
	case r == nil:
		return engine.ProcessTable{}, &engine.Error{Op: "top", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonNotRunning, Args: []string{string(c.ID)}}
	}
	table, err := s.Runtime.Processes(ctx, c.ID, r.box, psArgs)
	if err != nil {
		return table, wrap("top", c.Name, err)
	}
	s.publish(c, "top", nil)
	return table, nil
}
