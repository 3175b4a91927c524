package images

import (
	"context"
	"maps"
	"slices"

	"github.com/xcengine/xc/engine"
)

// Hold keeps an image from being removed until release is called, which may be repeated. It is NotFound when the image is
// not there.
func (s *Service) Hold(id engine.ImageID) (release func(), err error) {
	s.write.Lock()
	defer s.write.Unlock()
	if _, ok := s.index.get(id); !ok {
		return nil, imageError("hold", engine.NotFound, string(id), nil)
	}
	s.kept[id]++
	released := false
	return func() {
		s.write.Lock()
		defer s.write.Unlock()
		if released {
			return
		}
		released = true
		if s.kept[id]--; s.kept[id] == 0 {
			delete(s.kept, id)
		}
	}, nil
}

// Keep makes an intermediate image one of the user's, as if it had been made for its own sake.
func (s *Service) Keep(ctx context.Context, id engine.ImageID) error {
	return s.change(ctx, func(c *engine.ImageChange) error {
		e, ok := s.index.get(id)
		if !ok {
			return imageError("keep", engine.NotFound, string(id), nil)
		}
		if rec := e.rec; rec.Intermediate {
			rec.Intermediate = false
			c.Put = append(c.Put, rec)
		}
		return nil
	})
}

// RemoveIntermediate removes an image that only a build's cache keeps, and returns the bytes of the layers that went. An
// image that has a name, a user, a child or a holder stays: that is a Conflict.
func (s *Service) RemoveIntermediate(ctx context.Context, id engine.ImageID) (int64, error) {
	r := &removal{s: s, ref: string(id)}
	s.write.Lock()
	err := func() error {
		e, ok := s.index.get(id)
		switch {
		case !ok:
			return imageError("delete", engine.NotFound, string(id), nil)
		case !e.rec.Intermediate:
			return imageError("delete", engine.Conflict, string(id), said("it is no intermediate image"))
		}
		return r.image(ctx, e, false, false, false)
	}()
	s.write.Unlock()
	r.finish(ctx)
	return r.reclaimed, err
}

// intermediate reports whether an image is only a build's and has no name by which a user could mean it.
func (s *Service) intermediate(e *entry) bool {
	return e.rec.Intermediate && len(s.index.refs(e.rec.ID)) == 0
}

// cacheAlone reports whether all that an image carries are images that only a build's cache keeps.
func (s *Service) cacheAlone(e *entry) bool {
	var children []engine.ImageID
	s.index.view(func() { children = slices.Collect(maps.Keys(s.index.children[e.rec.ID])) })
	for _, id := range children {
		if child, ok := s.index.get(id); ok && !(s.intermediate(child) && s.cacheAlone(child)) {
			return false
		}
	}
	return true
}

// Intermediate lists the images that only a build's cache keeps.
func (s *Service) Intermediate() []engine.ImageID {
	var all []engine.ImageID
	for _, e := range s.index.all() {
		if s.intermediate(e) {
			all = append(all, e.rec.ID)
		}
	}
	return all
}

// UniqueSize is the size of the layers that an image has and its parent has not.
func (s *Service) UniqueSize(id engine.ImageID) int64 {
	e, ok := s.index.get(id)
	if !ok {
		return 0
	}
	below := 0
	if parent, ok := s.index.get(e.rec.Parent); ok {
		below = len(parent.chain)
	}
	var n int64
	for i := below; i < len(e.rec.LayerSizes); i++ {
		n += e.rec.LayerSizes[i]
	}
	return n
}
