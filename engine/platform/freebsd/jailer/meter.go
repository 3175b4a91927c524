package jailer

import (
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// meter tells the processor time of a jail. The kernel's account has that of processes that ended and counts whole seconds; what
// the living ones used is finer. The meter goes with the living, and keeps what the account was ever ahead of them.
type meter struct {
	mu          sync.Mutex
	ahead, last time.Duration
}

// read never gives less than before.
func (m *meter) read(living, counted time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead = max(m.ahead, counted-living)
	m.last = max(m.last, living+m.ahead)
	return m.last
}

// meters are those of the jails that somebody asked about. The zero value is ready.
type meters struct {
	mu  sync.Mutex
	all map[engine.ContainerID]*meter
}

func (m *meters) of(id engine.ContainerID) *meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[engine.ContainerID]*meter{}
	}
	if m.all[id] == nil {
		m.all[id] = &meter{}
	}
	return m.all[id]
}

func (m *meters) drop(id engine.ContainerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, id)
}
