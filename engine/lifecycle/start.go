package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// Start runs a container that does not run. It is NotModified when it runs already.
func (s *Service) Start(ctx context.Context, ref string) error {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	c := u.snapshot()
	switch c.Status.State {
	case engine.StateRunning:
		return &engine.Error{Op: "start", Kind: engine.NotModified, Resource: engine.ResourceContainer, ID: ref}
	case engine.StatePaused:
		return &engine.Error{Op: "start", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonPaused, Args: []string{string(c.ID)}}
	}
	if err := checkMove("start", c, engine.StateRunning); err != nil {
		return err
	}
	u.cancelRetry()
	if err := s.start(ctx, u, true); err != nil {
		if c.Spec.AutoRemove {
			s.logged(ctx, "remove after a failed start", u, s.remove(context.WithoutCancel(ctx), u, engine.RemoveOptions{Volumes: true}))
		}
		return err
	}
	return nil
}

// start makes everything that a run needs and runs the main process. asked says that somebody wants it: the restart policy
// counts from here. The caller holds the operation lock.
func (s *Service) start(ctx context.Context, u *unit, asked bool) error {
	if asked {
		u.setBackoff(0)
	}
	if err := s.edit(ctx, "start", u, func(c *engine.Container) {
		c.Status.Intent = engine.IntentStart
		if asked {
			c.Status.Restarts = 0
		}
	}); err != nil {
		return err
	}
	s.Failpoint("start.intent")
	r := &run{done: make(chan struct{})}
	var undone undo.Stack
	pid, attached, err := s.bringUp(ctx, u, r, &undone)
	if err != nil {
		r.failed.Store(true)
		c := u.snapshot()
		s.takeBack(ctx, "start", c.ID, &undone)
		err = wrap("start", c.Name, err)
		u.endPending(err)
		s.noteFailedStart(ctx, u, err)
		return err
	}
	undone.Drop()
	s.noteStart(ctx, u, r, pid, attached)
	return nil
}

// noteFailedStart writes why a start failed; the state stays what it was, but a container that waited to be restarted
// has exited.
func (s *Service) noteFailedStart(ctx context.Context, u *unit, cause error) {
	state := u.snapshot().Status.State
	if state == engine.StateRestarting {
		state = engine.StateExited
	}
	s.logged(ctx, "note a failed start", u, s.move(ctx, "start", u, state, func(c *engine.Container) {
		c.Status.Error, c.Status.ExitCode = s.Explain(cause), startExitCode(cause, c.Status.ExitCode)
	}))
	u.tellExit()
}

// startExitCode is what Docker and shells give for a program that could not be executed. Of other failures a code that an earlier run
// left stays, as with dockerd.
func startExitCode(err error, before int) int {
	switch {
	case engine.HasReason(err, engine.ReasonExecNotFound), engine.HasReason(err, engine.ReasonBadCwd):
		return 127
	case engine.HasReason(err, engine.ReasonExecDenied), engine.HasReason(err, engine.ReasonExecIsDir):
		return 126
	case before != 0:
		return before
	}
	return 128
}

