package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func publish(l *Log, actions ...string) {
	for _, a := range actions {
		l.Publish(engine.Event{Type: engine.EventContainer, Action: a, ID: "c1"})
	}
}

func actions(events []engine.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.Action)
	}
	return out
}

// drain reads what a subscription holds at the moment, and whether it has ended.
func drain(live <-chan engine.Event) (got []string, closed bool) {
	for {
		select {
		case e, ok := <-live:
			if !ok {
				return got, true
			}
			got = append(got, e.Action)
		default:
			return got, false
		}
	}
}

func subscribe(t *testing.T, l *Log, q engine.EventQuery) ([]engine.Event, <-chan engine.Event, func()) {
	t.Helper()
	past, live, stop, err := l.Subscribe(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return past, live, stop
}

func TestOnlyTheFutureWithoutBounds(t *testing.T) {
	l := New()
	publish(l, "create")
	past, live, _ := subscribe(t, l, engine.EventQuery{})
	publish(l, "start", "die")
	if len(past) != 0 {
		t.Errorf("past is %v", actions(past))
	}
	if got, closed := drain(live); closed || !cmp.Equal(got, []string{"start", "die"}) {
		t.Errorf("got %v, closed %v", got, closed)
	}
}

func TestReplayKeepsTheNewest(t *testing.T) {
	l := New()
	for i := range kept + 10 {
		publish(l, fmt.Sprint(i))
	}
	past, _, _ := subscribe(t, l, engine.EventQuery{Since: time.Unix(1, 0)})
	if len(past) != kept || past[0].Action != "10" || past[kept-1].Action != fmt.Sprint(kept+9) {
		t.Errorf("got %d events, %s to %s", len(past), past[0].Action, past[len(past)-1].Action)
	}
}

func TestTimesNeverRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands still
		l := New()
		publish(l, "a", "b", "c")
		past, _, stop, _ := l.Subscribe(t.Context(), engine.EventQuery{Since: time.Unix(1, 0)})
		stop()
		if d := past[2].Time.Sub(past[0].Time); d != 2 {
			t.Errorf("three events within %v", d)
		}
		again, _, stop, _ := l.Subscribe(t.Context(), engine.EventQuery{Since: past[1].Time.Add(1)})
		stop()
		if !cmp.Equal(actions(again), []string{"c"}) {
			t.Errorf("after b came %v", actions(again))
		}
	})
}

