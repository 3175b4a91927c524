package images

import (
	"context"
	"slices"
	"sync"
)

// gate lets a number through at once, first come, first served.
type gate struct {
	mu    sync.Mutex
	free  int
	queue []chan struct{}
}

func newGate(n int) *gate { return &gate{free: n} }

// ticket is a place in a gate's queue, taken when it is made.
type ticket struct {
	gate *gate
	turn chan struct{} // closed when it is this one's turn
}

func (g *gate) enter() *ticket {
	t := &ticket{gate: g, turn: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.free > 0 {
		g.free--
		close(t.turn)
	} else {
		g.queue = append(g.queue, t.turn)
	}
	return t
}

// open reports whether the turn has come.
func (t *ticket) open() bool {
	select {
	case <-t.turn:
		return true
	default:
		return false
	}
}

// wait waits for the turn. After an error the place is given back.
func (t *ticket) wait(ctx context.Context) error {
	select {
	case <-t.turn:
		return nil
	case <-ctx.Done():
		t.leave()
		return ctx.Err()
	}
}

// leave gives the place to the next, whether the turn had come or not. It is called once.
func (t *ticket) leave() {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, t.turn); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		return
	}
	if len(g.queue) == 0 {
		g.free++
		return
	}
	close(g.queue[0])
	g.queue = g.queue[1:]
}
