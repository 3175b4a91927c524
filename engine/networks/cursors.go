package networks

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
)

// settle is how long cursors are collected before they are written. One that is lost costs nothing but that an address may
// be handed out again sooner.
const settle = time.Second

// cursorWriter writes how far pools were handed out, some time later and all at once.
type cursorWriter struct {
	store Store
	log   *slog.Logger

	mu      sync.Mutex
	waiting map[cursorKey]netip.Addr
	timer   *time.Timer
	done    sync.WaitGroup
}

type cursorKey struct {
	network engine.NetworkID
	pool    netip.Prefix
}

func newCursorWriter(store Store, log *slog.Logger) *cursorWriter {
	return &cursorWriter{store: store, log: log, waiting: make(map[cursorKey]netip.Addr)}
}

func (w *cursorWriter) note(n engine.NetworkID, p *pool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[cursorKey{n, p.Subnet}] = p.addrs.Cursor()
	if w.timer != nil {
		return
	}
	w.done.Add(1)
	w.timer = time.AfterFunc(settle, func() {
		defer w.done.Done()
		if err := w.write(context.Background()); err != nil {
			w.log.Warn("how far addresses were handed out is not written", "error", err)
		}
	})
}

func (w *cursorWriter) write(ctx context.Context) error {
	w.mu.Lock()
	var cursors []engine.PoolCursor
	for key, last := range w.waiting {
		cursors = append(cursors, engine.PoolCursor{Network: key.network, Pool: key.pool, Last: last})
	}
	clear(w.waiting)
	w.timer = nil
	w.mu.Unlock()
	if len(cursors) == 0 {
		return nil
	}
	return w.store.PutCursors(ctx, cursors)
}

func (w *cursorWriter) close(ctx context.Context) error {
	w.mu.Lock()
	if w.timer != nil && w.timer.Stop() {
		w.done.Done()
	}
	w.mu.Unlock()
	w.done.Wait()
	return w.write(ctx)
}
