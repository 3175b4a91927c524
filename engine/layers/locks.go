package layers

import (
	"sync"

	"github.com/xcengine/xc/engine"
)

// locks lets one call at a time deal with a root. Its zero value is ready.
type locks struct {
	mu   sync.Mutex
	held map[engine.ContainerID]*held
}

type held struct {
	mu    sync.Mutex
	users int
}

// lock waits for its turn and returns what ends it.
func (l *locks) lock(id engine.ContainerID) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[engine.ContainerID]*held{}
	}
	h := l.held[id]
	if h == nil {
		h = &held{}
		l.held[id] = h
	}
	h.users++
	l.mu.Unlock()
	h.mu.Lock()
	return func() {
		h.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(l.held, id)
		}
	}
}
