package events

import (
	"context"
	"errors"
	"time"

	"github.com/xcengine/xc/engine"
)

// subscriber is guarded by its log's lock. It is in the log's set until live is closed.
type subscriber struct {
	query engine.EventQuery
	live  chan engine.Event
	until *time.Timer // nil without an end
	alone func() bool // takes back the hold on the caller's context
}

// Subscribe returns the recorded events that match, when the query asks for the past at all, and a channel of those to
// come. Between the two nothing is missed or doubled: they are divided under the lock that Publish takes. The channel is
// closed when the query's end is reached, ctx ends, stop is called, the log is closed or the subscriber fell too far
// behind; with an end in the past it is closed from the beginning. Events share their Attributes with other readers.
func (l *Log) Subscribe(ctx context.Context, q engine.EventQuery) (past []engine.Event, live <-chan engine.Event, stop func(), err error) {
	if !q.Until.IsZero() && q.Until.Before(q.Since) {
		return nil, nil, nil, &engine.Error{Op: "events", Kind: engine.Invalid, Err: errors.New("the query's end is before its beginning")}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	past = l.replay(q)
	now := time.Now()
	if !q.Until.IsZero() && !q.Until.After(now) {
		ended := make(chan engine.Event)
		close(ended)
		return past, ended, func() {}, nil
	}
	s := &subscriber{query: q, live: make(chan engine.Event, behind)}
	stop = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.end(s)
	}
	if !q.Until.IsZero() {
		s.until = time.AfterFunc(q.Until.Sub(now), stop)
	}
	s.alone = context.AfterFunc(ctx, stop)
	l.subs[s] = struct{}{}
	return past, s.live, stop, nil
}

// end closes a subscription; the log is locked. It may be repeated.
func (l *Log) end(s *subscriber) {
	if _, ok := l.subs[s]; !ok {
		return
	}
	delete(l.subs, s)
	close(s.live)
	s.alone()
	if s.until != nil {
		s.until.Stop()
	}
}

// replay selects from the ring. As with dockerd, a query without bounds asks for the future alone.
func (l *Log) replay(q engine.EventQuery) []engine.Event {
	if q.Since.IsZero() && q.Until.IsZero() {
		return nil
	}
	var past []engine.Event
	for _, e := range l.ring {
		if e.Time.Before(q.Since) || !q.Until.IsZero() && e.Time.After(q.Until) {
			continue
		}
		if match(q, e) {
			past = append(past, e)
		}
	}
	return past
}
