package volumes

import (
	"context"
	"sync"
)

// locks are one lock a name; a name that nobody holds or waits for costs nothing.
type locks struct {
	mu    sync.Mutex
	names map[string]*lock
}

type lock struct {
	token chan struct{}
	users int
}

// take waits for a name until ctx ends. The caller calls release once.
func (l *locks) take(ctx context.Context, name string) (release func(), err error) {
	l.mu.Lock()
	k := l.names[name]
	if k == nil {
		k = &lock{token: make(chan struct{}, 1)}
		l.names[name] = k
	}
	k.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.names, name)
		}
	}
	select {
	case k.token <- struct{}{}:
		return func() { <-k.token; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
