package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
)

const (
	defaultStopTimeout = 10 // seconds, Docker's
	// killPatience bounds the wait for a process that got SIGKILL: only one stuck in the kernel outlives it.
	killPatience = 30 * time.Second
)

// Stop ends a container: its stop signal, then SIGKILL when the time is over. It is NotModified when it does not run. A
// client that goes away does not end a stop that was begun.
func (s *Service) Stop(ctx context.Context, ref string, o engine.StopOptions) error {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	c := u.snapshot()
	if c.Status.State == engine.StateRestarting {
		u.cancelRetry()
		return s.move(ctx, "stop", u, engine.StateExited, func(c *engine.Container) { c.Status.Stopped = true })
	}
	if !c.Status.State.Alive() {
		return &engine.Error{Op: "stop", Kind: engine.NotModified, Resource: engine.ResourceContainer, ID: ref}
	}
	return s.halt(context.WithoutCancel(ctx), u, o, true)
}

// halt ends a container that may run and waits until its end was handled. byUser keeps its restart policy from starting
// it again; a restart needs no such note, because the caller holds the operation lock and starts it itself.
func (s *Service) halt(ctx context.Context, u *unit, o engine.StopOptions, byUser bool) error {
	c, r := u.current()
	if r == nil {
		return nil
	}
	if err := s.edit(ctx, "stop", u, func(c *engine.Container) { c.Status.Stopped = true }); err != nil {
		return err
	}
	if c.Status.State == engine.StatePaused {
		if err := s.resume(ctx, u); err != nil {
			return err
		}
	}
	r.stopping.CompareAndSwap(0, stopAsked)
	if err := s.terminate(ctx, u, r, o); err != nil {
		return err
	}
	if !byUser {
		s.logged(ctx, "note a restart", u, s.edit(ctx, "restart", u, func(c *engine.Container) { c.Status.Stopped = false }))
	}
	s.publishStop(u, r)
	return nil
}

// publishStop tells once of a run that it was stopped. Whoever comes first tells: the end of the run, just before it tells
// of the death, as with dockerd; or who stopped it, if it was dying by itself.
func (s *Service) publishStop(u *unit, r *run) {
	if r.stopping.Swap(stopTold) != stopTold {
		s.publish(u.snapshot(), "stop", nil)
	}
}

// terminate signals a run and waits for its end, with SIGKILL after the time that is given.
func (s *Service) terminate(ctx context.Context, u *unit, r *run, o engine.StopOptions) error {
	c := u.snapshot()
	timeout := defaultStopTimeout
	if c.Spec.StopTimeout != nil {
		timeout = *c.Spec.StopTimeout
	}
	if o.Timeout != nil {
		timeout = *o.Timeout
	}
	signal := engine.Signal(first(first(o.Signal, c.Spec.StopSignal), "TERM"))
	if err := s.signal(ctx, u, r, signal); err != nil {
		s.logged(ctx, "stop signal", u, err) // a signal that is not one must not make the container immortal
	} else if r.wait(ctx, patience(timeout, c.Spec.After)) {
		return nil
	}
	return s.murder(ctx, u, r)
}

// patience is how long a container that got its stop signal may take: what its user gives main, and what the programs after it may
// take, as nobody tells from outside which of them runs. None at all stays none; it is negative for ever.
func patience(timeout int, after []engine.Step) time.Duration {
	d := time.Duration(timeout) * time.Second
	for _, step := range after {
		if timeout > 0 {
			d += step.Timeout
		}
	}
	return d
}

// murder sends SIGKILL and waits for the end, after which no policy starts the container again.
func (s *Service) murder(ctx context.Context, u *unit, r *run) error {
	if !u.snapshot().Status.Stopped {
		if err := s.edit(ctx, "kill", u, func(c *engine.Container) { c.Status.Stopped = true }); err != nil {
			return err
		}
	}
	if err := s.signal(ctx, u, r, "KILL"); err != nil {
		return err
	}
	if r.wait(ctx, killPatience) {
		return nil
	}
	c := u.snapshot()
	return &engine.Error{
		Op: "stop", Kind: engine.Internal, Resource: engine.ResourceContainer, ID: c.Name,
		Err: errors.New("tried to kill container, but did not receive an exit event"),
	}
}

// wait reports whether the run's end was handled within d; a negative d is without limit.
func (r *run) wait(ctx context.Context, d time.Duration) bool {
	var timeUp <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeUp = t.C
	}
	select {
	case <-r.done:
		return true
	case <-timeUp:
	case <-ctx.Done():
	}
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// signal sends a signal to a run's main process and publishes it. That the process has just ended is no error.
func (s *Service) signal(ctx context.Context, u *unit, r *run, sig engine.Signal) error {
	number := signalNumber(sig)
	tell := func() { s.publish(u.snapshot(), "kill", map[string]string{"signal": number}) }
	// Told first, so that what the signal brings about is told after it. A name that only the platform can read may be none.
	_, unread := strconv.Atoi(number)
	if unread == nil {
		tell()
	}
	if err := r.shim.Signal(ctx, "", sig); err != nil && engine.KindOf(err) != engine.NotFound {
		select {
		case <-r.done:
			return nil
		default:
			return wrap("kill", u.snapshot().Name, err)
		}
	}
	if unread != nil {
		tell()
	}
	return nil
}

