package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/xcengine/xc/engine"
)

// Docker's defaults and bounds for health checks.
const (
	probeInterval      = 30 * time.Second
	probeTimeout       = 30 * time.Second
	probeStartInterval = 5 * time.Second
	probeRetries       = 3
	probeOutputMax     = 4096
	probesKept         = 5
	// probeStart bounds how long the starting of a check may take.
	probeStart = 30 * time.Second
)

// startProbes begins a run's health checks, if it has any.
func (s *Service) startProbes(u *unit, r *run) {
	c := u.snapshot()
	cmd := probeCommand(c.Spec)
	if cmd == nil {
		return
	}
	ctx, cancel := context.WithCancel(s.life)
	r.probes = cancel
	s.goes(func(context.Context) {
		defer cancel()
		s.probeLoop(ctx, u, *c.Spec.Health, cmd)
	})
}

// startingHealth is the health that a run begins with, nil without health checks. As with dockerd the last run's probes are
// still shown.
func startingHealth(c engine.Container) *engine.Health {
	if probeCommand(c.Spec) == nil {
		return nil
	}
	h := engine.Health{Status: engine.HealthStarting}
	if c.Status.Health != nil {
		h.Log = c.Status.Health.Log
	}
	return &h
}

// probeCommand gives the command of a health check, nil for none.
func probeCommand(spec engine.Spec) []string {
	if spec.Health == nil || len(spec.Health.Test) < 2 {
		return nil
	}
	switch kind, rest := spec.Health.Test[0], spec.Health.Test[1:]; kind {
	case "CMD":
		return rest
	case "CMD-SHELL":
		shell := spec.Shell
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		return append(slices.Clone(shell), rest...)
	}
	return nil
}

func (s *Service) probeLoop(ctx context.Context, u *unit, h engine.HealthSpec, cmd []string) {
	started := u.snapshot().Status.Started
	timer := time.NewTimer(0)
	defer timer.Stop()
	for first := true; ; first = false {
		wait := orDefault(h.Interval, probeInterval)
		st := u.snapshot().Status
		if st.Health != nil && st.Health.Status == engine.HealthStarting && h.StartPeriod > 0 && time.Since(started) < h.StartPeriod {
			wait = min(wait, orDefault(h.StartInterval, probeStartInterval))
		}
		if first {
			<-timer.C
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if u.snapshot().Status.State != engine.StateRunning {
			continue // a paused container is neither healthy nor not
		}
		probe := s.probe(ctx, u, cmd, orDefault(h.Timeout, probeTimeout))
		if ctx.Err() != nil {
			return
		}
		s.noteProbe(ctx, u, h, started, probe)
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// probe runs the check once. One that outlives its time is killed and counts as failed with code -1.
func (s *Service) probe(ctx context.Context, u *unit, cmd []string, limit time.Duration) engine.HealthProbe {
	p := engine.HealthProbe{Start: now(), ExitCode: -1}
	fail := func(err error) engine.HealthProbe {
		p.End, p.Output = now(), err.Error()
		return p
	}
	c := u.snapshot()
	id, err := s.CreateExec(ctx, string(c.ID), engine.ExecSpec{
		Process: engine.ProcessSpec{Cmd: cmd, Env: c.Spec.Process.Env, User: c.Spec.Process.User, WorkDir: c.Spec.Process.WorkDir}, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return fail(err)
	}
	_, e, err := s.findExec(id)
	if err != nil {
		return fail(err)
	}
	stream, err := s.StartExec(ctx, id, engine.ExecStart{})
	if err != nil {
		return fail(err)
	}
	defer stream.Close()
	var out capped
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(limited, engine.Stdio{Stdout: &out, Stderr: &out}) }()
	late, err := awaitProbe(e.begun, ended, limit)
	if late {
		cancel()
		err = <-ended
	}
	if late && ctx.Err() == nil {
		if _, r := u.current(); r != nil {
			s.logged(ctx, "kill a late health check", u, r.shim.Signal(ctx, id, "KILL"))
		}
		said := fmt.Sprintf("Health check exceeded timeout (%v)", limit)
		if text := out.String(); text != "" {
			said += ": " + text
		}
		return fail(errors.New(said))
	}
	if err != nil {
		return fail(err)
	}
	p.End, p.Output = now(), out.String()
	if x, err := s.InspectExec(ctx, id); err == nil && x.ExitCode != nil {
		p.ExitCode = *x.ExitCode
	}
	return p
}

// awaitProbe waits for the end of a check that is being started, and reports whether it is late. The time that it takes to
// start, which a busy host makes long, is not the check's.
func awaitProbe(begun <-chan struct{}, ended <-chan error, limit time.Duration) (late bool, err error) {
	timer := time.NewTimer(probeStart)
	defer timer.Stop()
	select {
	case err := <-ended:
		return false, err
	case <-timer.C:
		return true, nil
	case <-begun:
	}
	timer.Reset(limit)
	select {
	case err := <-ended:
		return false, err
	case <-timer.C:
		return true, nil
	}
}

// capped keeps the first probeOutputMax bytes, and shows that there were more.
type capped struct {
	buf bytes.Buffer
	cut bool
}

func (c *capped) Write(p []byte) (int, error) {
	room := min(probeOutputMax-c.buf.Len(), len(p))
	c.buf.Write(p[:room])
	c.cut = c.cut || room < len(p)
	return len(p), nil
}

func (c *capped) String() string {
	if c.cut {
		return c.buf.String() + "..."
	}
	return c.buf.String()
}

// noteProbe writes a probe and the health that follows from it, and publishes a change.
func (s *Service) noteProbe(ctx context.Context, u *unit, h engine.HealthSpec, started time.Time, p engine.HealthProbe) {
	var before, after engine.HealthStatus
	err := s.edit(ctx, "health", u, func(c *engine.Container) {
		if c.Status.Health == nil || !c.Status.State.Alive() {
			return
		}
		health := *c.Status.Health
		before = health.Status
		health.Log = append(slices.Clone(health.Log), p)
		if extra := len(health.Log) - probesKept; extra > 0 {
			health.Log = health.Log[extra:]
		}
		inStart := before == engine.HealthStarting && p.Start.Sub(started) < h.StartPeriod
		switch {
		case p.ExitCode == 0:
			health.Failing, health.Status = 0, engine.HealthHealthy
		case inStart: // does not count
		default:
			if health.Failing++; health.Failing >= max(h.Retries, 1) && h.Retries != 0 || h.Retries == 0 && health.Failing >= probeRetries {
				health.Status = engine.HealthUnhealthy
			}
		}
		after = health.Status
		c.Status.Health = &health
	})
	s.logged(ctx, "note health", u, err)
	if before != after {
		s.publish(u.snapshot(), "health_status: "+string(after), nil)
	}
}