// bringUp does the steps of a start, each on the undo stack before it is begun.
func (s *Service) bringUp(ctx context.Context, u *unit, r *run, undone *undo.Stack) (pid int, a engine.Attached, err error) {
	c := u.snapshot()
	if c.Spec.NoClean && !c.Status.Started.IsZero() {
		if err := s.tearDown(ctx, c); err != nil {
			return 0, a, err
		}
	}
	undone.Push("root", func(ctx context.Context) error { return s.Roots.Unmount(ctx, c.ID) })
	root, err := s.Roots.Mount(ctx, c.ID)
	if err != nil {
		return 0, a, err
	}
	s.Failpoint("start.root")
	mounts, err := s.mountSources(ctx, c, undone)
	if err != nil {
		return 0, a, err
	}
	r.spec = s.sandboxSpec(c, root, mounts)
	if err = s.findPeers(&r.spec); err != nil {
		return 0, a, err
	}
	undone.Push("sandbox", func(ctx context.Context) error { return s.Runtime.RemoveSandbox(ctx, c.ID, s.dir(c.ID)) })
	if r.box, err = s.Runtime.CreateSandbox(ctx, r.spec); err != nil {
		return 0, a, err
	}
	s.Failpoint("start.sandbox")
	undone.Push("network", func(ctx context.Context) error { return s.Networks.Detach(ctx, c.ID) })
	if a, err = s.network(ctx, c, r.box); err != nil {
		return 0, a, err
	}
	proxies, err := s.forwards(r.spec, a.Proxies)
	defer closeListeners(proxies)
	if err != nil {
		return 0, a, err
	}
	env, err := s.linkEnv(c)
	if err != nil {
		return 0, a, err
	}
	c.Endpoints = a.Endpoints
	r.spec.Spec.Process.Env = s.environment(c, r.box, env)
	s.Failpoint("start.network")
	undone.Push("shim", func(ctx context.Context) error { return s.undoShim(ctx, c.ID, r) })
	// The shim is a while in starting, and the platform is busy with the root meanwhile.
	prepared := make(chan error, 1)
	var launch engine.Launch
	go func() {
		var err error
		launch, err = s.Runtime.Launch(ctx, r.spec, r.box)
		prepared <- err
	}()
	err = s.startShim(ctx, u, c, r, proxies)
	if unprepared := <-prepared; err == nil {
		err = unprepared
	}
	if err != nil {
		return 0, a, err
	}
	s.Failpoint("start.shim")
	launch.Stdin, launch.StdinOnce = c.Spec.OpenStdin, c.Spec.StdinOnce
	launch.TTY, launch.Size = c.Spec.Process.TTY, c.Spec.Process.ConsoleSize
	if pid, err = r.shim.Run(ctx, launch); err != nil {
		return 0, a, err
	}
	s.Failpoint("start.run")
	return pid, a, nil
}

// environment is what a container's programs have beyond what the platform gives them: the network's words and those of
// links, then its own, which win.
func (s *Service) environment(c engine.Container, box engine.Sandbox, links []string) []string {
	return slices.Concat(s.Networks.Environment(attachment(c, box)), links, c.Spec.Process.Env, c.Spec.SecretEnv)
}

// sandboxSpec renders what the platform needs to know of a container, whether it runs or not: all but its peers, which may be gone.
func (s *Service) sandboxSpec(c engine.Container, root string, mounts []engine.Mount) engine.SandboxSpec {
	spec := engine.SandboxSpec{
		ID: c.ID, Dir: s.dir(c.ID), Root: root, Platform: c.Platform, Spec: c.Spec, Mounts: mounts,
		Args: c.Spec.Process.Args(), Init: s.DefaultInit,
		HostNetwork: c.Spec.Network.Mode == "host",
		Files:       map[string]string{},
	}
	if c.Spec.Init != nil {
		spec.Init = *c.Spec.Init
	}
	spec.NetPrivate = !spec.HostNetwork && !joinsNetwork(c)
	files := s.networkFiles(c)
	for _, f := range []string{fileHosts, fileHostname, fileResolv} {
		ownResolv := f == fileResolv && c.Spec.Network.DNSFrom == engine.DNSImage
		if !ownResolv && !covered(mounts, "/etc/"+f) {
			spec.Files["/etc/"+f] = files + "/" + f
		}
	}
	return spec
}

// findPeers adds to what the platform needs the containers whose namespaces are to be joined.
func (s *Service) findPeers(spec *engine.SandboxSpec) (err error) {
	if spec.NetworkOf, err = s.peer(spec.ID, "network", string(spec.Spec.Network.Mode)); err != nil {
		return err
	}
	if spec.PidOf, err = s.peer(spec.ID, "PID", spec.Spec.Security.PidMode); err != nil {
		return err
	}
	spec.IpcOf, err = s.peer(spec.ID, "IPC", spec.Spec.Security.IpcMode)
	return err
}

// networkFiles is the directory of the files that tell a container of its network: that of the container which has the network,
// also where others share it through one another.
func (s *Service) networkFiles(c engine.Container) string {
	if u, err := s.lookup(string(c.ID)); err == nil {
		if owner, err := s.networkOwner(u); err == nil {
			c = owner.snapshot()
		}
	}
	return s.dir(c.ID)
}

func covered(mounts []engine.Mount, target string) bool {
	for _, m := range mounts {
		if m.Target == target {
			return true
		}
	}
	return false
}

