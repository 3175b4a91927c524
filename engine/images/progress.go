package images

import (
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// reporter hands progress to a client from one goroutine, in order, without letting a slow client hold up the work: of the
// counts that pile up for one part only the newest is kept.
type reporter struct {
	to   engine.ProgressFunc
	done chan struct{}

	mu      sync.Mutex
	wake    *sync.Cond
	queue   []engine.Progress
	closed  bool
	started bool
}

func newReporter(to engine.ProgressFunc) *reporter {
	r := &reporter{to: to, done: make(chan struct{})}
	r.wake = sync.NewCond(&r.mu)
	if to == nil {
		r.to = func(engine.Progress) {}
	}
	go r.run()
	return r
}

func (r *reporter) run() {
	defer close(r.done)
	for {
		r.mu.Lock()
		for len(r.queue) == 0 && !r.closed {
			r.wake.Wait()
		}
		batch := r.queue
		r.queue = nil
		r.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, p := range batch {
			r.to(p)
		}
	}
}

// put queues a line.
func (r *reporter) put(p engine.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.started = true
	if p.ID != "" && p.Current > 0 {
		for i := len(r.queue) - 1; i >= 0; i-- {
			if q := &r.queue[i]; q.ID == p.ID {
				if q.Status == p.Status {
					*q = p
					return
				}
				break
			}
		}
	}
	r.queue = append(r.queue, p)
	r.wake.Signal()
}

func (r *reporter) say(id, status string) { r.put(engine.Progress{ID: id, Status: status}) }

// close waits until the client has everything.
func (r *reporter) close() {
	r.mu.Lock()
	r.closed = true
	r.wake.Signal()
	r.mu.Unlock()
	<-r.done
}

// hub spreads the progress of one part to all who wait for it, and tells newcomers where it stands.
type hub struct {
	mu    sync.Mutex
	last  *engine.Progress
	sinks map[int]func(engine.Progress)
	next  int
}

func (h *hub) subscribe(sink func(engine.Progress)) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sinks == nil {
		h.sinks = map[int]func(engine.Progress){}
	}
	n := h.next
	h.next++
	h.sinks[n] = sink
	if h.last != nil {
		sink(*h.last)
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sinks, n)
	}
}

func (h *hub) put(p engine.Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = &p
	for _, sink := range h.sinks {
		sink(p)
	}
}

// pace lets through as many counts as a terminal can show.
type pace struct{ last time.Time }

const paceInterval = 100 * time.Millisecond

func (p *pace) due() bool {
	if time.Since(p.last) < paceInterval {
		return false
	}
	p.last = time.Now()
	return true
}
