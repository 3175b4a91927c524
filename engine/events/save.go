package events

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// saveDelay lets the events of one operation be written together.
const saveDelay = 100 * time.Millisecond

// saver writes events to the store behind the publisher's back.
type saver struct {
	store Store
	log   *slog.Logger
	wake  chan struct{} // one token
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	pending []engine.Event
}

func startSaver(s Store, log *slog.Logger) *saver {
	v := &saver{store: s, log: log, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go v.run()
	return v
}

func (v *saver) add(e engine.Event) {
	v.mu.Lock()
	// Beyond what is kept the oldest would be forgotten by the store at once.
	if len(v.pending) == kept {
		copy(v.pending, v.pending[1:])
		v.pending = v.pending[:kept-1]
	}
	v.pending = append(v.pending, e)
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

func (v *saver) run() {
	defer close(v.done)
	for {
		select {
		case <-v.wake:
		case <-v.quit:
			return
		}
		select {
		case <-time.After(saveDelay):
		case <-v.quit:
			return
		}
		if err := v.flush(context.Background()); err != nil {
			v.log.Warn("events were not written", "error", err)
		}
	}
}

// flush writes what is pending. What could not be written is lost: the log in memory still has it.
func (v *saver) flush(ctx context.Context) error {
	v.mu.Lock()
	batch := v.pending
	v.pending = nil
	v.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	return v.store.AppendEvents(ctx, batch, kept)
}

func (v *saver) close(ctx context.Context) error {
	v.once.Do(func() { close(v.quit) })
	<-v.done
	return v.flush(ctx)
}
