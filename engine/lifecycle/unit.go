package lifecycle

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/xcengine/xc/engine"
)

// unit is one container in memory. Lock order: op before mu; nothing is waited for under mu but the database.
type unit struct {
	op opLock

	mu      sync.Mutex
	rec     engine.Container
	run     *run // nil unless a shim lives or is being started
	waiters []waiter
	pending []*pendingAttach
	execs   map[engine.ExecID]*execution
	retry   context.CancelFunc // ends the wait of a restart policy; nil unless restarting
	backoff int                // restarts by policy since a run that lasted
	gone    bool               // removed; whoever still holds the unit finds nothing
}

// run is one life of a container's main process, from the shim's start to the undoing of everything.
type run struct {
	shim    Shim
	box     engine.Sandbox
	spec    engine.SandboxSpec
	probes  context.CancelFunc // ends the health checks
	stopOOM func()             // ends the watching for a lack of memory; nil where nothing is watched
	sawOOM  atomic.Bool
	done    chan struct{} // closed when the end was handled and written
	failed  atomic.Bool   // the start failed: whoever asked for it is told why, attached clients just end
	// stopping is stopAsked once somebody wants its end, and stopTold when that was published.
	stopping atomic.Int32
}

const (
	stopAsked = 1
	stopTold  = 2
)

// snapshot returns the record as it is now.
func (u *unit) snapshot() engine.Container {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.rec
}

// current returns the record and, when the container is alive, its run.
func (u *unit) current() (engine.Container, *run) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.rec.Status.State.Alive() {
		return u.rec, nil
	}
	return u.rec, u.run
}

// opLock is a mutex whose wait ends with a context.
type opLock chan struct{}

func newOpLock() opLock { return make(opLock, 1) }

func (l opLock) lock(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l opLock) unlock() { <-l }
