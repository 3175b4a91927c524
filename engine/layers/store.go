package layers

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
	"github.com/xcengine/xc/imageformat/layer"
)

// Config is what a Service is made of.
type Config struct {
	Driver Driver
	// Dir is the state directory's "layers". Records are kept below it, by driver.
	Dir string
	Log *slog.Logger
	// MaxBytes and MaxEntries bound one layer; 0 is without bound.
	MaxBytes   int64
	MaxEntries int
}

// Store keeps layers and roots. Layers and Roots are its two sides; all methods are safe for concurrent use.
type Store struct {
	driver       Driver
	traits       Traits
	cfg          Config
	log          *slog.Logger
	layerRecords records
	rootRecords  records
	boot         string
	sync         *syncer
	locks        locks // of single roots

	settling sync.Mutex

	mu       sync.Mutex
	layers   map[engine.LayerID]layerRecord
	children map[engine.LayerID]int // layers and roots that stand on a layer
	roots    map[engine.ContainerID]rootRecord
	flights  map[engine.LayerID]chan struct{} // extractions under way; closed at their end
}

// New reads the records and makes the driver's storage agree with them. Close ends it.
func New(ctx context.Context, cfg Config) (*Store, error) {
	dir := filepath.Join(cfg.Dir, cfg.Driver.Name(), "records")
	s := &Store{
		driver: cfg.Driver, traits: cfg.Driver.Traits(), cfg: cfg, log: cfg.Log, boot: layer.Boot(),
		layerRecords: records{filepath.Join(dir, "layers")}, rootRecords: records{filepath.Join(dir, "roots")},
		children: map[engine.LayerID]int{}, flights: map[engine.LayerID]chan struct{}{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.recover(ctx); err != nil {
		return nil, &engine.Error{Op: "open storage", Err: err}
	}
	s.sync = startSyncer(s, dir)
	return s, nil
}

// Close ends what runs in the background. Roots stay mounted.
func (s *Store) Close() error {
	s.sync.stop()
	return nil
}

// Layers implements images.Layers.
type Layers struct{ *Store }

// Roots implements lifecycle.Roots.
type Roots struct{ *Store }

// Layers is the side of the store that images use.
func (s *Store) Layers() Layers { return Layers{s} }

// Roots is the side of the store that containers use.
func (s *Store) Roots() Roots { return Roots{s} }

// Driver names the storage driver.
func (s *Store) Driver() string { return s.driver.Name() }

// DriverStatus is what docker info shows below the driver's name.
func (s *Store) DriverStatus() [][2]string { return s.driver.Status() }

// chain lists a layer and what it stands on, and reports whether all of it is there. s.mu is held.
func (s *Store) chain(id engine.LayerID) (Chain, bool) {
	var c Chain
	for id != "" {
		rec, ok := s.layers[id]
		if !ok {
			return c, false
		}
		c = append(c, id)
		id = rec.Parent
	}
	return c, true
}

// wholeChain is chain for a caller that needs all of it.
func (s *Store) wholeChain(op string, id engine.LayerID) (Chain, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, whole := s.chain(id)
	if !whole {
		return nil, &engine.Error{Op: op, Kind: engine.NotFound, Resource: engine.ResourceLayer, ID: string(id)}
	}
	return c, nil
}

// hold and unhold count who stands on a layer. s.mu is held.
func (s *Store) hold(id engine.LayerID) {
	if id != "" {
		s.children[id]++
	}
}

func (s *Store) unhold(id engine.LayerID) {
	if id == "" {
		return
	}
	if s.children[id]--; s.children[id] == 0 {
		delete(s.children, id)
	}
}

func chainID(parent engine.LayerID, diffID digest.Digest) engine.LayerID {
	return engine.LayerID(imageformat.ChainID(digest.Digest(parent), diffID))
}
