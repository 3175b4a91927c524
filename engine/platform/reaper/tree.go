package reaper

import (
	"context"
	"errors"
	"fmt"
	"syscall"
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
		_, left, err := orphans(ended, r.known())
		r.mu.Unlock()
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

// SignalTree sends a signal to those descendants of a child that ended which are children of this process by now; what they
// started is theirs to end.
func (r *Reaper) SignalTree(ended int, sig syscall.Signal) error {
	// Under the lock nobody is reaped, so that no pid can be another's.
	r.mu.Lock()
	defer r.mu.Unlock()
	pids, _, err := orphans(ended, r.known())
	if err != nil {
		return fmt.Errorf("list descendants: %w", err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
	}
	return nil
}

// known lists the children that somebody claimed. The caller holds mu.
func (r *Reaper) known() map[int]bool {
	known := make(map[int]bool, len(r.children))
	for pid := range r.children {
		known[pid] = true
	}
	return known
}
