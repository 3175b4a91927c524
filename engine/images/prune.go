package images

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/xcengine/xc/engine"
)

// Prune removes images that have no tag and no use, or with All every image that no container has, and what a killed daemon
// left behind. It returns what it did in the order in which it did it, and the bytes of the layers that went.
func (s *Service) Prune(ctx context.Context, q engine.PruneQuery) ([]engine.ImageDeleted, int64, error) {
	if !s.pruning.CompareAndSwap(false, true) {
		return nil, 0, imageError("prune", engine.Conflict, "", errors.New("a prune operation is already running"))
	}
	defer s.pruning.Store(false)
	var done []engine.ImageDeleted
	var freed int64
	for _, e := range s.prunable(q) {
		if ctx.Err() != nil {
			break // what was done is told all the same
		}
		for _, ref := range s.pruneBy(e, q.All) {
			r := &removal{s: s, ref: ref, how: engine.ImageRemoval{Prune: true}, only: e.rec.ID}
			err := r.run(ctx)
			if err != nil && engine.KindOf(err) != engine.Conflict && engine.KindOf(err) != engine.NotFound {
				s.log.Warn("an image could not be pruned", "image", ref, "error", err)
			}
			done = append(done, r.done...)
			freed += r.reclaimed
		}
	}
	if _, err := s.collect(ctx, 0); err != nil {
		s.log.Warn("not everything that nothing needs could be removed", "error", err)
	}
	s.cfg.Events.Publish(engine.Event{
		Time: now(), Type: engine.EventImage, Action: "prune", Attributes: map[string]string{"reclaimed": strconv.FormatInt(freed, 10)},
	})
	return done, freed, nil
}

// prunable selects images by the query's age and labels. Of images that only carry others the removal of those decides.
func (s *Service) prunable(q engine.PruneQuery) []*entry {
	var all []*entry
	for _, e := range s.index.all() {
		named := len(s.index.refs(e.rec.ID)) > 0
		switch {
		case s.hasChildren(e) && (!named || !q.All), s.intermediate(e),
			!q.Until.IsZero() && (e.img.Created.IsZero() || e.img.Created.After(q.Until)),
			!matchLabels(e.img.Config.Labels, q.Labels, q.NotLabels):
			continue
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(b.img.Created.Compare(a.img.Created), cmp.Compare(a.rec.ID, b.rec.ID))
	})
	return all
}

// pruneBy is how an image is removed: by its id when it has no names, by each of its names when those may go.
func (s *Service) pruneBy(e *entry, all bool) []string {
	names := s.index.refs(e.rec.ID)
	if len(names) == 0 {
		return []string{string(e.rec.ID)}
	}
	if !all && len(tagsOf(names)) > 0 {
		return nil
	}
	return slices.Clone(names)
}
