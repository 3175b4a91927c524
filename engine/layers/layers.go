package layers

import (
	"context"
	"io"
	"maps"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat/layer"
)

// Independent reports whether layers may be applied before their parents.
func (s Layers) Independent() bool { return s.traits.Independent }

// Has reports whether a layer and everything below it is extracted. The empty id is always there.
func (s Layers) Has(_ context.Context, id engine.LayerID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, whole := s.chain(id)
	return whole, nil
}

// Size is the size of one layer's files in bytes, without what is below it.
func (s Layers) Size(_ context.Context, id engine.LayerID) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.layers[id]
	if !ok {
		return 0, &engine.Error{Op: "size", Kind: engine.NotFound, Resource: engine.ResourceLayer, ID: string(id)}
	}
	return rec.Size, nil
}

// List names every layer that is extracted, sorted; also one whose parent is not there yet.
func (s Layers) List(context.Context) ([]engine.LayerID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.layers)), nil
}

// Describe is what inspect shows as GraphDriver.Data of an image.
func (s Layers) Describe(_ context.Context, id engine.LayerID) (map[string]string, error) {
	c, err := s.wholeChain("describe", id)
	if err != nil {
		return nil, err
	}
	return s.driver.Describe(c), nil
}

// Remove removes a layer. It is a Conflict with ReasonInUse while a layer or a root stands on it.
func (s Layers) Remove(ctx context.Context, id engine.LayerID) error {
	if err := checkLayerID(id); err != nil {
		return &engine.Error{Op: "remove", Kind: engine.Invalid, Resource: engine.ResourceLayer, ID: string(id), Err: err}
	}
	release, err := s.withdraw(id)
	if err != nil {
		return err
	}
	defer release()
	if err := s.driver.RemoveLayer(ctx, id); err != nil {
		return &engine.Error{Op: "remove", Resource: engine.ResourceLayer, ID: string(id), Err: err}
	}
	return nil
}

// withdraw removes a layer's record, and keeps others from making the layer until release is called.
func (s *Store) withdraw(id engine.LayerID) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, busy := s.flights[id]; busy || s.children[id] > 0 {
		return nil, &engine.Error{
			Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceLayer, ID: string(id), Reason: engine.ReasonInUse,
		}
	}
	rec, ok := s.layers[id]
	if ok {
		if err := s.layerRecords.remove(string(id)); err != nil {
			return nil, &engine.Error{Op: "remove", Resource: engine.ResourceLayer, ID: string(id), Err: err}
		}
		delete(s.layers, id)
		s.unhold(rec.Parent)
	}
	done := make(chan struct{})
	s.flights[id] = done
	return func() { s.land(id, done) }, nil
}

// land ends a flight.
func (s *Store) land(id engine.LayerID, done chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flights, id)
	close(done)
}

// Diff gives the uncompressed tar of one layer, made from its files.
func (s Layers) Diff(ctx context.Context, id engine.LayerID) (io.ReadCloser, error) {
	s.mu.Lock()
	c, whole := s.chain(id)
	if !whole || id == "" {
		s.mu.Unlock()
		return nil, &engine.Error{Op: "diff", Kind: engine.NotFound, Resource: engine.ResourceLayer, ID: string(id)}
	}
	s.hold(id) // it must not go while it is read
	s.mu.Unlock()
	unhold := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unhold(id)
	}
	changes, release, err := s.driver.LayerChanges(ctx, c)
	if err != nil {
		unhold()
		return nil, &engine.Error{Op: "diff", Resource: engine.ResourceLayer, ID: string(id), Err: err}
	}
	return &diffStream{layer.NewTar(ctx, changes), func() { release(); unhold() }}, nil
}
