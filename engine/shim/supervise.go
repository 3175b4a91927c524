package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

const (
	// mainGrace is how long after main's end and the killing of the rest somebody who escaped may hold its output open.
	mainGrace = 250 * time.Millisecond
	// execGrace is the same for an exec, whose children live on; dockerd gives as much.
	execGrace = 2 * time.Second
	killTime  = 10 * time.Second
)

// run starts main, and answers before its end can be told.
func (s *server) run(l engine.Launch, answer func(pid int, err error)) {
	s.mu.Lock()
	if s.phase != idle {
		s.mu.Unlock()
		answer(0, &engine.Error{Op: "run", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: string(s.sup.ID), Err: errors.New("main was started before")})
		return
	}
	s.phase = starting
	s.mu.Unlock()
	child, err := s.start(s.main, l, true)
	if err != nil {
		s.main.abort()
		answer(0, err)
		s.setPhase(failed)
		return
	}
	s.setPhase(running)
	for i := range s.sup.Proxies {
		s.sup.Proxies[i].Listener = s.listeners[i]
	}
	s.ports.begin(s.sup.Proxies)
	s.listeners = nil
	answer(child.Pid(), nil)
	s.attend(child)
}

func (s *server) setPhase(p phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = p
	s.settle()
}

// start launches a process and connects its streams.
func (s *server) start(p *process, l engine.Launch, output bool) (*reaper.Process, error) {
	if want := s.Launcher.Platform(); l.Platform != want {
		return nil, &engine.Error{Op: "run", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: string(s.sup.ID), Err: fmt.Errorf("launch for %q, this is %q", l.Platform, want)}
	}
	io := &streams{}
	if !l.TTY {
		var err error
		if io, err = openStreams(l.Stdin, output); err != nil {
			return nil, err
		}
	}
	hold := s.Reaper.Hold()
	defer hold.Release()
	started, err := s.Launcher.Start(context.Background(), p.id, l, io.process)
	io.closeProcess()
	if err != nil {
		io.closeOwn()
		return nil, err
	}
	child, err := hold.Claim(started.Pid)
	if err == nil && started.Master != nil {
		err = io.adopt(started.Master, l.Stdin)
	}
	if err != nil {
		io.closeOwn()
		if child != nil {
			_ = child.Signal(unix.SIGKILL) // nobody could talk to it
		}
		return nil, err
	}
	p.begin(l, child, io.stdin, io.master, io.out)
	return child, nil
}

// attend waits for main's end and does what comes then.
func (s *server) attend(child *reaper.Process) {
	<-child.Done()
	exit := exitStatus(child.End())
	sync := s.save(exit)
	if s.sup.TreeExit {
		if err := s.Reaper.WaitTree(context.Background(), child.Pid()); err != nil {
			s.Log.Error("wait for descendants", "error", err)
		}
		exit.At = time.Now().UTC()
		s.synced(sync)
		sync = s.save(exit)
	}
	s.main.ended(exit)
	s.syncing.Go(func() { s.synced(sync) })
	s.ports.end()
	s.killRest()
	s.main.drain(mainGrace)
	s.growth.finish()
	s.awaitExecs()
	s.main.finish()
	s.mu.Lock()
	s.phase = told // before anybody can hear of it and release
	s.mu.Unlock()
	s.record(engine.ShimEvent{Exit: exit})
	time.AfterFunc(linger, s.end)
	s.setPhase(told)
}

func (s *server) killRest() {
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	if err := s.Launcher.Kill(ctx); err != nil {
		s.Log.Error("kill what is left in the sandbox", "error", err)
	}
}

func (s *server) synced(sync func() error) {
	if err := sync(); err != nil {
		s.Log.Error("sync exit status", "error", err)
	}
}

// save puts the exit status where everybody finds it. sync brings it to the disk.
func (s *server) save(exit engine.ExitStatus) (sync func() error) {
	sync, err := saveExit(exit)
	if err != nil {
		s.Log.Error("write exit status", "error", err)
		return func() error { return nil }
	}
	return sync
}

// awaitExecs waits for the execs that died with the sandbox, so that their ends are told before main's.
func (s *server) awaitExecs() {
	s.mu.Lock()
	var left []*process
	for _, p := range s.execs {
		left = append(left, p)
	}
	s.mu.Unlock()
	timeUp := time.After(execGrace + mainGrace)
	for _, p := range left {
		select {
		case <-p.told:
		case <-timeUp:
			return
		}
	}
}

// releasable reports whether main's end has come, or never will.
func (s *server) releasable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == running || s.phase == starting {
		return &engine.Error{Op: "release", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: string(s.sup.ID), Reason: engine.ReasonRunning}
	}
	return nil
}

// target resizes or signals the process that a request names.
func (s *server) target(k wire.Kind, t wire.Target) error {
	p := s.main
	resource := engine.ResourceContainer
	if t.Exec != "" {
		resource = engine.ResourceExec
		s.mu.Lock()
		p = s.execs[t.Exec]
		s.mu.Unlock()
	}
	absent := &engine.Error{Op: "find process", Kind: engine.NotFound, Resource: resource, ID: string(t.Exec), Reason: engine.ReasonNotRunning, Args: []string{string(s.sup.ID)}}
	if p == nil {
		return absent
	}
	if k == wire.Resize {
		return p.resize(t.Rows, t.Cols)
	}
	sig, err := signalNumber(t.Signal)
	if err != nil {
		return err
	}
	if l, ok := s.Launcher.(Listener); ok {
		p.listen(func(pid int) bool { return l.Deaf(pid, sig) })
	}
	err = p.signal(sig)
	if errors.Is(err, os.ErrProcessDone) && p == s.main && s.sup.TreeExit {
		return s.signalTree(sig)
	}
	if errors.Is(err, os.ErrProcessDone) {
		return absent
	}
	return err
}

// signalTree reaches what main left behind in a container that ends with its last process.
func (s *server) signalTree(sig syscall.Signal) error {
	pid, exit := s.main.status()
	if pid == 0 || exit != nil {
		return &engine.Error{Op: "find process", Kind: engine.NotFound, Resource: engine.ResourceContainer, Reason: engine.ReasonNotRunning, Args: []string{string(s.sup.ID)}}
	}
	if sig == unix.SIGKILL {
		s.killRest()
		return nil
	}
	return s.Reaper.SignalTree(pid, sig)
}

func (s *server) status() engine.ShimStatus {
	st := engine.ShimStatus{Execs: make(map[engine.ExecID]engine.ExecStatus)}
	st.Pid, st.Exit = s.main.status()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.execs {
		var x engine.ExecStatus
		x.Pid, x.Exit = p.status()
		st.Execs[id] = x
	}
	return st
}
