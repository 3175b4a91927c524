package declare

import (
	"maps"
	"slices"

	"github.com/xcengine/xc/engine"
)

// Clone copies a configuration so that changing the copy's lists and maps leaves the original alone.
func Clone(c engine.ImageConfig) engine.ImageConfig {
	p := &c.Process
	p.Env, p.Cmd, p.Entrypoint = slices.Clone(p.Env), slices.Clone(p.Cmd), slices.Clone(p.Entrypoint)
	c.ExposedPorts, c.VolumePaths = slices.Clone(c.ExposedPorts), slices.Clone(c.VolumePaths)
	c.Labels, c.OnBuild, c.Shell = maps.Clone(c.Labels), slices.Clone(c.OnBuild), slices.Clone(c.Shell)
	return c
}

// union appends to a what only b has, once.
func union[T comparable](a, b []T) []T {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}
