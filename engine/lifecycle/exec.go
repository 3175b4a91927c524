package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/detach"
)

// execution is one exec. One that has ended is remembered as long as its container, unless execsKept others have ended since;
// one that was not begun is forgotten when the run in which it was made ends, as by dockerd.
type execution struct {
	mu    sync.Mutex
	rec   engine.Exec
	begun chan struct{} // closed when the process runs; never if it cannot be executed
	ended chan struct{} // closed when the end was noted
}

// execReady is how long a resize waits for a process that is being started, as dockerd does.
const execReady = 10 * time.Second

// execsKept and execsWaiting bound how many execs of a container are remembered that have ended, and that nobody has begun.
// The second is a multiple of what a client makes ahead; the oldest of a client that makes them for nothing are dropped.
const (
	execsKept    = 100
	execsWaiting = 1000
)

func (e *execution) snapshot() engine.Exec {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rec
}

// CreateExec prepares a further process in a running container.
func (s *Service) CreateExec(ctx context.Context, ref string, spec engine.ExecSpec) (engine.ExecID, error) {
	u, err := s.lookup(ref)
	if err != nil {
		return "", err
	}
	if len(spec.Process.Cmd) == 0 {
		return "", &engine.Error{Op: "exec", Kind: engine.Invalid, Resource: engine.ResourceExec, Err: errors.New("No exec command specified")}
	}
	if _, err := detach.Parse(spec.DetachKeys); err != nil {
		return "", &engine.Error{Op: "exec", Kind: engine.Invalid, Resource: engine.ResourceExec, Err: err}
	}
	if err := canExec(u, ref); err != nil {
		return "", err
	}
	id := engine.ExecID(engine.NewID())
	c, r := u.current()
	if r == nil {
		return "", canExec(u, ref)
	}
	// What a start would refuse by itself, an unknown user above all, is refused now, as by dockerd.
	if _, err := s.Runtime.LaunchExec(ctx, r.spec, r.box, id, inheritProcess(spec, c.Spec.Process)); err != nil {
		return "", err
	}
	e := &execution{rec: engine.Exec{ID: id, Container: c.ID, Spec: spec, Created: now()}, begun: make(chan struct{}), ended: make(chan struct{})}
	if !s.rememberExec(u, r, e) {
		return "", canExec(u, ref)
	}
	s.publishExec(u, "exec_create: "+strings.Join(spec.Process.Cmd, " "), e.rec.ID, nil)
	return e.rec.ID, nil
}

func canExec(u *unit, ref string) error {
	c, r := u.current()
	conflict := func(reason engine.Reason) error {
		return &engine.Error{Op: "exec", Kind: engine.Conflict, Resource: engine.ResourceExec, ID: ref, Reason: reason, Args: []string{string(c.ID)}}
	}
	switch {
	case c.Status.State == engine.StatePaused:
		return conflict(engine.ReasonPaused)
	case c.Status.State == engine.StateRestarting:
		return conflict(engine.ReasonRestarting)
	case r == nil:
		return conflict(engine.ReasonNotRunning)
	}
	return nil
}

// rememberExec notes an exec unless the run that it was made in has ended, and drops what is beyond the bounds.
func (s *Service) rememberExec(u *unit, r *run, e *execution) bool {
	id := e.rec.ID
	s.mu.Lock()
	s.execs[id] = u
	s.mu.Unlock()
	u.mu.Lock()
	if u.run != r {
		u.mu.Unlock()
		s.forgetExecs([]engine.ExecID{id})
		return false
	}
	u.execs[id] = e
	dropped := u.dropOldest(execsKept, func(x engine.Exec) bool { return x.ExitCode != nil })
	dropped = append(dropped, u.dropOldest(execsWaiting, func(x engine.Exec) bool { return !x.Started })...)
	u.mu.Unlock()
	s.forgetExecs(dropped)
	return true
}

// dropOldest takes the oldest exec of a kind out of the unit if there are more than bound. The caller holds mu.
func (u *unit) dropOldest(bound int, kind func(engine.Exec) bool) []engine.ExecID {
	var n int
	var oldest engine.Exec
	for _, e := range u.execs {
		if x := e.snapshot(); kind(x) {
			if n++; n == 1 || x.Created.Before(oldest.Created) {
				oldest = x
			}
		}
	}
	if n <= bound {
		return nil
	}
	delete(u.execs, oldest.ID)
	return []engine.ExecID{oldest.ID}
}

