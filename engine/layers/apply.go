package layers

import (
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

// Apply extracts one layer upon parent and returns the new chain and the size of the layer's files. diff is the
// uncompressed tar; it is read to its end and its digest must be diffID, or nothing stays. If the layer is there, or
// another call is making it, diff is not read; should that other call fail, this one does the work. diff must end when ctx
// does. Unless Independent, the parent must be there.
func (s Layers) Apply(ctx context.Context, parent engine.LayerID, diffID digest.Digest, diff io.Reader) (engine.LayerID, int64, error) {
	if err := errors.Join(checkDigest(diffID), checkParent(parent)); err != nil {
		return "", 0, &engine.Error{Op: "extract", Kind: engine.Invalid, Resource: engine.ResourceLayer, ID: string(diffID), Err: err}
	}
	id := chainID(parent, diffID)
	for {
		rec, land, wait, err := s.takeOff(id, parent)
		switch {
		case err != nil:
			return "", 0, err
		case rec != nil:
			return id, rec.Size, nil
		case land != nil:
			defer land()
			size, err := s.extract(ctx, id, parent, diffID, diff)
			if err != nil {
				return "", 0, extractError(diffID, err)
			}
			return id, size, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return "", 0, ctx.Err()
		}
	}
}

func checkDigest(d digest.Digest) error {
	_, err := imageformat.ParseDigest(string(d))
	return err
}

func checkParent(id engine.LayerID) error {
	if id == "" {
		return nil
	}
	return checkLayerID(id)
}

// takeOff finds the layer, or lets the caller make it until land is called, or tells whom to wait for.
func (s *Store) takeOff(id, parent engine.LayerID) (rec *layerRecord, land func(), wait <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.layers[id]; ok {
		return &r, nil, nil, nil
	}
	if f, ok := s.flights[id]; ok {
		return nil, nil, f, nil
	}
	if _, ok := s.layers[parent]; !ok && parent != "" && !s.traits.Independent {
		return nil, nil, nil, &engine.Error{
			Op: "extract", Kind: engine.Conflict, Resource: engine.ResourceLayer, ID: string(id), Err: errors.New("its parent is not extracted"),
		}
	}
	// Whoever makes a layer stands on its parent already.
	s.hold(parent)
	done := make(chan struct{})
	s.flights[id] = done
	return nil, func() {
		s.mu.Lock()
		s.unhold(parent)
		s.mu.Unlock()
		s.land(id, done)
	}, nil, nil
}

func (s *Store) extract(ctx context.Context, id, parent engine.LayerID, diffID digest.Digest, diff io.Reader) (int64, error) {
	stage, err := s.driver.Stage(ctx, id, parent)
	if err != nil {
		return 0, err
	}
	applied, err := layer.Apply(ctx, stage.Dir, diff, layer.ApplyOptions{
		Overlay: s.traits.Independent, DiffID: diffID, MaxBytes: s.cfg.MaxBytes, MaxEntries: s.cfg.MaxEntries,
	})
	if err == nil {
		err = s.driver.Commit(ctx, stage)
	}
	if err != nil {
		return 0, errors.Join(err, s.driver.Abort(context.WithoutCancel(ctx), stage))
	}
	if applied.LostXattrs > 0 {
		s.log.Warn("the file system cannot keep all extended attributes of a layer", "layer", id, "lost", applied.LostXattrs)
	}
	rec := layerRecord{Parent: parent, DiffID: string(diffID), Size: applied.Size, Implied: applied.Implied, Unlinked: applied.Unlinked}
	if !s.traits.Durable {
		rec.Boot = cmp.Or(s.boot, unknownBoot)
	}
	if err := s.layerRecords.put(string(id), rec); err != nil {
		return 0, errors.Join(err, s.driver.RemoveLayer(context.WithoutCancel(ctx), id))
	}
	s.mu.Lock()
	s.layers[id] = rec
	s.hold(parent)
	s.mu.Unlock()
	if rec.Boot != "" {
		s.sync.later(id)
	}
	return applied.Size, nil
}

// extractError says whose fault it is: a tar that is wrong in itself is the sender's.
func extractError(diffID digest.Digest, err error) error {
	e := &engine.Error{Op: "extract", Resource: engine.ResourceLayer, ID: string(diffID), Err: err}
	var format *imageformat.Error
	var other *layer.DigestError
	switch {
	case errors.As(err, &format), errors.As(err, &other):
		e.Kind = engine.Invalid
	case errors.Is(err, layer.ErrTooLarge):
		e.Kind = engine.TooLarge
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Kind = engine.Canceled
	}
	return e
}

// settle finishes layers that were extracted before their parents: directories that they only imply get the attributes
// that they have below, hard links to files below get those files.
func (s *Store) settle(c Chain) error {
	if !s.traits.Independent {
		return nil
	}
	s.settling.Lock()
	defer s.settling.Unlock()
	for i := len(c) - 1; i >= 0; i-- {
		s.mu.Lock()
		rec := s.layers[c[i]]
		s.mu.Unlock()
		if rec.settled() {
			continue
		}
		dirs := s.driver.LayerDirs(c[i:])
		if err := layer.Settle(dirs[0], dirs[1:], rec.Implied, rec.Unlinked); err != nil {
			return &engine.Error{Op: "settle", Resource: engine.ResourceLayer, ID: string(c[i]), Err: err}
		}
		err := s.change(c[i], func(r *layerRecord) { r.Implied, r.Unlinked = nil, nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// change rewrites a layer's record, if the layer is still there.
func (s *Store) change(id engine.LayerID, edit func(*layerRecord)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.layers[id]
	if !ok {
		return nil
	}
	edit(&rec)
	if err := s.layerRecords.put(string(id), rec); err != nil {
		return err
	}
	s.layers[id] = rec
	return nil
}
