package lifecycle

import (
	"maps"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// mergeImage fills what a spec leaves unset from the image's configuration, as Docker does: an entry point of the user's
// drops the image's command, variables are joined by name, ports and volumes are united.
func mergeImage(spec engine.Spec, img engine.ImageConfig) engine.Spec {
	p := &spec.Process
	if len(p.Entrypoint) == 0 {
		if len(p.Cmd) == 0 {
			p.Cmd = img.Process.Cmd
		}
		if p.Entrypoint == nil {
			p.Entrypoint = img.Process.Entrypoint
		}
	}
	// An entry point of one empty string is how clients clear the image's.
	if len(p.Entrypoint) == 1 && p.Entrypoint[0] == "" {
		p.Entrypoint = nil
	}
	p.Env = mergeEnv(p.Env, img.Process.Env)
	p.WorkDir = first(p.WorkDir, img.Process.WorkDir)
	p.User = first(p.User, img.Process.User)
	spec.StopSignal = first(spec.StopSignal, img.StopSignal)
	if spec.StopTimeout == nil {
		spec.StopTimeout = img.StopTimeout
	}
	if len(spec.Shell) == 0 {
		spec.Shell = img.Shell
	}
	spec.ExposedPorts = union(spec.ExposedPorts, img.ExposedPorts)
	spec.VolumePaths = union(spec.VolumePaths, img.VolumePaths)
	spec.Health = mergeHealth(spec.Health, img.Health)
	return spec
}

// mergeLabels gives a container its image's labels under its own. What of them would reach into the host does not count.
func mergeLabels(own, image map[string]string) map[string]string {
	labels := map[string]string{}
	for key, value := range image {
		if !engine.NeedsPrivilege(key) {
			labels[key] = value
		}
	}
	maps.Copy(labels, own)
	return labels
}

// mergeEnv appends the image's variables that the user's do not name.
func mergeEnv(user, image []string) []string {
	named := map[string]bool{}
	for _, e := range user {
		k, _, _ := strings.Cut(e, "=")
		named[k] = true
	}
	merged := slices.Clone(user)
	for _, e := range image {
		if k, _, _ := strings.Cut(e, "="); !named[k] {
			merged = append(merged, e)
		}
	}
	return merged
}

// mergeHealth lets the user's check inherit each member that it leaves unset.
func mergeHealth(user, image *engine.HealthSpec) *engine.HealthSpec {
	if user == nil {
		return image
	}
	if image == nil {
		return user
	}
	h := *user
	if len(h.Test) == 0 {
		h.Test = image.Test
	}
	if h.Interval == 0 {
		h.Interval = image.Interval
	}
	if h.Timeout == 0 {
		h.Timeout = image.Timeout
	}
	if h.StartPeriod == 0 {
		h.StartPeriod = image.StartPeriod
	}
	if h.StartInterval == 0 {
		h.StartInterval = image.StartInterval
	}
	if h.Retries == 0 {
		h.Retries = image.Retries
	}
	return &h
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func union[T comparable](a, b []T) []T {
	out := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
