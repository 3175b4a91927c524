package pf

import (
	"context"
	"log/slog"
	"time"

	"github.com/xcengine/xc/engine/internal/runner"
)

// mendInterval is how long what somebody flushed may be missing.
const mendInterval = 30 * time.Second

// Watch restates what somebody flushes ("pfctl -F all", "service pf stop"), until ctx ends. pf tells nobody of it.
func (f *Firewall) Watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(mendInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		lost, err := f.Mend(ctx)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "look at the packet filter", "error", err)
		}
		if len(lost) > 0 {
			log.WarnContext(ctx, "packet filter rules were flushed and are restated", "lost", lost)
		}
	}
}

// Mend restates everything if something of it is gone, and gives the names of what was.
func (f *Firewall) Mend(ctx context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !present() || len(f.loads) == 0 {
		return nil, nil
	}
	res, err := f.cfg.Run.Run(ctx, runner.Cmd{Argv: []string{"/sbin/pfctl", "-q", "-vv", "-s", "Tables"}})
	if err != nil {
		return nil, fail(err)
	}
	tables := Counts(res.Stdout)
	var lost []string
	for _, l := range f.loads {
		holds := ""
		if what := l.shows(); what != "" {
			if res, err = f.cfg.Run.Run(ctx, runner.Cmd{Argv: []string{"/sbin/pfctl", "-q", "-a", l.name, "-s", what}}); err != nil {
				return nil, fail(err)
			}
			if Again(res.Stderr) {
				return nil, nil // somebody loads rules: the next look tells
			}
			holds = res.Stdout
		}
		if l.lost(holds, tables) {
			lost = append(lost, l.name)
		}
	}
	if len(lost) == 0 {
		return nil, nil
	}
	for _, l := range f.loads {
		if err := f.put(ctx, l); err != nil {
			clear(f.applied)
			return lost, fail(err)
		}
	}
	return lost, nil
}
