package images

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// manifest tells of the newest manifest that an image has: what of it is kept as it travels, and who uses the image. It is
// nil for an image that never had one, and for one whose manifest cannot be read, which a list must not fail of.
func (s *Service) manifest(ctx context.Context, e *entry) (*engine.ImageManifest, error) {
	if len(e.rec.Manifests) == 0 {
		return nil, nil
	}
	kept := e.rec.Manifests[0]
	raw, err := s.document(digest.Digest(kept.Digest))
	if err != nil {
		s.log.Warn("an image's manifest cannot be read", "image", e.rec.ID, "error", err)
		return nil, nil
	}
	doc, err := imageformat.ParseManifest(kept.MediaType, raw)
	if err != nil {
		s.log.Warn("an image's manifest cannot be read", "image", e.rec.ID, "error", err)
		return nil, nil
	}
	m := &engine.ImageManifest{Digest: kept.Digest, MediaType: kept.MediaType, Size: int64(len(raw))}
	m.Content = m.Size + doc.Config.Size
	for _, l := range doc.Layers {
		if b, ok := s.index.blob(l.Digest); ok && !b.Absent {
			m.Content += l.Size
		}
	}
	users, err := s.users(ctx, e.rec.ID)
	for _, c := range users {
		m.Containers = append(m.Containers, c.ID)
	}
	return m, err
}
