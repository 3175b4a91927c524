package translate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-units"

	"github.com/xcengine/xc/engine"
)

// ListQuery is the query of a container list, with its limit still in text.
type ListQuery struct {
	All, Size            bool
	Limit, Before, Since string
	Filters              Filters
}

// ContainerQuery reads the query of a container list.
func ContainerQuery(l ListQuery) (engine.ContainerQuery, error) {
	f := l.Filters
	q := engine.ContainerQuery{All: l.All, Size: l.Size, Before: l.Before, Since: l.Since}
	if l.Limit != "" {
		n, err := strconv.Atoi(l.Limit)
		if err != nil {
			return q, faultf("%s", err)
		}
		q.Limit = max(n, 0)
	}
	err := f.Only("ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
		"publish", "since", "status", "volume")
	if err != nil {
		return q, err
	}
	q.IDs, q.Names = patterns(f["id"]), patterns(f["name"])
	q.Ancestors, q.Volumes, q.Networks, q.Labels = f["ancestor"], f["volume"], f["network"], f.Labels("label")
	for _, v := range f["before"] {
		q.Before = v
	}
	for _, v := range f["since"] {
		q.Since = v
	}
	if err := stateFilters(&q, f); err != nil {
		return q, err
	}
	if q.Published, err = portFilter("publish", f["publish"]); err != nil {
		return q, err
	}
	if q.Exposed, err = portFilter("expose", f["expose"]); err != nil {
		return q, err
	}
	q.IsTask, err = f.Bool("is-task")
	return q, err
}

// patterns makes every value a regular expression: one that is none stands for itself.
func patterns(values []string) []string {
	var out []string
	for _, v := range values {
		if _, err := regexp.Compile(v); err != nil {
			v = "^" + regexp.QuoteMeta(v) + "$"
		}
		out = append(out, v)
	}
	return out
}

func stateFilters(q *engine.ContainerQuery, f Filters) error {
	for _, v := range f["exited"] {
		code, err := strconv.Atoi(v)
		if err != nil {
			return invalidf("invalid filter 'exited=%s': %s", v, err)
		}
		q.Exited = append(q.Exited, code)
	}
	for _, v := range f["status"] {
		if err := container.ValidateContainerState(v); err != nil {
			return invalidf("invalid filter 'status=%s': %s", v, err)
		}
		q.States, q.All = append(q.States, engine.State(v)), true
	}
	for _, v := range f["health"] {
		if err := container.ValidateHealthStatus(v); err != nil {
			return invalidf("invalid filter 'health=%s': %s", v, err)
		}
		q.Health = append(q.Health, engine.HealthStatus(v))
	}
	return nil
}

// portFilter reads ports as "80", "80/tcp" or "8000-8080/udp"; dockerd answers 500 to what is none of them.
func portFilter(key string, values []string) ([]engine.PortRange, error) {
	var out []engine.PortRange
	for _, v := range values {
		if strings.Contains(v, ":") {
			return nil, faultf("filter for '%s' should not contain ':': %s", key, v)
		}
		r, ok := parsePorts(v)
		if !ok {
			return nil, faultf("error while looking up for %s %s: %s", key, v, portFault(v))
		}
		out = append(out, r)
	}
	return out, nil
}

// portFault says, as dockerd does, what is wrong with a port or range of ports.
func portFault(v string) string {
	numbers, _, _ := strings.Cut(v, "/")
	for n := range strings.SplitSeq(numbers, "-") {
		if _, err := strconv.ParseUint(n, 10, 16); err != nil {
			return err.Error()
		}
	}
	return "invalid range specified for port: " + numbers
}

// PruneQuery reads the filters of a container prune.
func PruneQuery(f Filters, now time.Time) (engine.PruneQuery, error) {
	if err := f.Only("label", "label!", "until"); err != nil {
		return engine.PruneQuery{}, err
	}
	until, err := f.Until(now)
	return engine.PruneQuery{Until: until, Labels: f.Labels("label"), NotLabels: f.Labels("label!")}, err
}

// Pruned answers a container prune.
func Pruned(r engine.PruneResult) container.PruneReport {
	return container.PruneReport{ContainersDeleted: r.Deleted, SpaceReclaimed: uint64(max(r.Reclaimed, 0))}
}

// Summaries renders a container list as of now.
func Summaries(rows []engine.ContainerSummary, v Version, now time.Time) []container.Summary {
	out := make([]container.Summary, 0, len(rows))
	for _, r := range rows {
		s := summary(r, now)
		apply(listRules, v, &s)
		out = append(out, s)
	}
	return out
}

func summary(r engine.ContainerSummary, now time.Time) container.Summary {
	c := r.Container
	s := container.Summary{
		ID: string(c.ID), Names: []string{}, Image: c.Spec.ImageRef, ImageID: string(c.Image), Command: command(c.Spec.Process.Args()),
		Created: c.Created.Unix(), Ports: portList(c), Labels: c.Spec.Labels, State: string(c.Status.State),
		Status: StatusText(c.Status, now), Mounts: mountPoints(c.Mounts),
		NetworkSettings: &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{}},
	}
	if c.Name != "" {
		s.Names = append(s.Names, "/"+c.Name)
	}
	for _, name := range r.LinkedAs {
		s.Names = append(s.Names, "/"+name)
	}
	slices.Sort(s.Names) // as dockerd's index has them
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	if r.Size != nil {
		s.SizeRw, s.SizeRootFs = r.Size.Writable, r.Size.Total
	}
	s.HostConfig.NetworkMode, s.HostConfig.Annotations = string(c.Spec.Network.Mode), c.Spec.Annotations
	for name, e := range c.Endpoints {
		full := endpointSettings(c, name, e)
		full.Links, full.Aliases, full.DriverOpts, full.DNSNames = nil, nil, nil, nil
		s.NetworkSettings.Networks[name] = full
	}
	return s
}

// command joins words as dockerd does, with quotes around an argument that has a space.
func command(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		if i > 0 && strings.Contains(a, " ") {
			a = "'" + a + "'"
		}
		words[i] = a
	}
	return strings.Join(words, " ")
}

// StatusText says in words how long a container has been in its state: "Up 2 seconds (healthy)".
func StatusText(s engine.Status, now time.Time) string {
	switch s.State {
	case engine.StatePaused:
		return "Up " + ago(s.Started, now) + " (Paused)"
	case engine.StateRestarting:
		return fmt.Sprintf("Restarting (%d) %s ago", s.ExitCode, ago(s.Finished, now))
	case engine.StateRunning:
		return "Up " + ago(s.Started, now) + healthText(s.Health)
	case engine.StateRemoving:
		return "Removal In Progress"
	case engine.StateDead:
		return "Dead"
	case engine.StateCreated:
		return "Created"
	}
	if s.Finished.IsZero() {
		return ""
	}
	return fmt.Sprintf("Exited (%d) %s ago", s.ExitCode, ago(s.Finished, now))
}

func ago(t, now time.Time) string { return units.HumanDuration(now.Sub(t)) }

func healthText(h *engine.Health) string {
	switch {
	case h == nil || h.Status == engine.HealthNone:
		return ""
	case h.Status == engine.HealthStarting || h.Status == "":
		return " (health: starting)"
	}
	return " (" + string(h.Status) + ")"
}
