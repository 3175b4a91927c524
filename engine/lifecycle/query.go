package lifecycle

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// all returns every container, newest first.
func (s *Service) all() []engine.Container {
	s.mu.RLock()
	units := make([]*unit, 0, len(s.units))
	for _, u := range s.units {
		units = append(units, u)
	}
	s.mu.RUnlock()
	list := make([]engine.Container, len(units))
	for i, u := range units {
		list[i] = u.snapshot()
	}
	slices.SortFunc(list, func(a, b engine.Container) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// users returns every container, those that are being created too.
func (s *Service) users() []engine.Container {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := slices.Collect(maps.Values(s.making))
	for _, u := range s.units {
		all = append(all, u.snapshot())
	}
	return all
}

// Inspect returns a container's record.
func (s *Service) Inspect(ctx context.Context, ref string) (engine.Container, error) {
	u, err := s.lookup(ref)
	if err != nil {
		return engine.Container{}, err
	}
	c := u.snapshot()
	u.mu.Lock()
	for id, e := range u.execs {
		if x := e.snapshot(); x.ExitCode == nil {
			c.Execs = append(c.Execs, id)
		}
	}
	u.mu.Unlock()
	s.nameLinks(&c)
	if c.Storage, err = s.Roots.Describe(ctx, c.ID); engine.KindOf(err) == engine.NotFound {
		err = nil // it is being removed
	}
	return c, wrap("inspect", c.Name, err)
}

// Size returns how large a container's root is.
func (s *Service) Size(ctx context.Context, ref string) (engine.RootSize, error) {
	u, err := s.lookup(ref)
	if err != nil {
		return engine.RootSize{}, err
	}
	return s.Roots.Size(ctx, u.snapshot().ID)
}

// Changes lists what differs between a container's root and its image.
func (s *Service) Changes(ctx context.Context, ref string) ([]engine.Change, error) {
	u, err := s.lookup(ref)
	if err != nil {
		return nil, err
	}
	return s.Roots.Changes(ctx, u.snapshot().ID)
}

// List returns the containers that fit the query, newest first.
func (s *Service) List(ctx context.Context, q engine.ContainerQuery) ([]engine.ContainerSummary, error) {
	m, err := s.matcher(ctx, q)
	if err != nil {
		return nil, err
	}
	var rows []engine.ContainerSummary
	means := map[named]engine.ImageID{}
	for _, c := range s.all() {
		if q.Limit > 0 && len(rows) == q.Limit {
			break
		}
		if !m.fits(c) {
			continue
		}
		if err := s.nameImage(ctx, &c, means); err != nil {
			return nil, err
		}
		s.nameLinks(&c)
		row := engine.ContainerSummary{Container: c, LinkedAs: s.linkNames(c)}
		if q.Size {
			size, err := s.Roots.Size(ctx, c.ID)
			if err != nil {
				if engine.KindOf(err) == engine.NotFound {
					continue // removed just now
				}
				return nil, err
			}
			row.Size = &size
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// named is what a container was made from.
type named struct {
	ref, platform string
}

// nameImage calls a listed container's image by its id when the reference that it was made from means another image now, or
// none. What references mean is kept in means.
func (s *Service) nameImage(ctx context.Context, c *engine.Container, means map[named]engine.ImageID) error {
	from := named{c.Spec.ImageRef, c.Platform.String()}
	id, asked := means[from]
	if !asked {
		img, err := s.Images.Lookup(ctx, c.Spec.ImageRef, &c.Platform)
		if err != nil && engine.KindOf(err) != engine.NotFound {
			return err
		}
		id, means[from] = img.ID, img.ID
	}
	if id != c.Image {
		c.Spec.ImageRef = string(c.Image)
	}
	return nil
}

// matcher is a query with its references resolved.
type matcher struct {
	q             engine.ContainerQuery
	names, ids    []*regexp.Regexp
	ancestors     map[engine.ImageID]bool
	before, since *engine.Container
	notRunning    bool // containers that do not run are wanted too
}

func (s *Service) matcher(ctx context.Context, q engine.ContainerQuery) (*matcher, error) {
	m := &matcher{q: q}
	m.notRunning = q.All || q.Limit > 0 || len(q.States) > 0
	invalid := func(err error) error {
		return &engine.Error{Op: "list", Kind: engine.Invalid, Resource: engine.ResourceContainer, Err: err}
	}
	for _, list := range []struct {
		from []string
		to   *[]*regexp.Regexp
	}{{q.Names, &m.names}, {q.IDs, &m.ids}} {
		for _, expr := range list.from {
			re, err := regexp.Compile(expr)
			if err != nil {
				return nil, invalid(err)
			}
			*list.to = append(*list.to, re)
		}
	}
	for _, bound := range []struct {
		ref string
		to  **engine.Container
	}{{q.Before, &m.before}, {q.Since, &m.since}} {
		if bound.ref == "" {
			continue
		}
		u, err := s.lookup(bound.ref)
		if err != nil {
			return nil, err
		}
		c := u.snapshot()
		*bound.to = &c
	}
	if len(q.Ancestors) > 0 {
		m.ancestors = map[engine.ImageID]bool{}
		for _, ref := range q.Ancestors {
			img, err := s.Images.Lookup(ctx, ref, nil)
			if err == nil {
				m.ancestors[img.ID] = true
			} else if engine.KindOf(err) != engine.NotFound {
				return nil, err
			}
		}
		if err := s.addDescendants(ctx, m.ancestors); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// addDescendants adds to some images those of containers that were made upon them, by a build or a commit.
func (s *Service) addDescendants(ctx context.Context, images map[engine.ImageID]bool) error {
	for _, c := range s.all() {
		for id := c.Image; id != "" && !images[c.Image]; {
			if images[id] {
				images[c.Image] = true
				break
			}
			img, err := s.Images.Lookup(ctx, string(id), nil)
			if engine.KindOf(err) == engine.NotFound {
				break
			}
			if err != nil {
				return err
			}
			id = img.Parent
		}
	}
	return nil
}

func (m *matcher) fits(c engine.Container) bool {
	q := m.q
	st := c.Status.State
	switch {
	case !m.notRunning && !st.Alive() && st != engine.StateRestarting,
		len(q.States) > 0 && !slices.Contains(q.States, st),
		len(q.Exited) > 0 && !(slices.Contains(q.Exited, c.Status.ExitCode) && !st.Alive() && !c.Status.Started.IsZero()),
		m.before != nil && !c.Created.Before(m.before.Created),
		m.since != nil && !c.Created.After(m.since.Created),
		m.ancestors != nil && !m.ancestors[c.Image],
		len(m.ids) > 0 && !slices.ContainsFunc(m.ids, func(re *regexp.Regexp) bool { return re.MatchString(string(c.ID)) }),
		len(m.names) > 0 && !slices.ContainsFunc(m.names, func(re *regexp.Regexp) bool {
			return re.MatchString("/"+c.Name) || re.MatchString(c.Name)
		}),
		!matchLabels(c.Spec.Labels, q.Labels, q.NotLabels),
		len(q.Health) > 0 && !slices.Contains(q.Health, healthOf(c)),
		len(q.Volumes) > 0 && !slices.ContainsFunc(c.Mounts, func(p engine.MountPoint) bool {
			return slices.Contains(q.Volumes, p.Name) && p.Name != "" || slices.Contains(q.Volumes, p.Target) || slices.Contains(q.Volumes, p.Source) && p.Source != ""
		}),
		len(q.Networks) > 0 && !usesNetwork(c, q.Networks),
		len(q.Published) > 0 && !slices.ContainsFunc(c.Ports, func(p engine.PublishedPort) bool {
			return inRanges(engine.Port{Number: p.HostPort, Proto: p.Port.Proto}, q.Published)
		}),
		len(q.Exposed) > 0 && !slices.ContainsFunc(c.Spec.ExposedPorts, func(p engine.Port) bool { return inRanges(p, q.Exposed) }),
		q.IsTask != nil && *q.IsTask:
		return false
	}
	return true
}

func healthOf(c engine.Container) engine.HealthStatus {
	if c.Status.Health == nil {
		return engine.HealthNone
	}
	return c.Status.Health.Status
}

func usesNetwork(c engine.Container, wanted []string) bool {
	for name, e := range c.Endpoints {
		for _, w := range wanted {
			if w == name || w != "" && strings.HasPrefix(string(e.Network), w) {
				return true
			}
		}
	}
	return false
}

func inRanges(p engine.Port, ranges []engine.PortRange) bool {
	return slices.ContainsFunc(ranges, func(r engine.PortRange) bool {
		return r.Proto == p.Proto && r.First <= p.Number && p.Number <= r.Last
	})
}

func matchLabels(labels map[string]string, want, not []engine.LabelMatch) bool {
	has := func(m engine.LabelMatch) bool {
		v, ok := labels[m.Key]
		return ok && (!m.HasValue || v == m.Value)
	}
	for _, m := range want {
		if !has(m) {
			return false
		}
	}
	return !slices.ContainsFunc(not, has)
}

// Counts returns how many containers there are in each state.
func (s *Service) Counts() map[engine.State]int {
	counts := map[engine.State]int{}
	for _, c := range s.all() {
		counts[c.Status.State]++
	}
	return counts
}

// ImageUsers returns the containers that need an image, running ones first: those made of it, and those that mount it.
func (s *Service) ImageUsers(_ context.Context, id engine.ImageID) ([]engine.Container, error) {
	var users []engine.Container
	for _, c := range s.users() {
		if imagesOf(c)[id] {
			users = append(users, c)
		}
	}
	slices.SortStableFunc(users, func(a, b engine.Container) int {
		switch x, y := a.Status.State.Alive(), b.Status.State.Alive(); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return users, nil
}

// ImageCounts returns how many containers need each image that is used.
func (s *Service) ImageCounts(context.Context) (map[engine.ImageID]int, error) {
	counts := map[engine.ImageID]int{}
	for _, c := range s.users() {
		for id := range imagesOf(c) {
			counts[id]++
		}
	}
	return counts, nil
}

// VolumeUsers returns the containers that have a volume mounted or would mount it.
func (s *Service) VolumeUsers(_ context.Context, name string) ([]engine.Container, error) {
	var users []engine.Container
	for _, c := range s.users() {
		if slices.ContainsFunc(c.Mounts, func(p engine.MountPoint) bool { return p.Kind == engine.MountVolume && p.Name == name }) {
			users = append(users, c)
		}
	}
	return users, nil
}

// ForCommit returns a container whose root is to be read; with pause it stands still until resume is called.
func (s *Service) ForCommit(ctx context.Context, ref string, pause bool) (engine.Container, func(), error) {
	u, unlock, err := s.operate(ctx, ref)
	if err != nil {
		return engine.Container{}, nil, err
	}
	c := u.snapshot()
	if c.Status.State != engine.StateRunning || !pause || !s.Runtime.Capabilities().Pause {
		return c, unlock, nil
	}
	if err := s.Runtime.Pause(ctx, c.ID); err != nil {
		unlock()
		return c, nil, wrap("commit", c.Name, err)
	}
	return c, func() {
		defer unlock()
		s.logged(ctx, "thaw after a commit", u, s.Runtime.Resume(context.WithoutCancel(ctx), c.ID))
	}, nil
}
