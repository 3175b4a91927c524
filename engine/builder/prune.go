package builder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/xcengine/xc/engine"
)

// The types of cache records, as BuildKit names them.
const (
	recordStep  = "regular"
	recordMount = "exec.cachemount"
)

// Records lists what the cache holds: steps, then cache mounts.
func (s *Service) Records(ctx context.Context) ([]engine.BuildCacheRecord, error) {
	var all []engine.BuildCacheRecord
	for _, e := range s.cache.all() {
		img, err := s.Images.Lookup(ctx, string(e.Image), nil)
		if err != nil {
			continue // no entry any more; the next use or prune removes it
		}
		r := engine.BuildCacheRecord{
			ID: e.Key[:25], Type: recordStep, Description: e.Description, Shared: len(img.Tags) > 0, Size: s.Images.UniqueSize(e.Image),
			Created: e.Created, LastUsed: e.LastUsed, Uses: e.Uses,
		}
		if e.Parent != "" {
			r.Parents = []string{string(e.Parent)}
		}
		all = append(all, r)
	}
	mounts, err := s.mounts.records()
	return append(all, mounts...), err
}

// Prune removes what the cache holds: with All everything that no running build uses, else what no image with a name needs.
// The bounds of the query hold for the time of last use.
func (s *Service) Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error) {
	var r engine.PruneResult
	old := func(e engine.BuildCacheEntry) bool { return q.Until.IsZero() || e.LastUsed.Before(q.Until) }
	entries := slices.DeleteFunc(s.cache.all(), func(e engine.BuildCacheEntry) bool { return !old(e) })
	slices.Reverse(entries) // what was made last carries nothing
	for moved := true; moved; {
		moved = false
		var kept []engine.BuildCacheEntry
		for _, e := range entries {
			gone, err := s.forget(ctx, e, q.All, &r)
			if err != nil {
				return r, err
			}
			if moved = moved || gone; !gone {
				kept = append(kept, e)
			}
		}
		entries = kept
	}
	err := s.sweep(ctx, &r)
	if err == nil {
		err = s.mounts.prune(q, &r)
	}
	s.Events.Publish(engine.Event{Time: now(), Type: engine.EventBuilder, Action: "prune"})
	return r, err
}

// Collect removes what a builder that was killed left: images of steps that it did not come to note. It must not be called while
// a build runs.
func (s *Service) Collect(ctx context.Context) (int64, error) {
	var r engine.PruneResult
	err := s.sweep(ctx, &r)
	return r.Reclaimed, err
}

// sweep removes the images of steps that no entry leads to any more: a later build without the cache took their place.
func (s *Service) sweep(ctx context.Context, r *engine.PruneResult) error {
	for moved := true; moved; {
		moved = false
		known := map[engine.ImageID]bool{}
		for _, e := range s.cache.all() {
			known[e.Image] = true
		}
		for _, id := range s.Images.Intermediate() {
			if known[id] {
				continue
			}
			freed, err := s.Images.RemoveIntermediate(ctx, id)
			if kind := engine.KindOf(err); err != nil && (kind == engine.Conflict || kind == engine.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			moved = true
			r.Deleted = append(r.Deleted, id.Short())
			r.Reclaimed += freed
		}
	}
	return nil
}

// forget removes an entry with its image, or with all the entry alone when a user's image has become of it. It reports
// whether the entry is gone.
func (s *Service) forget(ctx context.Context, e engine.BuildCacheEntry, all bool, r *engine.PruneResult) (bool, error) {
	freed, err := s.Images.RemoveIntermediate(ctx, e.Image)
	switch kind := engine.KindOf(err); {
	case err == nil || kind == engine.NotFound:
	case kind == engine.Conflict && all && !engine.HasReason(err, engine.ReasonInUse):
	case kind == engine.Conflict:
		return false, nil
	default:
		return false, err
	}
	if err := s.cache.remove(ctx, e.Key); err != nil {
		return false, err
	}
	r.Deleted = append(r.Deleted, e.Key[:25])
	r.Reclaimed += freed
	return true, nil
}

func (c *cacheMounts) records() ([]engine.BuildCacheRecord, error) {
	dirs, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, err
	}
	var all []engine.BuildCacheRecord
	for _, d := range dirs {
		info, err := d.Info()
		if err != nil {
			continue // removed just now
		}
		size, err := treeSize(filepath.Join(c.dir, d.Name()))
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		used := c.busy[d.Name()] != nil
		c.mu.Unlock()
		all = append(all, engine.BuildCacheRecord{
			ID: d.Name(), Type: recordMount, Description: "cached mount", InUse: used, Size: size, Created: info.ModTime(), LastUsed: info.ModTime(), Uses: 1,
		})
	}
	return all, nil
}

func treeSize(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// prune removes the directories that no step has mounted.
func (c *cacheMounts) prune(q engine.PruneQuery, r *engine.PruneResult) error {
	records, err := c.records()
	if err != nil {
		return err
	}
	for _, rec := range records {
		if !q.Until.IsZero() && !rec.LastUsed.Before(q.Until) {
			continue
		}
		gone, err := c.remove(rec.ID)
		if err != nil {
			return err
		}
		if gone {
			r.Deleted = append(r.Deleted, rec.ID)
			r.Reclaimed += rec.Size
		}
	}
	return nil
}

// remove takes a directory away unless it is used. It is moved out of sight first, so that nobody waits for its removal.
func (c *cacheMounts) remove(name string) (bool, error) {
	away := filepath.Join(filepath.Dir(c.dir), "running", "pruned-"+name+"-"+engine.NewID()[:12])
	c.mu.Lock()
	if c.busy[name] != nil {
		c.mu.Unlock()
		return false, nil
	}
	err := os.Rename(filepath.Join(c.dir, name), away)
	c.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, errors.Join(err, os.RemoveAll(away))
}
