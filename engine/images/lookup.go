package images

import (
	"context"
	"errors"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// Lookup finds an image by name, id or the beginning of an id. Of images of several platforms that share a name it takes
// the one that is wanted, or else the one that this host runs best. Its layers are there when it is returned.
func (s *Service) Lookup(ctx context.Context, ref string, platform *engine.Platform) (engine.Image, error) {
	e, err := s.find("find", ref, platform)
	if err != nil {
		return engine.Image{}, err
	}
	if err := s.restore(ctx, e); err != nil {
		return engine.Image{}, wrap("find", ref, err)
	}
	return s.image(e), nil
}

// Inspect is Lookup with the manifest and what the storage driver shows.
func (s *Service) Inspect(ctx context.Context, ref string, platform *engine.Platform) (engine.Image, error) {
	e, err := s.find("inspect", ref, platform)
	if err != nil {
		return engine.Image{}, err
	}
	img := s.image(e)
	if img.Top != "" {
		if img.Dir, err = s.cfg.Layers.Describe(ctx, img.Top); err != nil {
			s.log.Warn("the storage driver cannot describe an image's layers", "image", img.ID, "error", err)
		}
	}
	img.Manifest, err = s.manifest(ctx, e)
	return img, wrap("inspect", ref, err)
}

// image is what callers get: the entry with its present names.
func (s *Service) image(e *entry) engine.Image {
	img := e.img
	img.Driver = s.cfg.Layers.Driver()
	for _, name := range s.index.refs(img.ID) {
		if isDigestName(name) {
			img.Digests = append(img.Digests, familiarName(name))
		} else {
			img.Tags = append(img.Tags, familiarName(name))
		}
	}
	return img
}

// find is the one way from a user's words to an image.
func (s *Service) find(op, ref string, platform *engine.Platform) (*entry, error) {
	t, err := parseTarget(op, ref)
	if err != nil {
		return nil, err
	}
	if t.name != nil {
		if fit := s.index.named(t.name.String()); len(fit) > 0 {
			return s.choose(op, t, fit, platform)
		}
	}
	if e, ok := s.byID(t); ok {
		return s.choose(op, t, []*entry{e}, platform)
	}
	return nil, t.notFound(op)
}

func (s *Service) byID(t target) (*entry, bool) {
	if t.id != "" {
		if e, ok := s.index.get(engine.ImageID(t.id)); ok {
			return e, true
		}
		var id engine.ImageID
		s.index.view(func() { id = s.index.manifests[t.id] })
		return s.index.get(id)
	}
	if t.prefix != "" {
		return s.index.byPrefix(t.prefix)
	}
	return nil, false
}

// choose takes the best of the images that a name is tied to, the newest last. Without a wish any will do; with one that
// none fulfils the answer is Docker's.
func (s *Service) choose(op string, t target, fit []*entry, platform *engine.Platform) (*entry, error) {
	want := s.wanted(platform)
	best, place := fit[len(fit)-1], -1
	for _, e := range slices.Backward(fit) {
		if r := rank(want, e.img.Platform); r >= 0 && (place < 0 || r < place) {
			best, place = e, r
		}
	}
	if platform != nil && place < 0 {
		is, wish := best.img.Platform.String(), imageformat.FormatPlatform(formatPlatform(*platform))
		err := imageError(op, engine.NotFound, t.raw, saidf(
			"image with reference %s was found but its platform (%s) does not match the specified platform (%s)", t.familiar(), is, wish))
		err.ID, err.Reason, err.Args = t.familiar(), engine.ReasonNoPlatform, []string{wish, is}
		return nil, err
	}
	return best, nil
}

// kindOfCause sorts the errors of documents and archives from those of the host.
func kindOfCause(err error) engine.Kind {
	var bad *imageformat.Error
	if errors.As(err, &bad) {
		return engine.Invalid
	}
	return engine.Internal
}

// document returns one of an image's documents.
func (s *Service) document(d digest.Digest) ([]byte, error) { return s.blobs.read(d) }
