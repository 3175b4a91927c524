package reaper

import (
	"context"
	"fmt"
	"time"
)

var (
	past  = time.Unix(1, 0)
	never = time.Time{}
)

// WaitTree returns when no descendant of a child that ended is left. Where the kernel does not tell whose descendant an
// orphan was (Linux), every orphan that nobody claimed counts.
func (r *Reaper) WaitTree(ctx context.Context, ended int) error {
	for {
		r.mu.Lock()
		passed := r.passed
		known := make(map[int]bool, len(r.children))
		for pid := range r.children {
			known[pid] = true
		}
		r.mu.Unlock()
		left, err := orphans(ended, known)
		if err != nil {
			return fmt.Errorf("list descendants: %w", err)
		}
		if !left {
			return nil
		}
		select {
		case <-passed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
