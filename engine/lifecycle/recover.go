package lifecycle

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"sync"

	"github.com/xcengine/xc/engine"
)

// recoverParallel bounds how many containers are taken up at once.
const recoverParallel = 16

// Recover takes up the containers of an earlier daemon: those that run are watched on, what was half done is undone or
// ended, what belongs to nobody is removed, and those whose policy asks for it are started. It is called once, before any
// request is served. A container that cannot be recovered does not keep the others from it.
func (s *Service) Recover(ctx context.Context) error {
	if err := os.MkdirAll(s.Dir, 0o710); err != nil {
		return err
	}
	records, err := s.Store.Containers(ctx)
	if err != nil {
		return err
	}
	var units []*unit
	for _, c := range records {
		if c.Status.Intent == engine.IntentCreate {
			s.abandonCreate(ctx, c)
			continue
		}
		units = append(units, s.add(c))
	}
	adopted := s.findRuns(ctx, units)
	if err := s.sweep(ctx, adopted); err != nil {
		s.Log.ErrorContext(ctx, "sweep leftovers", "error", err)
	}
	if err := s.recoverNetworks(ctx, units, adopted); err != nil {
		return err
	}
	var running []engine.ContainerID
	for u := range adopted {
		running = append(running, u.snapshot().ID)
	}
	if err := s.Volumes.Recover(ctx, running); err != nil {
		return err
	}
	for _, u := range units {
		s.settle(ctx, u, adopted[u])
	}
	return nil
}

// abandonCreate undoes a create that was never answered.
func (s *Service) abandonCreate(ctx context.Context, c engine.Container) {
	if err := s.erase(ctx, c, true); err != nil {
		s.Log.ErrorContext(ctx, "undo an unfinished create", "container", c.ID, "error", err)
	}
}

