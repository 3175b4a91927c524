package lifecycle

import (
	"context"
	"errors"
	"os"

	"github.com/xcengine/xc/engine"
)

// Remove takes a container away. One that runs needs Force.
func (s *Service) Remove(ctx context.Context, ref string, o engine.RemoveOptions) error {
	if o.Link {
		return s.unlink(ctx, ref)
	}
	u, err := s.lookup(ref)
	if err != nil {
		return err
	}
	if u.snapshot().Status.State == engine.StateRemoving {
		return &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonRemoving}
	}
	if o.Force {
		// Before the lock: a stop that waits must not make the force wait.
		if err := s.Kill(ctx, string(u.snapshot().ID), "KILL"); err != nil && !engine.HasReason(err, engine.ReasonNotRunning) {
			return err
		}
	}
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		if o.Force && engine.KindOf(err) == engine.NotFound {
			return nil // it removed itself at its end
		}
		return err
	}
	defer unlock()
	ctx = context.WithoutCancel(ctx)
	c, r := u.current()
	if c.Status.State.Alive() || c.Status.State == engine.StateRestarting {
		if !o.Force {
			return &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: c.Name, Reason: engine.ReasonRunning, Args: []string{string(c.Status.State)}}
		}
		u.cancelRetry()
		if r != nil {
			err = s.murder(ctx, u, r)
		} else {
			err = s.move(ctx, "remove", u, engine.StateExited, nil)
		}
		if err != nil {
			return err
		}
	}
	return s.remove(ctx, u, o)
}

// remove takes a container away that does not run. The caller holds the operation lock.
func (s *Service) remove(ctx context.Context, u *unit, o engine.RemoveOptions) error {
	intent := engine.IntentRemove
	if o.Volumes {
		intent = engine.IntentRemoveVolumes
	}
	if err := s.move(ctx, "remove", u, engine.StateRemoving, func(c *engine.Container) { c.Status.Intent = intent }); err != nil {
		return err
	}
	s.Failpoint("remove.intent")
	c := u.snapshot()
	if err := s.erase(ctx, c, o.Volumes); err != nil {
		s.logged(ctx, "note a failed removal", u, s.move(ctx, "remove", u, engine.StateDead, func(c *engine.Container) { c.Status.Error = err.Error() }))
		return wrap("remove", c.Name, err)
	}
	s.drop(u)
	return nil
}

// erase removes everything of a container but its place in memory, the record last. It can be repeated.
func (s *Service) erase(ctx context.Context, c engine.Container, volumes bool) error {
	if c.Spec.NoClean && !c.Status.Started.IsZero() {
		if err := s.tearDown(ctx, c); err != nil {
			return err
		}
	}
	for _, root := range append(imageRoots(c), c.ID) {
		if err := s.Roots.Remove(ctx, root); err != nil {
			return err
		}
		s.Failpoint("remove.root")
	}
	if volumes {
		for _, p := range c.Mounts {
			if !p.Anonymous {
				continue
			}
			// Another container may have it through --volumes-from; it then goes with that one.
			if err := s.removeVolume(ctx, p.Name); err != nil && engine.KindOf(err) != engine.Conflict {
				return err
			}
		}
	}
	s.Failpoint("remove.volumes")
	if err := os.RemoveAll(s.dir(c.ID)); err != nil {
		return err
	}
	s.Failpoint("remove.directory")
	return s.Store.DeleteContainer(ctx, c.ID)
}

// drop takes a removed container out of memory, publishes that, and ends everyone's wait for it.
func (s *Service) drop(u *unit) {
	c := u.snapshot()
	s.mu.Lock()
	delete(s.units, c.ID)
	s.forgetLinks(c)
	s.forgetGroups(c)
	if s.names[c.Name] == c.ID {
		delete(s.names, c.Name)
	}
	for id, owner := range s.execs {
		if owner == u {
			delete(s.execs, id)
		}
	}
	s.mu.Unlock()
	s.publish(c, "destroy", nil)
	u.mu.Lock()
	u.gone = true
	u.tellWaiters()
	u.mu.Unlock()
	u.endPending(noSuch(string(c.ID)))
}

// Prune removes the containers that do not run and fit the query.
func (s *Service) Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error) {
	var result engine.PruneResult
	for _, c := range s.all() {
		if err := ctx.Err(); err != nil {
			return result, err
		}
		switch c.Status.State {
		case engine.StateCreated, engine.StateExited, engine.StateDead:
		default:
			continue
		}
		if !q.Until.IsZero() && c.Created.After(q.Until) || !matchLabels(c.Spec.Labels, q.Labels, q.NotLabels) {
			continue
		}
		size, err := s.Roots.Size(ctx, c.ID)
		if err != nil {
			s.Log.WarnContext(ctx, "size of a container's root", "container", c.ID, "error", err)
		}
		err = s.Remove(ctx, string(c.ID), engine.RemoveOptions{})
		var known *engine.Error
		switch {
		case err == nil:
			result.Deleted = append(result.Deleted, string(c.ID))
			result.Reclaimed += size.Writable
		case errors.As(err, &known) && (known.Kind == engine.Conflict || known.Kind == engine.NotFound):
			// Someone started or removed it meanwhile.
		default:
			return result, err
		}
	}
	s.Events.Publish(engine.Event{Time: now(), Type: engine.EventContainer, Action: "prune", Attributes: map[string]string{"reclaimed": itoa(result.Reclaimed)}})
	return result, nil
}
