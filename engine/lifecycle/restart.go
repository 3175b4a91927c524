package lifecycle

import (
	"context"
	"time"

	"github.com/xcengine/xc/engine"
)

// Docker's delays: 100 ms, doubled with each restart up to a minute; a run of ten seconds begins anew.
const (
	restartDelay    = 100 * time.Millisecond
	restartDelayMax = time.Minute
	restartSettled  = 10 * time.Second
)

// shouldRestart decides by the policy whether an ended container is started again.
func shouldRestart(c engine.Container, exit engine.ExitStatus) bool {
	if c.Status.Stopped {
		return false
	}
	switch p := c.Spec.Restart; p.Name {
	case engine.RestartAlways, engine.RestartUnlessStopped:
		return true
	case engine.RestartOnFailure:
		return exit.Code != 0 && (p.MaxRetries == 0 || c.Status.Restarts < p.MaxRetries)
	}
	return false
}

// restartsAtBoot decides whether a container that does not run is started when the daemon starts. One that the user
// stopped is, under "always".
func restartsAtBoot(c engine.Container) bool {
	if c.Status.Started.IsZero() {
		return false
	}
	switch c.Spec.Restart.Name {
	case engine.RestartAlways:
		return true
	case engine.RestartUnlessStopped:
		return !c.Status.Stopped
	}
	return false
}

// delayFor is the delay before the n-th restart after runs that did not last.
func delayFor(n int) time.Duration {
	d := restartDelay
	for range max(n-1, 0) {
		if d *= 2; d >= restartDelayMax {
			return restartDelayMax
		}
	}
	return d
}

// scheduleRestart starts a restarting container after its delay, unless it is stopped or started before.
func (s *Service) scheduleRestart(u *unit) {
	wait, cancel := context.WithCancel(s.life)
	u.mu.Lock()
	u.retry = cancel
	delay := delayFor(u.backoff)
	u.mu.Unlock()
	s.goes(func(context.Context) {
		defer cancel()
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-wait.Done():
			return
		case <-timer.C:
		}
		if u.op.lock(wait) != nil {
			return
		}
		defer u.op.unlock()
		if wait.Err() != nil || u.snapshot().Status.State != engine.StateRestarting {
			return
		}
		s.logged(s.life, "restart by policy", u, s.start(s.life, u, false))
	})
}

// setBackoff counts restarts after runs that did not last.
func (u *unit) setBackoff(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.backoff = n
}

// cancelRetry ends the wait for a restart, if there is one.
func (u *unit) cancelRetry() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.retry != nil {
		u.retry()
		u.retry = nil
	}
}