// findRuns connects to the shims of the containers that ran or were being started.
func (s *Service) findRuns(ctx context.Context, units []*unit) map[*unit]*run {
	var (
		mu    sync.Mutex
		found = map[*unit]*run{}
		wg    sync.WaitGroup
		slots = make(chan struct{}, recoverParallel)
	)
	for _, u := range units {
		c := u.snapshot()
		if !c.Status.State.Alive() {
			continue
		}
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			r, err := s.openRun(ctx, c)
			if err != nil {
				if engine.KindOf(err) != engine.NotFound {
					s.Log.ErrorContext(ctx, "open shim", "container", c.ID, "error", err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			found[u] = r
		}()
	}
	wg.Wait()
	return found
}

// openRun connects to a container's shim and rebuilds what a run knows.
func (s *Service) openRun(ctx context.Context, c engine.Container) (*run, error) {
	shim, err := s.Shims.Open(ctx, c.ID, s.dir(c.ID))
	if err != nil {
		return nil, err
	}
	r := &run{shim: shim, done: make(chan struct{})}
	box, err := s.Runtime.FindSandbox(ctx, c.ID, s.dir(c.ID))
	if err != nil {
		return nil, errors.Join(err, shim.Close())
	}
	r.box = box
	root, err := s.Roots.Mount(ctx, c.ID) // it is mounted: this only tells where
	if err != nil {
		return nil, errors.Join(err, shim.Close())
	}
	r.spec = s.sandboxSpec(c, root, s.knownMounts(c))
	links, err := s.linkEnv(c)
	if err != nil {
		s.Log.WarnContext(ctx, "execs are not told of links", "container", c.ID, "error", err)
	}
	r.spec.Spec.Process.Env = s.environment(c, r.box, links)
	return r, nil
}

// knownMounts lists the mounts of a container that runs, without touching them.
func (s *Service) knownMounts(c engine.Container) []engine.Mount {
	var mounts []engine.Mount
	for _, p := range c.Mounts {
		mounts = append(mounts, engine.Mount{Kind: p.Kind, Source: p.Source, Subpath: p.Subpath, Target: p.Target, ReadOnly: p.ReadOnly, Propagation: p.Propagation})
	}
	return mounts
}

// sweep removes what exists in the kernel or on disk and belongs to no container, and the sandboxes of those that do not
// run any more.
func (s *Service) sweep(ctx context.Context, adopted map[*unit]*run) error {
	alive := map[engine.ContainerID]bool{}
	for u := range adopted {
		alive[u.snapshot().ID] = true
	}
	known := func(id engine.ContainerID) bool {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.units[id] != nil
	}
	var errs []error
	boxes, err := s.Runtime.Sandboxes(ctx)
	errs = append(errs, err)
	for _, id := range boxes {
		if !alive[id] && !known(id) {
			errs = append(errs, s.Shims.Clean(ctx, s.dir(id)), s.Runtime.RemoveSandbox(ctx, id, s.dir(id)))
		}
	}
	roots, err := s.Roots.List(ctx)
	errs = append(errs, err)
	mounted := map[engine.ContainerID]bool{}
	for _, c := range s.users() {
		for _, root := range imageRoots(c) {
			mounted[root] = true
		}
	}
	for _, id := range roots {
		if !known(id) && !mounted[id] {
			errs = append(errs, s.Roots.Remove(ctx, id))
		}
	}
	dirs, err := os.ReadDir(s.Dir)
	if !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, d := range dirs {
		if id := engine.ContainerID(d.Name()); !known(id) {
			errs = append(errs, s.Shims.Clean(ctx, s.dir(id)), os.RemoveAll(s.dir(id)))
		}
	}
	return errors.Join(errs...)
}

// recoverNetworks tells the networks what the containers that kept running hold, and those that ended unseen, as long as their
// sandboxes are there: interfaces of the administrator's may be in them, and would go with them.
func (s *Service) recoverNetworks(ctx context.Context, units []*unit, adopted map[*unit]*run) error {
	var running []engine.Attachment
	held := map[engine.ContainerID]engine.Attached{}
	for _, u := range units {
		c := u.snapshot()
		if joinsNetwork(c) || !c.Status.State.Alive() {
			continue
		}
		r := adopted[u]
		if r == nil {
			box, err := s.Runtime.FindSandbox(ctx, c.ID, s.dir(c.ID))
			if err != nil {
				continue
			}
			r = &run{box: box}
		}
		// What it was about to be connected to when the daemon ended it does not hold.
		endpoints := maps.Clone(c.Endpoints)
		maps.DeleteFunc(endpoints, func(_ string, e engine.Endpoint) bool { return e.ID == "" })
		running = append(running, attachment(c, r.box))
		held[c.ID] = engine.Attached{Endpoints: endpoints, Ports: c.Ports}
	}
	return s.Networks.Recover(ctx, running, held)
}

// settle brings one container from what its record says to what holds.
func (s *Service) settle(ctx context.Context, u *unit, r *run) {
	c := u.snapshot()
	switch {
	case c.Status.State == engine.StateRemoving:
		s.finishRemoval(ctx, u, c.Status.Intent == engine.IntentRemoveVolumes)
	case c.Spec.Transient:
		s.discard(ctx, u, r)
	case r != nil:
		s.adopt(ctx, u, r)
	case c.Status.State.Alive():
		s.missedEnd(ctx, u)
	case c.Status.Intent == engine.IntentStart:
		s.abandonStart(ctx, u)
		s.startAtBoot(u)
	case c.Status.State == engine.StateRestarting:
		if !s.Hold {
			s.scheduleRestart(u)
		}
	case c.Spec.AutoRemove && c.Status.State == engine.StateExited:
		s.finishRemoval(ctx, u, true)
	default:
		s.startAtBoot(u)
	}
}

// discard removes a container whose operation ended with the daemon that made it.
func (s *Service) discard(ctx context.Context, u *unit, r *run) {
	c := u.snapshot()
	switch {
	case r != nil:
		s.adopt(ctx, u, r)
	case c.Status.State.Alive():
		s.missedEnd(ctx, u)
	case c.Status.Intent == engine.IntentStart:
		s.abandonStart(ctx, u)
	}
	s.goes(func(ctx context.Context) {
		err := s.Remove(ctx, string(c.ID), engine.RemoveOptions{Force: true, Volumes: true})
		s.logged(ctx, "remove what an operation left", u, err)
	})
}

// adopt watches a run of an earlier daemon on.
func (s *Service) adopt(ctx context.Context, u *unit, r *run) {
	u.mu.Lock()
	u.run = r
	u.mu.Unlock()
	st, err := r.shim.Status(ctx)
	s.logged(ctx, "ask shim", u, err)
	if err == nil && st.Pid != 0 && st.Pid != u.snapshot().Status.Pid {
		s.logged(ctx, "note pid", u, s.edit(ctx, "recover", u, func(c *engine.Container) { c.Status.Pid = st.Pid }))
	}
	switch c := u.snapshot(); {
	case c.Status.Intent == engine.IntentConnect:
		s.logged(ctx, "end a change of networks", u, s.attachNetwork(ctx, u, r))
	case !joinsNetwork(c):
		s.logged(ctx, "write names", u, s.followNames(ctx, c, r.spec))
	}
	s.watch(u, r)
}

// missedEnd handles the end of a container that came while no daemon watched.
func (s *Service) missedEnd(ctx context.Context, u *unit) {
	exit := s.lastWords(ctx, u)
	s.logged(ctx, "clean shim", u, s.Shims.Clean(ctx, s.dir(u.snapshot().ID)))
	s.ended(ctx, u, &run{done: make(chan struct{})}, exit)
}

// abandonStart undoes a start that was never confirmed.
func (s *Service) abandonStart(ctx context.Context, u *unit) {
	c := u.snapshot()
	s.logged(ctx, "clean shim", u, s.Shims.Clean(ctx, s.dir(c.ID)))
	s.logged(ctx, "undo an unfinished start", u, s.tearDown(ctx, c))
	state := c.Status.State
	if state == engine.StateRestarting {
		state = engine.StateExited
	}
	s.logged(ctx, "note an undone start", u, s.move(ctx, "recover", u, state, nil))
}

func (s *Service) finishRemoval(ctx context.Context, u *unit, volumes bool) {
	if err := u.op.lock(ctx); err != nil {
		return
	}
	defer u.op.unlock()
	s.logged(ctx, "finish a removal", u, s.remove(ctx, u, engine.RemoveOptions{Volumes: volumes}))
}

// startAtBoot starts a container whose restart policy asks for it, after Recover has returned.
func (s *Service) startAtBoot(u *unit) {
	if s.Hold || !restartsAtBoot(u.snapshot()) {
		return
	}
	s.goes(func(ctx context.Context) {
		if err := u.op.lock(ctx); err != nil {
			return
		}
		defer u.op.unlock()
		if st := u.snapshot().Status.State; st.Alive() {
			return
		}
		s.logged(ctx, "start at boot", u, s.start(ctx, u, false))
	})
}