// Kill sends a signal to a container's main process; the empty one is KILL, which it waits for.
func (s *Service) Kill(ctx context.Context, ref string, sig engine.Signal) error {
	// Not under the operation lock: a kill must reach a container that a stop waits for.
	u, err := s.lookup(ref)
	if err != nil {
		return err
	}
	c, r := u.current()
	for c.Status.State == engine.StateRestarting {
		if ended, err := s.killRestarting(ctx, u); ended || err != nil {
			return err
		}
		c, r = u.current() // it was started meanwhile
	}
	if r == nil {
		return &engine.Error{Op: "kill", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonNotRunning, Args: []string{string(c.ID)}}
	}
	sig = engine.Signal(first(string(sig), "KILL"))
	kills := signalNumber(sig) == "9"
	if !kills && signalNumber(sig) == signalNumber(engine.Signal(first(c.Spec.StopSignal, "TERM"))) {
		if err := s.edit(ctx, "kill", u, func(c *engine.Container) { c.Status.Stopped = true }); err != nil {
			return err
		}
	}
	if c.Status.State == engine.StatePaused {
		// Frozen processes take no signal; as with dockerd, one that is signalled runs on.
		if err := s.resume(ctx, u); err != nil {
			return err
		}
	}
	if !kills {
		return s.signal(ctx, u, r, sig)
	}
	return s.murder(context.WithoutCancel(ctx), u, r)
}

// killRestarting ends a container that waits for its next start; it reports false when that had begun.
func (s *Service) killRestarting(ctx context.Context, u *unit) (bool, error) {
	u.cancelRetry()
	if err := u.op.lock(ctx); err != nil {
		return false, err
	}
	defer u.op.unlock()
	if u.snapshot().Status.State != engine.StateRestarting {
		return false, nil
	}
	return true, s.move(ctx, "kill", u, engine.StateExited, func(c *engine.Container) { c.Status.Stopped = true })
}

// Pause freezes a running container.
func (s *Service) Pause(ctx context.Context, ref string) error {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	c := u.snapshot()
	switch c.Status.State {
	case engine.StateRunning:
	case engine.StatePaused:
		return &engine.Error{Op: "pause", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonPaused, Args: []string{string(c.ID)}}
	case engine.StateRestarting:
		return &engine.Error{Op: "pause", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonRestarting, Args: []string{string(c.ID)}}
	default:
		return &engine.Error{Op: "pause", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonNotRunning, Args: []string{string(c.ID)}}
	}
	if err := s.Runtime.Pause(ctx, c.ID); err != nil {
		return wrap("pause", c.Name, err)
	}
	if err := s.move(ctx, "pause", u, engine.StatePaused, nil); err != nil {
		// It ended meanwhile; what is frozen must thaw to be undone.
		return errors.Join(err, s.Runtime.Resume(context.WithoutCancel(ctx), c.ID))
	}
	s.publish(u.snapshot(), "pause", nil)
	return nil
}

// Unpause thaws a paused container.
func (s *Service) Unpause(ctx context.Context, ref string) error {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	if c := u.snapshot(); c.Status.State != engine.StatePaused {
		return &engine.Error{Op: "unpause", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonNotPaused, Args: []string{string(c.ID)}}
	}
	return s.resume(ctx, u)
}

func (s *Service) resume(ctx context.Context, u *unit) error {
	c := u.snapshot()
	if err := s.Runtime.Resume(ctx, c.ID); err != nil {
		return wrap("unpause", c.Name, err)
	}
	if u.snapshot().Status.State != engine.StatePaused {
		return nil
	}
	if err := s.move(ctx, "unpause", u, engine.StateRunning, nil); err != nil {
		return err
	}
	s.publish(u.snapshot(), "unpause", nil)
	return nil
}

// Resize sets the size of the main process's terminal.
func (s *Service) Resize(ctx context.Context, ref string, rows, cols uint16) error {
	u, err := s.lookup(ref)
	if err != nil {
		return err
	}
	c, r := u.current()
	if r == nil {
		return &engine.Error{Op: "resize", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonNotRunning, Args: []string{string(c.ID)}}
	}
	if err := r.shim.Resize(ctx, "", rows, cols); err != nil {
		return wrap("resize", c.Name, err)
	}
	s.publish(c, "resize", map[string]string{"height": itoa(rows), "width": itoa(cols)})
	return nil
}

// signalNumber gives the number of a signal as events carry it; what is not known stays as it is.
func signalNumber(sig engine.Signal) string {
	name := strings.TrimPrefix(strings.ToUpper(string(sig)), "SIG")
	if n, ok := signals[name]; ok {
		return fmt.Sprint(int(n))
	}
	return name
}

// signals are those that clients name; events show their numbers, which are the platform's.
var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "ILL": syscall.SIGILL, "TRAP": syscall.SIGTRAP,
	"ABRT": syscall.SIGABRT, "BUS": syscall.SIGBUS, "FPE": syscall.SIGFPE, "KILL": syscall.SIGKILL, "USR1": syscall.SIGUSR1,
	"SEGV": syscall.SIGSEGV, "USR2": syscall.SIGUSR2, "PIPE": syscall.SIGPIPE, "ALRM": syscall.SIGALRM, "TERM": syscall.SIGTERM,
	"CHLD": syscall.SIGCHLD, "CONT": syscall.SIGCONT, "STOP": syscall.SIGSTOP, "TSTP": syscall.SIGTSTP, "TTIN": syscall.SIGTTIN,
	"TTOU": syscall.SIGTTOU, "URG": syscall.SIGURG, "XCPU": syscall.SIGXCPU, "XFSZ": syscall.SIGXFSZ, "VTALRM": syscall.SIGVTALRM,
	"PROF": syscall.SIGPROF, "WINCH": syscall.SIGWINCH, "IO": syscall.SIGIO, "SYS": syscall.SIGSYS,
}
