package images

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
)

// collectImage removes the layers, blobs and documents that a removed image alone had. It returns the removed layers, the
// topmost first, and the bytes that they had unpacked. What is held, still used elsewhere, or to be collected later with
// another image, stays.
func (s *Service) collectImage(ctx context.Context, e *entry, later map[engine.LayerID]bool) (removed []engine.LayerID, freed int64) {
	for i, id := range slices.Backward(e.chain) {
		if later[id] {
			break
		}
		gone, err := s.removeLayer(ctx, id)
		if err != nil {
			s.log.Info("a layer of a removed image stays", "layer", id, "error", err)
		}
		if !gone {
			break // what lies below carries this one
		}
		removed = append(removed, id)
		if i < len(e.rec.LayerSizes) {
			freed += e.rec.LayerSizes[i]
		}
	}
	for _, d := range documentsOf(e.rec) {
		s.removeDocument(d)
	}
	s.removeBlobsOf(ctx, e.diffIDs)
	return removed, freed
}

// removeLayer removes a layer that no image has and no operation holds. A layer that a container's root or another layer
// stands on stays, by the word of Layers.
func (s *Service) removeLayer(ctx context.Context, id engine.LayerID) (bool, error) {
	gone := false
	_, err := s.holds.remove(layerKey(id), func() error {
		if s.needsLayer(id) {
			return nil
		}
		err := s.cfg.Layers.Remove(ctx, id)
		gone = err == nil
		return err
	})
	return gone, err
}

func (s *Service) needsLayer(id engine.LayerID) bool {
	needed := false
	s.index.view(func() { needed = len(s.index.layers[id]) > 0 })
	return needed
}

func (s *Service) removeDocument(d digest.Digest) int64 {
	var freed int64
	_, err := s.holds.remove(blobKey(d), func() error {
		needed := false
		s.index.view(func() { needed = len(s.index.documents[d]) > 0 })
		if needed {
			return nil
		}
		var err error
		freed, err = s.blobs.remove(s.blobs.path(d))
		return err
	})
	if err != nil {
		s.log.Warn("a document of a removed image stays", "digest", d, "error", err)
	}
	return freed
}

// removeBlobsOf removes the blobs of layers that no image has any more.
func (s *Service) removeBlobsOf(ctx context.Context, diffs []digest.Digest) {
	for _, diff := range diffs {
		for _, b := range s.index.withDiff(diff) {
			s.removeBlob(ctx, digest.Digest(b.Digest))
		}
	}
}

// removeBlob removes a layer's blob and what is known of it, unless an image has the layer.
func (s *Service) removeBlob(ctx context.Context, d digest.Digest) int64 {
	var freed int64
	_, err := s.holds.remove(blobKey(d), func() error {
		if s.needsBlob(d) {
			return nil
		}
		err := s.change(ctx, func(c *engine.ImageChange) error {
			c.DeleteBlobs = []string{d.String()}
			return nil
		})
		if err != nil {
			return err
		}
		freed, err = s.blobs.remove(s.blobs.path(d))
		return err
	})
	if err != nil {
		s.log.Warn("a blob of a removed image stays", "digest", d, "error", err)
	}
	return freed
}

// needsBlob reports whether an image has the layer that the blob unpacks to. A layer that occurs in several chains is
// looked for by its diff id.
func (s *Service) needsBlob(d digest.Digest) bool {
	needed := false
	s.index.view(func() {
		if len(s.index.documents[d]) > 0 {
			needed = true
			return
		}
		b, ok := s.index.blobs[d]
		needed = ok && s.index.diffUses[digest.Digest(b.DiffID)] > 0 && !s.surplus(b)
	})
	return needed
}

// surplus reports whether a blob is a plain tar that was compressed since, to be sent: the compressed one serves as well.
// One that a registry has as it is stays. The index is being viewed.
func (s *Service) surplus(b engine.BlobRecord) bool {
	if isCompressed(b.MediaType) || len(b.Sources) > 0 {
		return false
	}
	for d := range s.index.byDiff[digest.Digest(b.DiffID)] {
		if other := s.index.blobs[d]; other.Digest != b.Digest && isCompressed(other.MediaType) && s.blobs.has(d) {
			return true
		}
	}
	return false
}

func (s *Service) recordedBlobs() []digest.Digest {
	var all []digest.Digest
	s.index.view(func() { all = slices.Collect(maps.Keys(s.index.blobs)) })
	return all
}

// patience is how long the part of a blob that came is kept for the next pull.
const patience = 7 * 24 * time.Hour

// Collect removes everything that nothing needs: layers, blobs and documents of no image, and unfinished downloads that
// nobody has gone on with for a week. It is for the daemon's start, when a killed one may have left something; Prune does
// the same and takes younger downloads too. It returns the bytes of the files that it removed.
func (s *Service) Collect(ctx context.Context) (int64, error) { return s.collect(ctx, patience) }

func (s *Service) collect(ctx context.Context, unfinished time.Duration) (int64, error) {
	freed, err := s.collectBlobs(ctx, unfinished)
	return freed, errors.Join(err, s.collectLayers(ctx))
}

func (s *Service) collectBlobs(ctx context.Context, patience time.Duration) (int64, error) {
	whole, unfinished, err := s.blobs.list()
	if err != nil {
		return 0, err
	}
	var freed int64
	for _, d := range append(whole, s.recordedBlobs()...) {
		if err := ctx.Err(); err != nil {
			return freed, err
		}
		if !s.needsBlob(d) {
			freed += s.removeBlob(ctx, d)
		}
	}
	for _, d := range unfinished {
		n, err := s.removeUnfinished(d, patience)
		freed += n
		if err != nil {
			return freed, err
		}
	}
	return freed, nil
}

func (s *Service) removeUnfinished(d digest.Digest, patience time.Duration) (freed int64, err error) {
	path := s.blobs.ingest(d)
	info, err := os.Stat(path)
	if err != nil || s.transfers.busy(d) || time.Since(info.ModTime()) < patience {
		return 0, nil
	}
	_, err = s.holds.remove(blobKey(d), func() error {
		freed, err = s.blobs.remove(path)
		return err
	})
	return freed, err
}

// collectLayers removes layers of no image. The list has no order, and a layer can go only after those above it: it is
// gone through until nothing moves.
func (s *Service) collectLayers(ctx context.Context) error {
	for {
		all, err := s.cfg.Layers.List(ctx)
		if err != nil {
			return err
		}
		moved := false
		for _, id := range all {
			if err := ctx.Err(); err != nil {
				return err
			}
			if s.needsLayer(id) {
				continue
			}
			gone, err := s.removeLayer(ctx, id)
			if err != nil && engine.KindOf(err) != engine.Conflict {
				s.log.Warn("a layer of no image stays", "layer", id, "error", err)
			}
			moved = moved || gone
		}
		if !moved {
			return nil
		}
	}
}
