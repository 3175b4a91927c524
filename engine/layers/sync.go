package layers

import (
	"context"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat/layer"
)

// syncDelay is how long layers wait, so that those of one pull are synced together and after it.
const syncDelay = 5 * time.Second

// syncer makes layers durable in the background: it syncs their file system, then notes in their records that it did.
type syncer struct {
	store *Store
	dir   string // in the file system
	wake  chan struct{}
	end   context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	waiting []engine.LayerID
}

func startSyncer(s *Store, dir string) *syncer {
	ctx, end := context.WithCancel(context.Background())
	y := &syncer{store: s, dir: dir, wake: make(chan struct{}, 1), end: end, done: make(chan struct{})}
	go y.run(ctx)
	for id, rec := range s.layers {
		if rec.Boot != "" {
			y.later(id)
		}
	}
	return y
}

// later asks for a layer to be synced. It does not wait for that.
func (y *syncer) later(id engine.LayerID) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.waiting = append(y.waiting, id)
	select {
	case y.wake <- struct{}{}:
	default:
	}
}

func (y *syncer) stop() {
	y.end()
	<-y.done
}

func (y *syncer) run(ctx context.Context) {
	defer close(y.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-y.wake:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(syncDelay):
		}
		y.mu.Lock()
		ids := y.waiting
		y.waiting = nil
		y.mu.Unlock()
		y.flush(ids)
	}
}

func (y *syncer) flush(ids []engine.LayerID) {
	if err := layer.Sync(y.dir); err != nil {
		y.store.log.Warn("layers could not be synced to disk", "error", err)
		return
	}
	for _, id := range ids {
		if err := y.store.change(id, func(r *layerRecord) { r.Boot = "" }); err != nil {
			y.store.log.Warn("a layer's record could not be written", "layer", id, "error", err)
		}
	}
}