// peer finds the running container that a "container:<id>" mode of a namespace names; other modes have none.
func (s *Service) peer(own engine.ContainerID, namespace, mode string) (engine.Peer, error) {
	ref, ok := strings.CutPrefix(mode, "container:")
	if !ok {
		return engine.Peer{}, nil
	}
	u, err := s.lookup(ref)
	if err != nil {
		return engine.Peer{}, noPeer("join", ref, "joining "+namespace+" namespace of container: ")
	}
	c, r := u.current()
	if c.ID == own {
		return engine.Peer{}, &engine.Error{Op: "join", Kind: engine.Internal, Resource: engine.ResourceContainer, ID: c.Name, Err: fmt.Errorf("cannot join own %s namespace", namespace)}
	}
	if r == nil {
		kind, err := engine.Internal, fmt.Errorf("failed to join %s namespace: container %s is not running", namespace, c.ID)
		if namespace == "network" {
			kind, err = engine.Conflict, fmt.Errorf("cannot join network namespace of a non running container: container %s is %s", c.Name, c.Status.State)
		}
		return engine.Peer{}, &engine.Error{Op: "join", Kind: kind, Resource: engine.ResourceContainer, ID: c.Name, Err: err}
	}
	return engine.Peer{ID: c.ID, Pid: c.Status.Pid, Sandbox: r.box, Dir: s.dir(c.ID)}, nil
}

// startShim brings up the shim and connects the clients that attached before the start.
func (s *Service) startShim(ctx context.Context, u *unit, c engine.Container, r *run, proxies []engine.Proxy) error {
	logFile, err := s.logFile(c)
	if err != nil {
		return err
	}
	// Where a process of ours sees to the container's, that one waits for descendants.
	tree := c.Spec.TreeExit && !c.Spec.Chained()
	r.shim, err = s.Shims.Start(ctx, engine.Supervision{ID: c.ID, Dir: s.dir(c.ID), Log: logFile, TreeExit: tree, Proxies: proxies})
	if err != nil {
		return err
	}
	return u.connectPending(ctx, r)
}

// undoShim ends the shim of a start that failed. What it told of the main process's end, if that ran, is of no interest.
func (s *Service) undoShim(ctx context.Context, id engine.ContainerID, r *run) error {
	err := s.Shims.Clean(ctx, s.dir(id))
	if r.shim == nil {
		return err
	}
	return errors.Join(err, r.shim.Close())
}

func (s *Service) logFile(c engine.Container) (engine.LogFile, error) {
	return s.LogReader.Check(c.Spec.Log, c)
}

func closeListeners(proxies []engine.Proxy) {
	for _, p := range proxies {
		if p.Listener != nil {
			p.Listener.Close() // the shim has its own copy; nothing is lost by a failure here
		}
	}
}

// noteStart writes that the container runs and begins to watch it.
func (s *Service) noteStart(ctx context.Context, u *unit, r *run, pid int, a engine.Attached) {
	u.mu.Lock()
	u.run = r
	u.mu.Unlock()
	s.logged(ctx, "note a start", u, s.move(ctx, "start", u, engine.StateRunning, func(c *engine.Container) {
		c.Status.Pid, c.Status.Started, c.Status.Error, c.Status.ExitCode = pid, now(), "", 0
		c.Status.OOMKilled, c.Status.Stopped, c.Status.Health = false, false, startingHealth(*c)
		if a.Endpoints != nil {
			c.Endpoints = a.Endpoints
		}
		c.Ports = a.Ports
	}))
	s.Failpoint("start.noted")
	c := u.snapshot()
	s.publish(c, "start", nil)
	s.tellLinkers(c)
	s.tellGroups(c)
	s.watch(u, r)
}

// logged notes an error of a step after which nothing else can be done.
func (s *Service) logged(ctx context.Context, step string, u *unit, err error) {
	if err != nil {
		s.Log.ErrorContext(ctx, "step failed", "step", step, "container", u.snapshot().ID, "error", err)
	}
}

// Restart stops a container if it runs and starts it.
func (s *Service) Restart(ctx context.Context, ref string, o engine.StopOptions) error {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	if err := checkMove("restart", u.snapshot(), engine.StateRunning); err != nil && !u.snapshot().Status.State.Alive() {
		return err
	}
	u.cancelRetry()
	// Who began a restart may go: the container must not stay stopped for that.
	ctx = context.WithoutCancel(ctx)
	if err := s.halt(ctx, u, o, false); err != nil {
		return err
	}
	if err := s.start(ctx, u, true); err != nil {
		return err
	}
	s.publish(u.snapshot(), "restart", nil)
	return nil
}