// forgetUnbegun drops the execs that nobody began in a run that has ended: they were of that one alone.
func (s *Service) forgetUnbegun(u *unit) {
	var dropped []engine.ExecID
	u.mu.Lock()
	for id, e := range u.execs {
		if !e.snapshot().Started {
			delete(u.execs, id)
			dropped = append(dropped, id)
		}
	}
	u.mu.Unlock()
	s.forgetExecs(dropped)
}

func (s *Service) forgetExecs(ids []engine.ExecID) {
	if len(ids) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.execs, id)
	}
}

func (s *Service) findExec(id engine.ExecID) (*unit, *execution, error) {
	s.mu.RLock()
	u := s.execs[id]
	if u == nil && len(id) >= 12 {
		for known, owner := range s.execs {
			if strings.HasPrefix(string(known), string(id)) {
				u, id = owner, known
				break
			}
		}
	}
	s.mu.RUnlock()
	if u != nil {
		u.mu.Lock()
		e := u.execs[id]
		u.mu.Unlock()
		if e != nil {
			return u, e, nil
		}
	}
	return nil, nil, &engine.Error{Op: "find", Kind: engine.NotFound, Resource: engine.ResourceExec, ID: string(id)}
}

// InspectExec returns what is known of an exec.
func (s *Service) InspectExec(_ context.Context, id engine.ExecID) (engine.Exec, error) {
	_, e, err := s.findExec(id)
	if err != nil {
		return engine.Exec{}, err
	}
	return e.snapshot(), nil
}

// ResizeExec sets the size of an exec's terminal.
func (s *Service) ResizeExec(ctx context.Context, id engine.ExecID, rows, cols uint16) error {
	u, e, err := s.findExec(id)
	if err != nil {
		return err
	}
	x := e.snapshot()
	if err := canExec(u, string(x.Container)); err != nil {
		return err
	}
	if x.Started {
		// Clients ask for a size as soon as their start is answered, which is before the process runs.
		wait, cancel := context.WithTimeout(ctx, execReady)
		defer cancel()
		select {
		case <-e.begun:
		case <-e.ended:
		case <-wait.Done():
			return wrap("resize", string(id), errors.New("timeout waiting for exec session ready"))
		}
		x = e.snapshot()
	}
	_, r := u.current()
	if r == nil || !x.Running {
		return &engine.Error{Op: "resize", Kind: engine.Conflict, Resource: engine.ResourceExec, ID: string(id), Reason: engine.ReasonNotRunning, Args: []string{string(x.Container)}}
	}
	return wrap("resize", string(id), r.shim.Resize(ctx, x.ID, rows, cols))
}

// StartExec starts a prepared process: at once when detached, else when the returned stream is run.
func (s *Service) StartExec(ctx context.Context, id engine.ExecID, o engine.ExecStart) (engine.AttachedStream, error) {
	u, e, err := s.findExec(id)
	if err != nil {
		return nil, err
	}
	if err := canExec(u, string(e.snapshot().Container)); err != nil {
		return nil, err
	}
	if err := e.claim(o); err != nil {
		return nil, err
	}
	x := &execStream{service: s, unit: u, exec: e}
	if !o.Detach {
		return x, nil
	}
	conn, err := x.start(ctx, engine.AttachOptions{})
	if err != nil {
		x.noteFailure(err)
		return nil, err
	}
	return nil, conn.Close()
}

// claim marks an exec as started; that happens once.
func (e *execution) claim(o engine.ExecStart) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rec.Started {
		err := fmt.Errorf("exec command %s is already running", e.rec.ID)
		if e.rec.ExitCode != nil {
			err = fmt.Errorf("exec command %s has already run", e.rec.ID)
		}
		return &engine.Error{Op: "exec", Kind: engine.Conflict, Resource: engine.ResourceExec, ID: string(e.rec.ID), Err: err}
	}
	e.rec.Started = true
	if o.TTY != nil && !*o.TTY {
		// The client reads multiplexed frames then; a terminal would give it none.
		e.rec.Spec.Process.TTY = e.rec.Spec.Process.TTY && *o.TTY
	}
	if o.Size != [2]uint16{} {
		e.rec.Spec.Process.ConsoleSize = o.Size
	}
	return nil
}

// execStream is an accepted exec start.
type execStream struct {
	service *Service
	unit    *unit
	exec    *execution
}

// TTY reports whether the process gets a terminal.
func (x *execStream) TTY() bool { return x.exec.snapshot().Spec.Process.TTY }

// Close gives up a start that Run did not make.
func (x *execStream) Close() error { return nil }

