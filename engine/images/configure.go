package images

import (
	"context"
	"slices"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// configureTries bounds how often a change is made anew because the name was given to another image meanwhile.
const configureTries = 5

// Configure makes an image that differs from ref's in xc's part of the configuration and gives it the name that ref is; where
// ref is an id it gets none. The image that was changed stays, and goes with the next prune if it has no other name. change is
// called again when the name was given to another image meanwhile, so that of two changes none is lost.
func (s *Service) Configure(ctx context.Context, ref string, change func(*imageformat.JailConfig) error) (engine.ImageID, error) {
	t, err := parseTarget("configure", ref)
	if err != nil {
		return "", err
	}
	for try := 1; ; try++ {
		e, err := s.find("configure", ref, nil)
		if err != nil {
			return "", err
		}
		id, moved, err := s.configure(ctx, e, s.tagOf(t, e), change)
		if err != nil {
			return "", wrap("configure", ref, err)
		}
		if !moved {
			return id, nil
		}
		if try == configureTries {
			return "", imageError("configure", engine.Conflict, ref, saidf("others change %s all the time: try again", ref))
		}
	}
}

// Description is xc's part of an image's configuration: its own, or what the rest says in those words.
func (s *Service) Description(_ context.Context, ref string) (imageformat.JailConfig, error) {
	e, err := s.find("inspect", ref, nil)
	if err != nil {
		return imageformat.JailConfig{}, err
	}
	raw, err := s.document(digest.Digest(e.rec.ID))
	if err != nil {
		return imageformat.JailConfig{}, wrap("inspect", ref, err)
	}
	doc, err := imageformat.ParseConfig(raw)
	return doc.JailConfig(), wrap("inspect", ref, err)
}

// tagOf is the name by which an image was found, if it was by a name with a tag.
func (s *Service) tagOf(t target, e *entry) []reference.NamedTagged {
	if t.name == nil || !s.means(t.name.String(), e.platformKey(), e.rec.ID) {
		return nil
	}
	if tagged, ok := t.name.(reference.NamedTagged); ok {
		return []reference.NamedTagged{tagged}
	}
	return nil
}

// configure does it once; moved says that the name means another image by now, and nothing was done.
func (s *Service) configure(ctx context.Context, e *entry, names []reference.NamedTagged, change func(*imageformat.JailConfig) error) (id engine.ImageID, moved bool, err error) {
	held := s.holds.lease()
	defer held.end()
	doc, sizes, err := s.baseOf(ctx, held, step{parent: e.rec.ID})
	if err != nil {
		return "", false, err
	}
	if err := setJail(&doc, change); err != nil {
		return "", false, err
	}
	img := fresh{sizes: slices.Clone(sizes), parent: e.rec.Parent, names: names}
	if img.config, err = doc.Marshal(); err != nil {
		return "", false, err
	}
	raw := document{imageformat.DescriptorOf("", img.config), img.config}
	id = engine.ImageID(digest.FromBytes(img.config))
	if err := held.hold(ctx, blobKey(raw.desc.Digest)); err != nil {
		return "", false, err
	}
	if err := s.blobs.put(raw.desc.Digest, raw.raw); err != nil {
		return "", false, err
	}
	err = s.change(ctx, func(c *engine.ImageChange) error {
		for _, n := range names {
			moved = moved || !s.means(n.String(), e.platformKey(), e.rec.ID)
		}
		if moved {
			return nil
		}
		return s.registerIn(c, id, img)
	})
	if made, ok := s.index.get(id); err == nil && !moved && ok {
		s.publish("create", string(id), string(id), made)
		s.tellTagged(made, names)
	}
	return id, moved, err
}

// setJail changes xc's part. What an image of the original xc leaves to it alone stays so: it tells such an image from others.
func setJail(doc *imageformat.JailImage, change func(*imageformat.JailConfig) error) error {
	j := doc.JailConfig()
	if err := change(&j); err != nil {
		return imageError("", engine.Invalid, "", err)
	}
	if doc.Jail != nil && !doc.Run.HasProcess() {
		doc.Jail = &j
		return nil
	}
	doc.SetJail(j)
	return nil
}
