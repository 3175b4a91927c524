package volumes

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fstree"
)

// Remove removes a volume with all it holds. One that a container has, running or not, is in use, whatever force says;
// force only makes the removal of what is not there succeed.
func (s *Service) Remove(ctx context.Context, name string, force bool) error {
	release, err := s.locks.take(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	rec, ok := s.lookup(name)
	if !ok {
		if force {
			return nil
		}
		return notFound("remove", name)
	}
	return s.remove(ctx, rec)
}

// remove removes a volume that nobody uses. The name is locked.
func (s *Service) remove(ctx context.Context, rec engine.VolumeRecord) error {
	users, err := s.users(ctx, rec)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return &engine.Error{
			Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceVolume, ID: rec.Name, Reason: engine.ReasonInUse, Args: users,
		}
	}
	// From here on the caller's end does not stop it: half a volume is of no use.
	ctx = context.WithoutCancel(ctx)
	rec.Removing = true
	if err := s.put(ctx, rec); err != nil {
		return fault("remove", rec.Name, err)
	}
	return fault("remove", rec.Name, s.erase(ctx, rec))
}

// erase does what a record with Removing announces. It can be repeated.
func (s *Service) erase(ctx context.Context, rec engine.VolumeRecord) error {
	if needsMount(rec.Volume) {
		if err := s.detach(ctx, rec.Mountpoint); err != nil {
			return err
		}
	}
	root, err := fstree.OpenDir(s.Dir)
	if err != nil {
		return err
	}
	// What is still mounted in the volume is not entered: its content is not the volume's.
	if err := errors.Join(root.RemoveAll(rec.Name), root.Close()); err != nil {
		return fmt.Errorf("error removing volume path '%s': %w", s.dir(rec.Name), err)
	}
	if err := s.forget(ctx, rec.Name); err != nil {
		return err
	}
	s.publish("destroy", rec.Name)
	return nil
}

// detach makes sure that nothing is mounted at a volume's place, since what is mounted there must not be emptied.
func (s *Service) detach(ctx context.Context, target string) error {
	if err := s.Mounter.Unmount(ctx, target); err != nil {
		return err
	}
	mounted, err := s.Mounter.Mounted(ctx, target)
	if err == nil && mounted {
		err = fmt.Errorf("%s is still mounted", target)
	}
	return err
}

// Prune removes the volumes that nobody uses and that fit the query: anonymous ones, with All also named ones, never those
// with options. It returns what it removed so far when ctx ends.
func (s *Service) Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error) {
	var done engine.PruneResult
	if !s.pruning.CompareAndSwap(false, true) {
		return done, &engine.Error{Op: "prune", Kind: engine.Conflict, Resource: engine.ResourceVolume, Err: errors.New("a prune operation is already running")}
	}
	defer s.pruning.Store(false)
	for _, rec := range s.all() {
		if ctx.Err() != nil {
			break
		}
		if !prunable(rec, q) {
			continue
		}
		size, err := s.pruneOne(ctx, rec.Name)
		switch {
		case err == nil:
			done.Deleted = append(done.Deleted, rec.Name)
			done.Reclaimed += size
		case engine.KindOf(err) != engine.Conflict && engine.KindOf(err) != engine.NotFound:
			s.Log.WarnContext(ctx, "a volume was not pruned", "volume", rec.Name, "error", err)
		}
	}
	s.Events.Publish(engine.Event{Type: engine.EventVolume, Action: "prune", Attributes: map[string]string{"reclaimed": strconv.FormatInt(done.Reclaimed, 10)}})
	return done, nil
}

func prunable(rec engine.VolumeRecord, q engine.PruneQuery) bool {
	_, anonymous := rec.Labels[anonymousLabel]
	return (anonymous || q.All) && len(rec.Options) == 0 && matchLabels(q.Labels, rec.Labels) &&
		(len(q.NotLabels) == 0 || !matchLabels(q.NotLabels, rec.Labels)) &&
		(q.Until.IsZero() || rec.Created.Before(q.Until))
}

// pruneOne removes a volume unless it is used, and returns its size.
func (s *Service) pruneOne(ctx context.Context, name string) (int64, error) {
	release, err := s.locks.take(ctx, name)
	if err != nil {
		return 0, err
	}
	defer release()
	rec, ok := s.lookup(name)
	if !ok {
		return 0, notFound("prune", name)
	}
	users, err := s.users(ctx, rec)
	if err != nil {
		return 0, err
	}
	if len(users) > 0 {
		return 0, engine.Conflict
	}
	size, err := s.size(ctx, name)
	if err != nil {
		return 0, err
	}
	return max(0, size), s.remove(ctx, rec)
}
