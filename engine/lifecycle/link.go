package lifecycle

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Link ties a running container to its caller: it returns how the container ended, or kills it when ctx ends first, which is when
// the caller has gone. Whoever serves callers must not let ctx end with the daemon: containers outlive that. A restart by policy
// is an end, too.
func (s *Service) Link(ctx context.Context, ref string) (engine.WaitResult, error) {
	u, err := s.lookup(ref)
	if err != nil {
		return engine.WaitResult{}, err
	}
	c, r := u.current()
	if r == nil {
		return engine.WaitResult{}, &engine.Error{Op: "link", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonNotRunning, Args: []string{string(c.ID)}}
	}
	select {
	case <-r.done:
		return engine.WaitResult{ExitCode: u.snapshot().Status.ExitCode}, nil
	case <-s.life.Done():
		return engine.WaitResult{}, &engine.Error{Op: "link", Kind: engine.Unavailable, Resource: engine.ResourceContainer, ID: ref}
	case <-ctx.Done():
	}
	if s.life.Err() != nil {
		return engine.WaitResult{}, ctx.Err() // the daemon goes, and who is linked does not
	}
	if _, now := u.current(); now != r {
		return engine.WaitResult{}, ctx.Err() // it has ended, or is another run
	}
	err = s.Kill(context.WithoutCancel(ctx), string(c.ID), "KILL")
	if engine.HasReason(err, engine.ReasonNotRunning) {
		err = nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return engine.WaitResult{}, err
}
