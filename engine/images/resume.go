package images

import (
	"bytes"
	"context"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// Resume makes the image of a builder's step out of an image that went on from n.Parent by the very same command: what that
// command changed there is the step's layer. It reports false when like does not go on so, or its layer is not here; n.Layer is
// not read. Where the step is like's last and comes to the same configuration, the image is like itself. These are the rules of
// moby's image/cache, by which the history of images serves as a cache.
func (s *Service) Resume(ctx context.Context, n engine.NewImage, like engine.ImageID) (engine.ImageID, bool, error) {
	id, err := s.resume(ctx, stepOf(n), like)
	return id, err == nil && id != "", wrap("create", "", err)
}

func (s *Service) resume(ctx context.Context, st step, like engine.ImageID) (engine.ImageID, error) {
	e, ok := s.index.get(like)
	if !ok {
		return "", nil
	}
	held := s.holds.lease()
	defer held.end()
	doc, sizes, err := s.baseOf(ctx, held, st)
	if err != nil {
		return "", err
	}
	history, err := s.historyOf(e)
	if err != nil {
		return "", err
	}
	doc.History = slices.Clone(doc.History)
	for _, by := range st.before {
		h, ok := e.goesOn(history, doc, by)
		if !ok || !h.EmptyLayer {
			return "", nil
		}
		doc.History = append(doc.History, h)
	}
	h, ok := e.goesOn(history, doc, st.createdBy)
	if !ok {
		return "", nil
	}
	img := fresh{sizes: slices.Clone(sizes), parent: st.parent, intermediate: st.intermediate}
	if at := len(doc.DiffIDs); !h.EmptyLayer {
		if err := s.holdLayer(ctx, held, e, at); err != nil {
			return "", err
		}
		if have, err := s.cfg.Layers.Has(ctx, e.chain[at]); err != nil || !have {
			return "", err
		}
		doc.DiffIDs = append(slices.Clone(doc.DiffIDs), e.diffIDs[at])
		img.sizes = append(img.sizes, e.rec.LayerSizes[at])
	}
	last := len(doc.History)+1 == len(history)
	if err := s.continueDocument(&doc, st, h); err != nil {
		return "", err
	}
	if last {
		if same, err := s.sameConfig(doc, like); err != nil || same {
			return like, err
		}
	}
	return s.registerStep(ctx, held, st, doc, img)
}

// goesOn is the step of an image's making, of which history tells, that follows those of a document, if its first steps and
// layers are that one's and the next is the given command.
func (e *entry) goesOn(history []imageformat.History, doc imageformat.JailImage, command string) (imageformat.History, bool) {
	steps, layers := len(doc.History), len(doc.DiffIDs)
	if len(history) <= steps || history[steps].CreatedBy != command || e.img.Platform != enginePlatform(doc.Platform) ||
		!slices.EqualFunc(history[:steps], doc.History, sameHistory) || len(e.diffIDs) < layers || !slices.Equal(e.diffIDs[:layers], doc.DiffIDs) {
		return imageformat.History{}, false
	}
	h := history[steps]
	return h, h.EmptyLayer || layers < len(e.diffIDs) && layers < len(e.rec.LayerSizes)
}

func sameHistory(a, b imageformat.History) bool {
	if a.Created == nil || b.Created == nil {
		if a.Created != b.Created {
			return false
		}
	} else if !a.Created.Equal(*b.Created) {
		return false
	}
	return a.CreatedBy == b.CreatedBy && a.Author == b.Author && a.Comment == b.Comment && a.EmptyLayer == b.EmptyLayer
}

// sameConfig reports whether a document says the same about running as an image that is here.
func (s *Service) sameConfig(doc imageformat.JailImage, id engine.ImageID) (bool, error) {
	raw, err := s.document(digest.Digest(id))
	if err != nil {
		return false, err
	}
	other, err := imageformat.ParseConfig(raw)
	if err != nil {
		return false, err
	}
	here, err := spoken(doc)
	if err != nil {
		return false, err
	}
	there, err := spoken(other)
	return bytes.Equal(here, there), err
}

// spoken is what a document says about running, whether what it does not say is absent or empty there.
func spoken(doc imageformat.JailImage) ([]byte, error) {
	doc.Run.Extra = nil
	return imageformat.JailImage{Run: doc.Run, Jail: doc.Jail}.Marshal()
}