func TestClockSetBack(t *testing.T) {
	l := New()
	late := time.Now()
	l.Publish(engine.Event{Action: "a", Time: late})
	l.Publish(engine.Event{Action: "b", Time: late.Add(-time.Hour)})
	past, _, _ := subscribe(t, l, engine.EventQuery{Until: late.Add(-time.Minute)})
	if !cmp.Equal(actions(past), []string{"b"}) {
		t.Errorf("got %v", actions(past))
	}
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		publish(l, "create")
		time.Sleep(time.Second)
		_, ended, _, err := l.Subscribe(t.Context(), engine.EventQuery{Until: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, closed := drain(ended); !closed || l.Listeners() != 0 {
			t.Error("an end in the past left the stream open")
		}
		past, live, _, err := l.Subscribe(t.Context(), engine.EventQuery{Until: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(actions(past), []string{"create"}) {
			t.Errorf("past is %v", actions(past))
		}
		time.Sleep(59 * time.Second)
		publish(l, "start")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		publish(l, "die")
		if got, closed := drain(live); !closed || !cmp.Equal(got, []string{"start"}) {
			t.Errorf("got %v, closed %v", got, closed)
		}
		if l.Listeners() != 0 {
			t.Error("the subscription is still held")
		}
	})
}

func TestEndBeforeBeginning(t *testing.T) {
	_, _, _, err := New().Subscribe(t.Context(), engine.EventQuery{Since: time.Unix(2, 0), Until: time.Unix(1, 0)})
	if !errors.Is(err, engine.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestSubscriptionEnds(t *testing.T) {
	for name, end := range map[string]func(*Log, func(), context.CancelFunc){
		"by stop":    func(_ *Log, stop func(), _ context.CancelFunc) { stop(); stop() },
		"by context": func(_ *Log, _ func(), cancel context.CancelFunc) { cancel() },
		"by close":   func(l *Log, _ func(), _ context.CancelFunc) { l.Close(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				_, live, stop, err := l.Subscribe(ctx, engine.EventQuery{Until: time.Now().Add(time.Hour)})
				if err != nil {
					t.Fatal(err)
				}
				end(l, stop, cancel)
				synctest.Wait()
				publish(l, "late")
				if got, closed := drain(live); !closed || got != nil {
					t.Errorf("got %v, closed %v", got, closed)
				}
				if n := l.Listeners(); n != 0 {
					t.Errorf("%d listeners are left", n)
				}
			})
		})
	}
}

func TestSlowSubscriberIsDroppedAlone(t *testing.T) {
	l := New()
	_, slow, _ := subscribe(t, l, engine.EventQuery{})
	_, quick, _ := subscribe(t, l, engine.EventQuery{})
	n := 0
	for range behind + 1 {
		publish(l, "x")
		got, closed := drain(quick)
		n += len(got)
		if closed {
			t.Fatal("the quick one was dropped")
		}
	}
	got, closed := drain(slow)
	if !closed || len(got) != behind {
		t.Errorf("the slow one got %d, closed %v", len(got), closed)
	}
	if n != behind+1 {
		t.Errorf("the quick one got %d", n)
	}
}

// Subscribers come while publishers publish; each must see an unbroken run of numbers from its snapshot to its end.
func TestNothingMissedNothingDoubled(t *testing.T) {
	const total = 900
	l := New()
	var subscribers sync.WaitGroup
	for i := range total {
		publish(l, fmt.Sprint(i))
		if i%50 != 7 {
			continue
		}
		subscribers.Go(func() {
			past, live, stop, err := l.Subscribe(t.Context(), engine.EventQuery{Since: time.Unix(1, 0)})
			if err != nil {
				t.Error(err)
				return
			}
			defer stop()
			next := -1
			check := func(e engine.Event) bool {
				var n int
				fmt.Sscan(e.Action, &n)
				if next >= 0 && n != next {
					t.Errorf("%d after %d", n, next-1)
				}
				next = n + 1
				return n < total-1
			}
			for _, e := range past {
				check(e)
			}
			for next < total && check(<-live) {
			}
		})
	}
	subscribers.Wait()
}

func TestPublisherKeepsItsMap(t *testing.T) {
	l := New()
	attributes := map[string]string{"name": "a"}
	l.Publish(engine.Event{Action: "x", Attributes: attributes})
	attributes["name"] = "b"
	past, _, _ := subscribe(t, l, engine.EventQuery{Since: time.Unix(1, 0)})
	if past[0].Attributes["name"] != "a" {
		t.Error("the log shares the publisher's map")
	}
}

// memory is a store in memory.
type memory struct {
	mu     sync.Mutex
	events []engine.Event
	writes int
	fail   error
}

func (m *memory) AppendEvents(_ context.Context, events []engine.Event, keep int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.writes++
	m.events = append(m.events, events...)
	m.events = m.events[max(0, len(m.events)-keep):]
	return nil
}

func (m *memory) Events(_ context.Context, newest int) ([]engine.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events[max(0, len(m.events)-newest):], m.fail
}

func TestRestartKeepsThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		open := func() *Log {
			l, err := Open(t.Context(), store, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		l := open()
		publish(l, "create", "start")
		time.Sleep(2 * saveDelay)
		synctest.Wait()
		if store.writes != 1 || len(store.events) != 2 {
			t.Errorf("%d events in %d writes", len(store.events), store.writes)
		}
		for i := range kept + 5 {
			publish(l, fmt.Sprint(i))
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		again := open()
		defer again.Close(t.Context())
		past, _, stop, err := again.Subscribe(t.Context(), engine.EventQuery{Since: time.Unix(1, 0)})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if len(past) != kept || past[kept-1].Action != fmt.Sprint(kept+4) {
			t.Errorf("%d events, the last %s", len(past), past[len(past)-1].Action)
		}
		publish(again, "new")
		if !again.last.After(past[kept-1].Time) {
			t.Error("an event after the restart is not later than those before")
		}
	})
}

func TestStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		l, err := Open(t.Context(), store, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		store.fail = errors.New("disk full")
		publish(l, "create")
		time.Sleep(2 * saveDelay)
		past, _, stop, err := l.Subscribe(t.Context(), engine.EventQuery{Since: time.Unix(1, 0)})
		if err != nil || len(past) != 1 {
			t.Errorf("past %v, error %v", past, err)
		}
		stop()
		publish(l, "start")
		if err := l.Close(t.Context()); !errors.Is(err, store.fail) {
			t.Errorf("close: %v", err)
		}
		if _, err := Open(t.Context(), store, slog.New(slog.DiscardHandler)); !errors.Is(err, store.fail) {
			t.Errorf("open: %v", err)
		}
	})
}
