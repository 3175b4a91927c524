package images

import (
	"context"
	"slices"

	"github.com/distribution/reference"

	"github.com/xcengine/xc/engine"
)

// Tag gives an image one more name. A name that means another image, on whatever platform, is taken from it.
func (s *Service) Tag(ctx context.Context, ref, target string) error {
	name, err := parseName("tag", target)
	if err != nil {
		return err
	}
	e, err := s.find("tag", ref, nil)
	if err != nil {
		return err
	}
	return wrap("tag", ref, s.tag(ctx, e.rec.ID, name))
}

func (s *Service) tag(ctx context.Context, id engine.ImageID, name reference.NamedTagged) error {
	var e *entry
	err := s.change(ctx, func(c *engine.ImageChange) error {
		var ok bool
		if e, ok = s.index.get(id); !ok {
			return imageError("tag", engine.NotFound, string(id), nil)
		}
		rec := e.rec
		s.nameIn(c, e, &rec, name.String(), nil)
		rec.LastTagged = now()
		c.Put = append(c.Put, rec)
		return nil
	})
	if err == nil {
		s.publish("tag", string(id), reference.FamiliarString(name), e)
	}
	return err
}

// nameIn adds to a change that a name means this image and no other, but for those beside it, which keep the name for their
// own platforms.
func (s *Service) nameIn(c *engine.ImageChange, e *entry, rec *engine.ImageRecord, name string, beside []engine.ImageID) {
	rec.Intermediate = false
	s.index.view(func() {
		for _, n := range s.index.names[name] {
			if !slices.Contains(beside, n.Image) {
				c.DeleteNames = append(c.DeleteNames, n)
			}
		}
	})
	c.PutNames = append(c.PutNames, engine.ImageName{Name: name, Platform: e.platformKey(), Image: rec.ID, Set: now()})
}