// Run starts the process and moves its streams until it has ended. A program that cannot be executed is told on stderr and
// by the exit code, as Docker does.
func (x *execStream) Run(ctx context.Context, io engine.Stdio) error {
	spec := x.exec.snapshot().Spec
	keys, err := detach.Parse(spec.DetachKeys)
	if err != nil {
		return err
	}
	conn, err := x.start(ctx, engine.AttachOptions{Stdin: spec.AttachStdin && io.Stdin != nil, Stdout: spec.AttachStdout, Stderr: spec.AttachStderr, Stream: true})
	if err != nil {
		x.noteFailure(err)
		return err
	}
	defer conn.Close()
	err = conn.Stream(ctx, interactive(io, spec.Process.TTY, keys))
	if errors.Is(err, detach.ErrDetached) {
		x.service.publishExec(x.unit, "exec_detach", x.exec.rec.ID, nil)
		return nil
	}
	if err != nil {
		return err
	}
	// Clients ask for the exit code as soon as the stream has closed.
	select {
	case <-x.exec.ended:
	case <-ctx.Done():
	}
	return nil
}

// start runs the process with the wanted streams connected.
func (x *execStream) start(ctx context.Context, want engine.AttachOptions) (engine.Conn, error) {
	s, rec := x.service, x.exec.snapshot()
	c, r := x.unit.current()
	if r == nil {
		return nil, canExec(x.unit, string(rec.Container))
	}
	launch, err := s.Runtime.LaunchExec(ctx, r.spec, r.box, rec.ID, inheritProcess(rec.Spec, c.Spec.Process))
	if err != nil {
		return nil, err
	}
	p := rec.Spec.Process
	launch.TTY, launch.Size, launch.Stdin, launch.StdinOnce = p.TTY, p.ConsoleSize, rec.Spec.AttachStdin, true
	// Noted before the process runs: its end may come at any moment after.
	x.exec.mu.Lock()
	x.exec.rec.Running = true
	x.exec.mu.Unlock()
	pid, conn, err := r.shim.StartExec(ctx, rec.ID, launch, want)
	if err != nil {
		return nil, wrap("exec", c.Name, err)
	}
	x.exec.mu.Lock()
	x.exec.rec.Pid = pid
	x.exec.mu.Unlock()
	close(x.exec.begun)
	s.publishExec(x.unit, "exec_start: "+strings.Join(p.Cmd, " "), rec.ID, nil)
	return conn, nil
}

// inheritProcess fills what an exec leaves unset from its container's process.
func inheritProcess(spec engine.ExecSpec, main engine.ProcessSpec) engine.ExecSpec {
	p := &spec.Process
	p.Env = append(append([]string{}, main.Env...), p.Env...)
	p.WorkDir = first(p.WorkDir, main.WorkDir)
	if p.User == "" {
		p.User, p.Groups = main.User, main.Groups
	}
	return spec
}

// noteFailure records that the program could not be executed.
func (x *execStream) noteFailure(err error) {
	code := startExitCode(err, 0)
	x.exec.mu.Lock()
	defer x.exec.mu.Unlock()
	if x.exec.rec.ExitCode == nil {
		x.exec.rec.Running, x.exec.rec.ExitCode = false, &code
		close(x.exec.ended)
	}
}

// execEnded notes an exec's end, which the shim tells.
func (s *Service) execEnded(u *unit, id engine.ExecID, exit engine.ExitStatus) {
	u.mu.Lock()
	e := u.execs[id]
	u.mu.Unlock()
	if e == nil {
		return
	}
	e.mu.Lock()
	if e.rec.ExitCode != nil {
		e.mu.Unlock()
		return
	}
	e.rec.Running, e.rec.ExitCode = false, &exit.Code
	e.mu.Unlock()
	s.publishExec(u, "exec_die", id, map[string]string{"exitCode": strconv.Itoa(exit.Code)})
	close(e.ended)
}

// dropExecs ends the execs that still run when their container ends: nothing survives it.
func (u *unit) dropExecs(s *Service, exit engine.ExitStatus) {
	u.mu.Lock()
	var running []engine.ExecID
	for id, e := range u.execs {
		if x := e.snapshot(); x.Started && x.ExitCode == nil {
			running = append(running, id)
		}
	}
	u.mu.Unlock()
	for _, id := range running {
		s.execEnded(u, id, engine.ExitStatus{Code: 137, Signal: 9, At: exit.At})
	}
}

func (s *Service) publishExec(u *unit, action string, id engine.ExecID, more map[string]string) {
	attrs := map[string]string{"execID": string(id)}
	for k, v := range more {
		attrs[k] = v
	}
	s.publish(u.snapshot(), action, attrs)
}
