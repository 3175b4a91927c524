package lifecycle

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// waiter is one armed Wait. It is told once.
type waiter struct {
	cond   engine.WaitCondition
	result chan engine.WaitResult // with room for its one result
}

// Wait is armed when it returns: an end that comes afterwards is not missed. The channel gets one result, or is left
// silent when ctx ends.
func (s *Service) Wait(ctx context.Context, ref string, cond engine.WaitCondition) (<-chan engine.WaitResult, error) {
	switch cond {
	case "":
		cond = engine.WaitNotRunning
	case engine.WaitNotRunning, engine.WaitNextExit, engine.WaitRemoved:
	default:
		return nil, &engine.Error{Op: "wait", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: ref, Args: []string{string(cond)}, Reason: engine.ReasonBadCondition}
	}
	u, err := s.lookup(ref)
	if err != nil {
		return nil, err
	}
	w := waiter{cond: cond, result: make(chan engine.WaitResult, 1)}
	u.mu.Lock()
	u.waiters = append(u.waiters, w)
	u.tellWaiters()
	u.mu.Unlock()
	context.AfterFunc(ctx, func() { u.forget(w) })
	return w.result, nil
}

// forget drops a waiter whose client went away.
func (u *unit) forget(w waiter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.waiters {
		if u.waiters[i].result == w.result {
			u.waiters = append(u.waiters[:i:i], u.waiters[i+1:]...)
			return
		}
	}
}

// tellWaiters tells those whose condition holds and keeps the others. The caller holds u.mu.
func (u *unit) tellWaiters() {
	kept := u.waiters[:0:0]
	for _, w := range u.waiters {
		if !u.holds(w.cond) {
			kept = append(kept, w)
			continue
		}
		w.result <- engine.WaitResult{ExitCode: u.rec.Status.ExitCode}
	}
	u.waiters = kept
}

// holds reports whether a condition that says nothing of the future holds now. An end itself is told by tellExit.
func (u *unit) holds(cond engine.WaitCondition) bool {
	switch cond {
	case engine.WaitRemoved:
		return u.gone
	case engine.WaitNotRunning:
		return u.gone || !u.rec.Status.State.Alive() && u.rec.Status.State != engine.StateRestarting
	}
	return u.gone
}

// tellExit tells those who wait for an end, after it was written. One that a restart by policy follows is an end as well, as for
// dockerd: a client that ran the container in the foreground leaves with the exit code of its first run.
func (u *unit) tellExit() {
	u.mu.Lock()
	defer u.mu.Unlock()
	kept := u.waiters[:0:0]
	for _, w := range u.waiters {
		if w.cond == engine.WaitRemoved {
			kept = append(kept, w)
			continue
		}
		w.result <- engine.WaitResult{ExitCode: u.rec.Status.ExitCode}
	}
	u.waiters = kept
}
