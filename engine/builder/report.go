package builder

import (
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
)

// reporter brings what stages tell, which are built at once, into the order of the recipe: the first stage that is not done
// speaks, what the others say is kept until it is their turn.
type reporter struct {
	to engine.BuildFunc

	mu    sync.Mutex
	turn  int
	done  []bool
	queue [][]engine.BuildEvent
}

func newReporter(stages int, to engine.BuildFunc) *reporter {
	return &reporter{to: to, done: make([]bool, stages), queue: make([][]engine.BuildEvent, stages)}
}

// of is the voice of one stage.
func (r *reporter) of(place int) engine.BuildFunc {
	return func(e engine.BuildEvent) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if place == r.turn {
			r.to(e)
			return
		}
		e.Data = slices.Clone(e.Data)
		r.queue[place] = append(r.queue[place], e)
	}
}

// finish ends a stage's turn; the next ones' words come out as far as they are due.
func (r *reporter) finish(place int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[place] = true
	for r.turn < len(r.done) && r.done[r.turn] {
		if r.turn++; r.turn == len(r.done) {
			return
		}
		for _, e := range r.queue[r.turn] {
			r.to(e)
		}
		r.queue[r.turn] = nil
	}
}
