package shim

import (
	"errors"
	"net"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim/internal/wire"
)

// serveExec starts a further process and connects its first client.
func (s *server) serveExec(c *net.UnixConn, r *wire.Reader, f wire.Frame) {
	x, err := wire.DecodeExecStart(f.Payload)
	if err != nil {
		refuse(c, err)
		return
	}
	p := newProcess(x.ID, nil, s.clientLost)
	if err := s.admit(p); err != nil {
		refuse(c, err)
		return
	}
	a := newAttachment(p, c, x.Streams)
	// Its output must not come before the answer, nor go by before the client is there.
	a.mu.Lock()
	p.clients = []*attachment{a}
	child, err := s.start(p, x.Launch, x.Streams.Stdout || x.Streams.Stderr)
	if err != nil {
		s.mu.Lock()
		delete(s.execs, x.ID)
		s.mu.Unlock()
		close(p.told)
		refuse(c, err)
		return
	}
	a.write(wire.AppendFrame(nil, wire.Frame{Kind: wire.OK, Number: f.Number, Payload: wire.EncodePid(child.Pid())}))
	a.mu.Unlock()
	go s.attendExec(p, child)
	a.input(r.Rest())
}

// admit enters an exec before its start.
func (s *server) admit(p *process) error {
	fail := func(k engine.Kind, r engine.Reason, why string) error {
		return &engine.Error{Op: "exec", Kind: k, Resource: engine.ResourceExec, ID: string(p.id), Reason: r, Args: []string{string(s.sup.ID)}, Err: errors.New(why)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, taken := s.execs[p.id]
	switch {
	case p.id == "":
		return fail(engine.Invalid, engine.ReasonNone, "no id")
	case taken:
		return fail(engine.Conflict, engine.ReasonNone, "id is taken")
	case s.phase != running:
		return fail(engine.Conflict, engine.ReasonNotRunning, "main does not run")
	}
	s.execs[p.id] = p
	return nil
}

// attendExec waits for an exec's end and tells it after its output.
func (s *server) attendExec(p *process, child *reaper.Process) {
	<-child.Done()
	exit := exitStatus(child.End())
	p.ended(exit)
	p.drain(execGrace)
	s.record(engine.ShimEvent{Exec: p.id, Exit: exit})
	p.finish()
	close(p.told)
}
