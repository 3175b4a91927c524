package lifecycle

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/xcengine/xc/engine"
)

// exitUnknown is the code of a container whose end nobody saw, as Docker gives it.
const exitUnknown = 255

// watch follows a run: its execs' ends, its health, and its own end, which it handles. It ends with the daemon.
func (s *Service) watch(u *unit, r *run) {
	s.startProbes(u, r)
	s.watchOOM(u, r)
	s.goes(func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				r.endOOM()
				return
			case e, ok := <-r.shim.Events():
				switch {
				case !ok:
					// The shim is gone without a word; it may have written how main ended.
					s.ended(ctx, u, r, s.lastWords(ctx, u))
					return
				case e.Exec != "":
					s.execEnded(u, e.Exec, e.Exit)
				default:
					s.ended(ctx, u, r, e.Exit)
					return
				}
			}
		}
	})
}

// watchOOM notes and publishes each lack of memory, where the platform tells of it.
func (s *Service) watchOOM(u *unit, r *run) {
	w, ok := s.Runtime.(OOMWatcher)
	if !ok {
		return
	}
	stop, err := w.WatchOOM(u.snapshot().ID, func() {
		r.sawOOM.Store(true)
		s.logged(s.life, "note a lack of memory", u, s.edit(s.life, "oom", u, func(c *engine.Container) { c.Status.OOMKilled = true }))
		s.publish(u.snapshot(), "oom", nil)
	})
	if err != nil {
		s.Log.Debug("a lack of memory will be told at the end alone", "container", u.snapshot().ID, "error", err)
		return
	}
	r.stopOOM = stop
}

// endOOM ends the watching for a lack of memory, and reports whether there was any.
func (r *run) endOOM() bool {
	if r.stopOOM != nil {
		r.stopOOM()
	}
	return r.sawOOM.Load()
}

// lastWords reads the exit status that a vanished shim left.
func (s *Service) lastWords(ctx context.Context, u *unit) engine.ExitStatus {
	c := u.snapshot()
	exit, err := s.Shims.Exit(ctx, s.dir(c.ID))
	if err == nil {
		return exit
	}
	if engine.KindOf(err) != engine.NotFound {
		s.logged(ctx, "read exit status", u, err)
	}
	return engine.ExitStatus{Code: exitUnknown, At: now()}
}

// ended handles the end of a main process: it undoes the run and writes what follows by the restart policy.
func (s *Service) ended(ctx context.Context, u *unit, r *run, exit engine.ExitStatus) {
	ctx = context.WithoutCancel(ctx)
	s.logged(ctx, "intend the end", u, s.intend(ctx, "exit", u, engine.IntentStop))
	s.Failpoint("stop.intent")
	if r.probes != nil {
		r.probes()
	}
	told := r.endOOM()
	info, err := s.Runtime.Ended(ctx, u.snapshot().ID)
	if err != nil {
		s.logged(ctx, "ask how it ended", u, err)
	}
	if c := u.snapshot(); !c.Spec.NoClean {
		s.logged(ctx, "undo a run", u, s.tearDown(ctx, c))
	}
	s.Failpoint("stop.down")
	u.dropExecs(s, exit)
	if info.OOMKilled = info.OOMKilled || told; info.OOMKilled && !told {
		s.publish(u.snapshot(), "oom", nil)
	}
	if r.shim != nil {
		// Before the end is written: a daemon killed in between finds the exit status on disk, and no shim that waits.
		if err := errors.Join(r.shim.Release(ctx), r.shim.Close()); err != nil {
			s.Log.DebugContext(ctx, "release shim", "container", u.snapshot().ID, "error", err)
		}
	}
	s.noteExit(ctx, u, r, exit, info)
	s.tellGroups(u.snapshot())
	close(r.done)
	s.afterExit(ctx, u)
}

// tearDown undoes everything that a start made, in reverse, given nothing but the record. Each step is tried whatever the
// others say.
func (s *Service) tearDown(ctx context.Context, c engine.Container) error {
	var errs []error
	if !joinsNetwork(c) {
		errs = append(errs, s.Networks.Detach(ctx, c.ID))
	}
	s.Failpoint("stop.network")
	errs = append(errs, s.Runtime.RemoveSandbox(ctx, c.ID, s.dir(c.ID)))
	s.Failpoint("stop.sandbox")
	for _, p := range c.Mounts {
		if p.Kind == engine.MountVolume {
			errs = append(errs, s.Volumes.Unmount(ctx, p.Name, c.ID))
			s.publishVolume(c, p, "unmount", nil)
		}
	}
	for _, root := range append(imageRoots(c), c.ID) {
		errs = append(errs, s.Roots.Unmount(ctx, root))
	}
	s.Failpoint("stop.root")
	return errors.Join(errs...)
}

// noteExit writes the end of a run and tells everyone who waits for it.
func (s *Service) noteExit(ctx context.Context, u *unit, r *run, exit engine.ExitStatus, info engine.ExitInfo) {
	before := u.snapshot()
	ran := max(exit.At.Sub(before.Status.Started), 0)
	next, retry := engine.StateExited, shouldRestart(before, exit)
	if retry && s.life.Err() == nil && !s.Hold {
		next = engine.StateRestarting
	}
	u.mu.Lock()
	u.run = nil
	if ran >= restartSettled {
		u.backoff = 0
	}
	u.backoff++
	u.mu.Unlock()
	s.forgetUnbegun(u)
	err := s.move(ctx, "exit", u, next, func(c *engine.Container) {
		st := &c.Status
		st.Pid, st.ExitCode, st.OOMKilled, st.Finished = 0, exit.Code, info.OOMKilled, exit.At
		c.Ports, c.Endpoints = nil, detached(c.Endpoints)
		if next == engine.StateRestarting {
			st.Restarts++
		}
		if st.Health != nil {
			h := *st.Health
			h.Status = engine.HealthUnhealthy
			st.Health = &h
		}
	})
	s.logged(ctx, "note an end", u, err)
	s.Failpoint("stop.noted")
	if r.stopping.Load() == stopAsked {
		s.publishStop(u, r)
	}
	s.publish(u.snapshot(), "die", map[string]string{
		"exitCode": strconv.Itoa(exit.Code), "execDuration": strconv.FormatInt(int64(ran/time.Second), 10),
	})
	u.tellExit()
}

// detached returns endpoints as they are wanted, without what they had while attached.
func detached(attached map[string]engine.Endpoint) map[string]engine.Endpoint {
	wanted := make(map[string]engine.Endpoint, len(attached))
	for name, e := range attached {
		wanted[name] = engine.Endpoint{Spec: e.Spec, Network: e.Network}
	}
	return wanted
}

// afterExit does what follows an end: the removal that was asked for at create, or the next start.
func (s *Service) afterExit(ctx context.Context, u *unit) {
	c := u.snapshot()
	switch {
	case c.Status.State == engine.StateRestarting:
		s.scheduleRestart(u)
	case c.Spec.AutoRemove:
		// An operation that waits for this end (stop, rm) holds the lock; the removal comes after it.
		s.goes(func(context.Context) {
			if err := u.op.lock(ctx); err != nil {
				return
			}
			defer u.op.unlock()
			if st := u.snapshot().Status.State; st != engine.StateExited {
				return
			}
			s.logged(ctx, "remove after its end", u, s.remove(ctx, u, engine.RemoveOptions{Volumes: true}))
		})
	}
}
