package shim

import (
	"context"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// watcher is one who wants to know when the log has grown.
type watcher struct {
	grew chan struct{} // from the handle, merged; closed at the log's end
	out  chan struct{}
	stop chan struct{}
}

// Logged returns a channel that receives after the log grew: a value stands for everything up to its receipt. It is closed
// when the log will not grow again or the connection has ended. stop ends it earlier and may be repeated.
//
// The shim says once that the log has grown, and again only after the value was received: a reader that is busy costs
// nothing.
func (h *Handle) Logged(context.Context) (grew <-chan struct{}, stop func(), err error) {
	w := &watcher{grew: make(chan struct{}, 1), out: make(chan struct{}), stop: make(chan struct{})}
	h.mu.Lock()
	ended := h.logEnded
	if !ended {
		h.watchers[w] = struct{}{}
	}
	h.mu.Unlock()
	if ended {
		close(w.out)
		return w.out, func() {}, nil
	}
	h.arm()
	go h.pass(w)
	return w.out, sync.OnceFunc(func() {
		h.mu.Lock()
		delete(h.watchers, w)
		h.mu.Unlock()
		close(w.stop)
	}), nil
}

// arm asks for the next word of growth, unless it was asked for.
func (h *Handle) arm() {
	h.mu.Lock()
	ask := !h.armed && !h.logEnded
	if ask {
		h.armed = true
	}
	h.mu.Unlock()
	if ask {
		_ = h.send(wire.Frame{Kind: wire.Watch}) // a connection that fails ends all watchers
	}
}

// pass hands a watcher's values on.
func (h *Handle) pass(w *watcher) {
	defer close(w.out)
	for {
		select {
		case _, ok := <-w.grew:
			if !ok {
				return
			}
		case <-w.stop:
			return
		}
		select {
		case w.out <- struct{}{}:
			h.arm()
		case <-w.stop:
			return
		}
	}
}

// logged tells all watchers that the log has grown, or has ended.
func (h *Handle) logged(ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed = false
	for w := range h.watchers {
		if ended {
			close(w.grew)
			delete(h.watchers, w)
			continue
		}
		select {
		case w.grew <- struct{}{}:
		default:
		}
	}
	h.logEnded = h.logEnded || ended
}

// queue holds events for a receiver that may be slow, so that the connection is read on.
type queue struct {
	out  chan engine.ShimEvent
	quit chan struct{}
	once sync.Once

	mu     sync.Mutex
	more   *sync.Cond
	events []engine.ShimEvent
	ended  bool
}

func newQueue() *queue {
	q := &queue{out: make(chan engine.ShimEvent), quit: make(chan struct{})}
	q.more = sync.NewCond(&q.mu)
	go q.run()
	return q
}

func (q *queue) put(e engine.ShimEvent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = append(q.events, e)
	q.more.Signal()
}

// end closes the channel after what is in the queue.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.more.Signal()
}

// stop closes the channel at once.
func (q *queue) stop() {
	q.once.Do(func() { close(q.quit) })
	q.end()
}

func (q *queue) run() {
	defer close(q.out)
	for {
		q.mu.Lock()
		for len(q.events) == 0 && !q.ended {
			q.more.Wait()
		}
		events := q.events
		q.events = nil
		q.mu.Unlock()
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			select {
			case q.out <- e:
			case <-q.quit:
				return
			}
		}
	}
}
