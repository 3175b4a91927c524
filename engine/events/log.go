package events

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

const (
	kept   = 256  // events for replay; dockerd's daemon/events: eventsLimit
	behind = 1024 // events that a subscriber may lag; dockerd's daemon/events: bufferSize
)

// Store keeps the newest events across restarts of the daemon.
type Store interface {
	// AppendEvents adds events in order and forgets all but the newest keep.
	AppendEvents(ctx context.Context, events []engine.Event, keep int) error
	// Events returns the newest events, oldest first.
	Events(ctx context.Context, newest int) ([]engine.Event, error)
}

// Log is the log of events. Its methods are safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	ring []engine.Event // at most kept, oldest first
	subs map[*subscriber]struct{}
	last time.Time
	save *saver // nil without a store
}

// New returns an empty log that lives in memory alone.
func New() *Log {
	return &Log{subs: map[*subscriber]struct{}{}}
}

// Open returns a log that goes on where the store's ends. Close ends it.
func Open(ctx context.Context, s Store, log *slog.Logger) (*Log, error) {
	past, err := s.Events(ctx, kept)
	if err != nil {
		return nil, err
	}
	l := New()
	l.ring = past
	if n := len(past); n > 0 {
		l.last = past[n-1].Time
	}
	l.save = startSaver(s, log)
	return l, nil
}

// Close ends every subscription and writes what the store has not got yet. Events published afterwards reach nobody.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	for s := range l.subs {
		l.end(s)
	}
	l.mu.Unlock()
	if l.save == nil {
		return nil
	}
	return l.save.close(ctx)
}

// Publish records an event and hands it to the subscribers. A zero Time is now. It never blocks; the caller keeps its map.
func (l *Log) Publish(e engine.Event) {
	e.Attributes = maps.Clone(e.Attributes)
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Time = l.date(e.Time)
	if len(l.ring) == kept {
		copy(l.ring, l.ring[1:])
		l.ring = l.ring[:kept-1]
	}
	l.ring = append(l.ring, e)
	if l.save != nil {
		l.save.add(e)
	}
	for s := range l.subs {
		if !match(s.query, e) {
			continue
		}
		select {
		case s.live <- e:
		default:
			l.end(s)
		}
	}
}

// date makes times unique and, as long as the clock is not set back by a second or more, ascending.
func (l *Log) date(t time.Time) time.Time {
	if t.IsZero() {
		t = time.Now()
	}
	t = t.Round(0).UTC()
	if back := l.last.Sub(t); back >= 0 && back < time.Second {
		t = l.last.Add(1)
	}
	l.last = t
	return t
}

// Listeners returns how many subscriptions there are.
func (l *Log) Listeners() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.subs)
}
