package images

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
)

// List returns the images that a query selects, the newest first. Without All, images that only carry others are left out.
func (s *Service) List(ctx context.Context, q engine.ImageQuery) ([]engine.ImageSummary, error) {
	f, err := s.filter(q)
	if err != nil {
		return nil, err
	}
	count, err := s.counter(ctx)
	if err != nil {
		return nil, wrap("list", "", err)
	}
	var rows []engine.ImageSummary
	for _, e := range s.index.all() {
		if err := ctx.Err(); err != nil {
			return nil, wrap("list", "", err)
		}
		img, ok, err := f.row(e)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		n, err := count(img.ID)
		if err != nil {
			return nil, wrap("list", "", err)
		}
		if q.Manifests {
			if img.Manifest, err = s.manifest(ctx, e); err != nil {
				return nil, wrap("list", "", err)
			}
		}
		rows = append(rows, engine.ImageSummary{Image: img, Containers: n, SharedSize: -1})
	}
	if q.SharedSize {
		s.shareSizes(rows)
	}
	slices.SortFunc(rows, func(a, b engine.ImageSummary) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return rows, nil
}

// counter returns what counts an image's containers.
func (s *Service) counter(ctx context.Context) (func(engine.ImageID) (int, error), error) {
	if c, ok := s.containers.(ImageCounter); ok {
		counts, err := c.ImageCounts(ctx)
		return func(id engine.ImageID) (int, error) { return counts[id], nil }, err
	}
	return func(id engine.ImageID) (int, error) {
		users, err := s.users(ctx, id)
		return len(users), err
	}, nil
}

// filter is a query whose names are resolved.
type filter struct {
	s             *Service
	q             engine.ImageQuery
	before, since time.Time
}

func (s *Service) filter(q engine.ImageQuery) (filter, error) {
	f := filter{s: s, q: q, before: q.Until}
	if q.Before != "" {
		e, err := s.find("list", q.Before, nil)
		if err != nil {
			return f, err
		}
		if f.before.IsZero() || e.img.Created.Before(f.before) {
			f.before = e.img.Created
		}
	}
	if q.Since != "" {
		e, err := s.find("list", q.Since, nil)
		if err != nil {
			return f, err
		}
		f.since = e.img.Created
	}
	for _, pattern := range q.References {
		// A pattern that is none would otherwise be told only if there is an image.
		if _, err := reference.FamiliarMatch(pattern, probe); err != nil {
			return f, imageError("list", engine.Invalid, pattern, err)
		}
	}
	return f, nil
}

var probe = reference.TagNameOnly(mustParse("probe"))

func mustParse(name string) reference.Named {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		panic(err) // of a constant
	}
	return named
}

func (f filter) row(e *entry) (engine.Image, bool, error) {
	created, q := e.img.Created, f.q
	// An image that does not say when it was made is neither before nor after anything.
	if !f.before.IsZero() && (created.IsZero() || !created.Before(f.before)) || !f.since.IsZero() && !created.After(f.since) {
		return engine.Image{}, false, nil
	}
	if !matchLabels(e.img.Config.Labels, q.Labels, q.NotLabels) {
		return engine.Image{}, false, nil
	}
	img := f.s.image(e)
	if len(q.References) > 0 {
		var err error
		if img.Tags, img.Digests, err = f.matching(e); err != nil {
			return img, false, err
		}
	}
	dangling := q.Dangling != nil && *q.Dangling
	if len(img.Tags)+len(img.Digests) > 0 {
		return img, !dangling || len(img.Tags) == 0, nil
	}
	switch {
	case q.Dangling != nil && !dangling, len(q.References) > 0:
		return img, false, nil
	case dangling || !q.All:
		return img, !f.s.hasChildren(e) && !f.s.intermediate(e), nil
	}
	return img, true, nil
}

// matching keeps the names that a pattern fits.
func (f filter) matching(e *entry) (tags, digests []string, err error) {
	for _, name := range f.s.index.refs(e.rec.ID) {
		named, ok := keptName(name)
		if !ok {
			continue
		}
		for _, pattern := range f.q.References {
			fits, err := reference.FamiliarMatch(pattern, named)
			if err != nil {
				return nil, nil, imageError("list", engine.Invalid, pattern, err)
			}
			if !fits {
				continue
			}
			if isDigestName(name) {
				digests = append(digests, reference.FamiliarString(named))
			} else {
				tags = append(tags, reference.FamiliarString(named))
			}
			break
		}
	}
	return tags, digests, nil
}

func (s *Service) hasChildren(e *entry) bool {
	yes := false
	s.index.view(func() { yes = len(s.index.children[e.rec.ID]) > 0 })
	return yes
}

// matchLabels reports whether all of want hold and, of unwanted, not all.
func matchLabels(labels map[string]string, want, unwanted []engine.LabelMatch) bool {
	all := func(list []engine.LabelMatch) bool {
		for _, m := range list {
			if v, ok := labels[m.Key]; !ok || m.HasValue && v != m.Value {
				return false
			}
		}
		return true
	}
	return all(want) && (len(unwanted) == 0 || !all(unwanted))
}

// shareSizes fills in how much of each image other images have too.
func (s *Service) shareSizes(rows []engine.ImageSummary) {
	s.index.view(func() {
		for i := range rows {
			rows[i].SharedSize = 0
			e, ok := s.index.images[rows[i].ID]
			if !ok {
				continue
			}
			for at, id := range e.chain {
				if len(s.index.layers[id]) > 1 && at < len(e.rec.LayerSizes) {
					rows[i].SharedSize += e.rec.LayerSizes[at]
				}
			}
		}
	})
}

// Usage is the images' part of system df: the size of all layers, each counted once, and every image with what it shares.
func (s *Service) Usage(ctx context.Context) (layers int64, rows []engine.ImageSummary, err error) {
	if rows, err = s.List(ctx, engine.ImageQuery{SharedSize: true}); err != nil {
		return 0, nil, err
	}
	counted := map[engine.LayerID]bool{}
	for _, e := range s.index.all() {
		for at, id := range e.chain {
			if !counted[id] && at < len(e.rec.LayerSizes) {
				counted[id] = true
				layers += e.rec.LayerSizes[at]
			}
		}
	}
	return layers, rows, nil
}

// Count returns how many images there are, those included that only carry others.
func (s *Service) Count() int {
	n := 0
	s.index.view(func() { n = len(s.index.images) })
	return n
}

// Children returns the images that were made of this one here, sorted.
func (s *Service) Children(id engine.ImageID) []engine.ImageID {
	var all []engine.ImageID
	s.index.view(func() {
		for child := range s.index.children[id] {
			all = append(all, child)
		}
	})
	slices.Sort(all)
	return all
}
