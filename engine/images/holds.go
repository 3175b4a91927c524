package images

import (
	"context"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
)

// holds keeps what running operations need from being collected, although no image says yet that it is needed. Nothing is
// removed while it is held, and whoever wants to hold what is just being removed waits for that to end.
type holds struct {
	mu       sync.Mutex
	count    map[string]int
	removing map[string]chan struct{}
}

func newHolds() *holds {
	return &holds{count: map[string]int{}, removing: map[string]chan struct{}{}}
}

func blobKey(d digest.Digest) string    { return "blob " + string(d) }
func layerKey(id engine.LayerID) string { return "layer " + string(id) }

// lease is what one operation holds. It is safe for concurrent use.
type lease struct {
	of *holds

	mu   sync.Mutex
	keys map[string]bool
}

func (h *holds) lease() *lease { return &lease{of: h, keys: map[string]bool{}} }

// hold adds keys. It fails only when ctx ends.
func (l *lease) hold(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		l.mu.Lock()
		have := l.keys[key]
		l.mu.Unlock()
		if have {
			continue
		}
		if err := l.of.acquire(ctx, key); err != nil {
			return err
		}
		l.mu.Lock()
		l.keys[key] = true
		l.mu.Unlock()
	}
	return nil
}

func (h *holds) acquire(ctx context.Context, key string) error {
	for {
		h.mu.Lock()
		gone := h.removing[key]
		if gone == nil {
			h.count[key]++
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		select {
		case <-gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end lets go of everything.
func (l *lease) end() {
	l.mu.Lock()
	keys := l.keys
	l.keys = map[string]bool{}
	l.mu.Unlock()
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	for key := range keys {
		if l.of.count[key]--; l.of.count[key] == 0 {
			delete(l.of.count, key)
		}
	}
}

// remove calls do unless the key is held, and keeps others from holding it meanwhile. It reports whether it called.
func (h *holds) remove(key string, do func() error) (bool, error) {
	h.mu.Lock()
	if h.count[key] > 0 || h.removing[key] != nil {
		h.mu.Unlock()
		return false, nil
	}
	gone := make(chan struct{})
	h.removing[key] = gone
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.removing, key)
		h.mu.Unlock()
		close(gone)
	}()
	return true, do()
}

// lock makes the holder of a key the only one for a while. It uses the keys that no lease has.
func (h *holds) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		h.mu.Lock()
		busy := h.removing[key]
		if busy == nil {
			done := make(chan struct{})
			h.removing[key] = done
			h.mu.Unlock()
			return func() {
				h.mu.Lock()
				delete(h.removing, key)
				h.mu.Unlock()
				close(done)
			}, nil
		}
		h.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
