package nft

import (
	"context"
	"log/slog"
	"time"
)

// mendInterval is how long what somebody flushed may be missing.
const mendInterval = 2 * time.Second

// Watch restates what goes when somebody else changes the packet filter ("nft flush ruleset", "ufw enable"), until ctx ends. While
// nobody changes anything, each look is one question to the kernel.
func (f *Firewall) Watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(mendInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := f.Mend(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "packet filter is not mended", "error", err)
		}
	}
}

// Mend makes what was applied last hold again if others changed the packet filter since.
func (f *Firewall) Mend(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.applied == nil {
		return nil
	}
	return f.bring(ctx, f.applied, delta{}, false)
}
