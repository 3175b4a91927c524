package images

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
)

// Restore extracts anew what images need and Layers does not have: layers that a crash of the machine took, or all of them
// after the storage driver was changed. It is for the daemon's start and may run beside requests; where everything is there
// it only looks. An image that cannot be restored, because a blob of it is not kept, is told in the log.
func (s *Service) Restore(ctx context.Context) error {
	for _, e := range s.index.all() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.restore(ctx, e); err != nil {
			s.log.Warn("an image's layers are lost: pull or load it again", "image", e.rec.ID, "names", s.index.refs(e.rec.ID), "error", err)
		}
	}
	return nil
}

// restore extracts an image's layers that are not there.
func (s *Service) restore(ctx context.Context, e *entry) error {
	if have, err := s.cfg.Layers.Has(ctx, e.img.Top); have || err != nil {
		return err
	}
	held := s.holds.lease()
	defer held.end()
	var parent engine.LayerID
	for i, id := range e.chain {
		if err := held.hold(ctx, layerKey(id)); err != nil {
			return err
		}
		have, err := s.cfg.Layers.Has(ctx, id)
		if err == nil && !have {
			err = s.restoreLayer(ctx, held, parent, id, e.diffIDs[i])
		}
		if err != nil {
			return err
		}
		parent = id
	}
	return nil
}

func (s *Service) restoreLayer(ctx context.Context, held *lease, parent, id engine.LayerID, diffID digest.Digest) error {
	var failed error
	for _, b := range s.index.withDiff(diffID) {
		d := digest.Digest(b.Digest)
		if err := held.hold(ctx, blobKey(d)); err != nil {
			return err
		}
		if !s.blobs.has(d) {
			continue
		}
		err := s.extract(ctx, parent, id, localLayer{path: s.blobs.path(d), digest: d, diffID: diffID}, nil)
		if err == nil {
			s.log.Info("a layer was extracted anew", "layer", id, "blob", d)
			return nil
		}
		failed = errors.Join(failed, err)
	}
	if failed == nil {
		failed = fmt.Errorf("no blob of layer %s is kept", diffID)
	}
	return &engine.Error{Kind: engine.Unavailable, Resource: engine.ResourceImage, Err: failed}
}
