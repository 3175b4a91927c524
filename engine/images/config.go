package images

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// configOf turns what an image says about running it into the engine's words. A port that is none is left out.
func configOf(run imageformat.RunConfig) engine.ImageConfig {
	c := engine.ImageConfig{
		Process: engine.ProcessSpec{
			Entrypoint: run.Entrypoint, Cmd: run.Cmd, Env: run.Env, WorkDir: run.WorkingDir, User: run.User,
		},
		VolumePaths: run.Volumes, Labels: run.Labels, StopSignal: run.StopSignal, StopTimeout: run.StopTimeout,
		Shell: run.Shell, OnBuild: run.OnBuild, ArgsEscaped: run.ArgsEscaped,
	}
	for _, spec := range run.ExposedPorts {
		if p, ok := parsePort(spec); ok {
			c.ExposedPorts = append(c.ExposedPorts, p)
		}
	}
	if h := run.Healthcheck; h != nil {
		c.Health = &engine.HealthSpec{
			Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries,
		}
	}
	return c
}

// runConfigOf is the way back. Nothing is shared with c.
func runConfigOf(c engine.ImageConfig) imageformat.RunConfig {
	run := imageformat.RunConfig{
		User: c.Process.User, Env: slices.Clone(c.Process.Env), Entrypoint: slices.Clone(c.Process.Entrypoint), Cmd: slices.Clone(c.Process.Cmd),
		Volumes: slices.Sorted(slices.Values(c.VolumePaths)), WorkingDir: c.Process.WorkDir, Labels: maps.Clone(c.Labels), StopSignal: c.StopSignal,
		StopTimeout: c.StopTimeout, OnBuild: slices.Clone(c.OnBuild), Shell: slices.Clone(c.Shell), ArgsEscaped: c.ArgsEscaped,
	}
	for _, p := range c.ExposedPorts {
		run.ExposedPorts = append(run.ExposedPorts, formatPort(p))
	}
	slices.Sort(run.ExposedPorts)
	if h := c.Health; h != nil {
		run.Healthcheck = &imageformat.Healthcheck{
			Test: slices.Clone(h.Test), Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries,
		}
	}
	return run
}

// configOfContainer is what a container would be run with again.
func configOfContainer(c engine.Container) engine.ImageConfig {
	spec := c.Spec
	return engine.ImageConfig{
		Process:      engine.ProcessSpec{Entrypoint: spec.Process.Entrypoint, Cmd: spec.Process.Cmd, Env: spec.Process.Env, WorkDir: spec.Process.WorkDir, User: spec.Process.User},
		ExposedPorts: spec.ExposedPorts, VolumePaths: spec.VolumePaths, Labels: spec.Labels, StopSignal: spec.StopSignal,
		StopTimeout: spec.StopTimeout, Health: spec.Health, Shell: spec.Shell, OnBuild: spec.OnBuild,
	}
}

// parsePort reads "80/tcp"; without a protocol it is tcp.
func parsePort(spec string) (engine.Port, bool) {
	number, proto, ok := strings.Cut(spec, "/")
	if !ok || proto == "" {
		proto = string(engine.TCP)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	p := engine.Port{Number: uint16(n), Proto: engine.Proto(strings.ToLower(proto))}
	switch p.Proto {
	case engine.TCP, engine.UDP, engine.SCTP:
		return p, err == nil && n > 0
	}
	return p, false
}

func formatPort(p engine.Port) string {
	return strconv.Itoa(int(p.Number)) + "/" + string(p.Proto)
}

// mergeConfig fills what c leaves unset from base, as Docker merges a container's configuration into that of a commit.
func mergeConfig(c, base engine.ImageConfig) engine.ImageConfig {
	p := &c.Process
	if len(p.Entrypoint) == 0 {
		if len(p.Cmd) == 0 {
			p.Cmd = base.Process.Cmd
		}
		if p.Entrypoint == nil {
			p.Entrypoint = base.Process.Entrypoint
		}
	}
	p.Env = mergeEnv(p.Env, base.Process.Env)
	p.WorkDir, p.User = cmp.Or(p.WorkDir, base.Process.WorkDir), cmp.Or(p.User, base.Process.User)
	c.StopSignal = cmp.Or(c.StopSignal, base.StopSignal)
	if c.StopTimeout == nil {
		c.StopTimeout = base.StopTimeout
	}
	labels := maps.Clone(base.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, c.Labels)
	c.Labels = labels
	c.ExposedPorts = union(c.ExposedPorts, base.ExposedPorts)
	c.VolumePaths = union(c.VolumePaths, base.VolumePaths)
	c.Health = mergeHealth(c.Health, base.Health)
	if len(c.Shell) == 0 {
		c.Shell = base.Shell
	}
	if len(c.OnBuild) == 0 {
		c.OnBuild = base.OnBuild
	}
	return c
}

func mergeEnv(own, base []string) []string {
	named := map[string]bool{}
	for _, e := range own {
		key, _, _ := strings.Cut(e, "=")
		named[key] = true
	}
	merged := slices.Clone(own)
	for _, e := range base {
		if key, _, _ := strings.Cut(e, "="); !named[key] {
			merged = append(merged, e)
		}
	}
	return merged
}

func mergeHealth(own, base *engine.HealthSpec) *engine.HealthSpec {
	if own == nil || base == nil {
		if own == nil {
			return base
		}
		return own
	}
	h := *own
	if len(h.Test) == 0 {
		h.Test = base.Test
	}
	h.Interval, h.Timeout = cmp.Or(h.Interval, base.Interval), cmp.Or(h.Timeout, base.Timeout)
	h.StartPeriod, h.StartInterval = cmp.Or(h.StartPeriod, base.StartPeriod), cmp.Or(h.StartInterval, base.StartInterval)
	h.Retries = cmp.Or(h.Retries, base.Retries)
	return &h
}

// union appends to a what only b has, once.
func union[T comparable](a, b []T) []T {
	out := slices.Clone(a)
	have := make(map[T]bool, len(a)+len(b))
	for _, v := range a {
		have[v] = true
	}
	for _, v := range b {
		if !have[v] {
			have[v] = true
			out = append(out, v)
		}
	}
	return out
}
