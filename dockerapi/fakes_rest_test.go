package dockerapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/xcengine/xc/engine"
)

// networksInMemory keeps networks by name.
type networksInMemory struct {
	mu       sync.Mutex
	networks map[string]engine.NetworkDetail
	spec     engine.EndpointSpec
	query    engine.NetworkQuery
}

func noNetwork(ref string) error {
	return &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: ref}
}

func (m *networksInMemory) Create(_ context.Context, req engine.NetworkRequest) (engine.NetworkID, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.networks[req.Name]; ok {
		return "", "", &engine.Error{Op: "create", Kind: engine.Conflict, Resource: engine.ResourceNetwork, ID: req.Name, Reason: engine.ReasonNameTaken}
	}
	id := engine.NetworkID(engine.NewID())
	m.networks[req.Name] = engine.NetworkDetail{Network: engine.Network{ID: id, Name: req.Name, Driver: "bridge", Scope: "local", Created: made, Pools4: req.Pools, Labels: req.Labels, IPAMDriver: "default"}}
	return id, "slow", nil
}

func (m *networksInMemory) Inspect(_ context.Context, ref string) (engine.NetworkDetail, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.networks[ref]; ok {
		return n, nil
	}
	return engine.NetworkDetail{}, noNetwork(ref)
}

func (m *networksInMemory) List(_ context.Context, q engine.NetworkQuery) ([]engine.NetworkDetail, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.query = q
	var out []engine.NetworkDetail
	for _, name := range slices.Sorted(maps.Keys(m.networks)) {
		out = append(out, m.networks[name])
	}
	return out, nil
}

func (m *networksInMemory) Remove(_ context.Context, ref string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.networks[ref]
	switch {
	case !ok:
		return noNetwork(ref)
	case len(n.Attached) > 0:
		return &engine.Error{Op: "remove", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: ref, Reason: engine.ReasonHasEndpoints, Args: []string{"web", strings.Repeat("e", 64)}}
	}
	delete(m.networks, ref)
	return nil
}

func (m *networksInMemory) Prune(_ context.Context, _ engine.PruneQuery) (engine.PruneResult, error) {
	return engine.PruneResult{Deleted: []string{"old"}}, nil
}

func (m *networksInMemory) Connect(_ context.Context, ref, container string, spec engine.EndpointSpec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.networks[ref]
	if !ok {
		return noNetwork(ref)
	}
	m.spec = spec
	n.Attached = append(n.Attached, engine.AttachedEndpoint{
		Container: engine.ContainerID(container), ContainerName: "web",
		Endpoint: engine.Endpoint{ID: "e1", MAC: "02:42:00:00:00:01", IPv4: netip.MustParsePrefix("10.0.0.2/24")},
	})
	m.networks[ref] = n
	return nil
}

func (m *networksInMemory) Disconnect(_ context.Context, ref, container string, force bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.networks[ref]
	if !ok {
		return noNetwork(ref)
	}
	before := len(n.Attached)
	n.Attached = slices.DeleteFunc(slices.Clone(n.Attached), func(a engine.AttachedEndpoint) bool { return string(a.Container) == container })
	if len(n.Attached) == before && !force {
		return &engine.Error{Op: "disconnect", Kind: engine.Conflict, Resource: engine.ResourceEndpoint, ID: container, Reason: engine.ReasonNotConnected, Args: []string{ref}}
	}
	m.networks[ref] = n
	return nil
}

// volumesInMemory keeps volumes by name.
type volumesInMemory struct {
	mu      sync.Mutex
	volumes map[string]engine.Volume
	query   engine.VolumeQuery
	prune   engine.PruneQuery
}

func (m *volumesInMemory) Create(_ context.Context, req engine.VolumeRequest) (engine.Volume, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if req.Driver != "" && req.Driver != "local" {
		return engine.Volume{}, &engine.Error{Op: "create", Kind: engine.NotFound, Resource: engine.ResourceVolume, ID: req.Name, Reason: engine.ReasonDriverUnknown, Args: []string{req.Driver}}
	}
	v := engine.Volume{Name: req.Name, Driver: "local", Mountpoint: "/v/" + req.Name + "/_data", Created: made, Labels: req.Labels, Options: req.Options}
	m.volumes[v.Name] = v
	return v, nil
}

func (m *volumesInMemory) Inspect(_ context.Context, name string) (engine.Volume, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.volumes[name]; ok {
		return v, nil
	}
	return engine.Volume{}, &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceVolume, ID: name}
}

func (m *volumesInMemory) List(_ context.Context, q engine.VolumeQuery) ([]engine.Volume, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.query = q
	return slices.Collect(maps.Values(m.volumes)), nil
}

func (m *volumesInMemory) Remove(_ context.Context, name string, force bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.volumes[name]
	switch {
	case !ok && !force:
		return &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceVolume, ID: name}
	case name == "used":
		return &engine.Error{Op: "remove", Kind: engine.Conflict, Resource: engine.ResourceVolume, ID: name, Reason: engine.ReasonInUse, Args: []string{"c1", "c2"}}
	}
	delete(m.volumes, name)
	return nil
}

func (m *volumesInMemory) Prune(_ context.Context, q engine.PruneQuery) (engine.PruneResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prune = q
	return engine.PruneResult{Deleted: []string{"anon"}, Reclaimed: 7}, nil
}

// systemInMemory is a daemon that knows a little of itself and hands on the events it is given.
type systemInMemory struct {
	past  []engine.Event
	live  chan engine.Event
	query chan engine.EventQuery
}

func (m *systemInMemory) Info(context.Context) (engine.Info, error) {
	return engine.Info{
		ID: "i1", Name: "host", Version: "0.1", Containers: 3, Running: 1, SystemTime: made,
		Capabilities: engine.Capabilities{OSType: "freebsd", Architecture: "amd64", KernelVersion: "14.2-RELEASE", NCPU: 4, Runtime: "jail 14.2"},
	}, nil
}

func (m *systemInMemory) Subscribe(_ context.Context, q engine.EventQuery) ([]engine.Event, <-chan engine.Event, func(), error) {
	m.query <- q
	return m.past, m.live, func() {}, nil
}

func (m *systemInMemory) DiskUsage(context.Context) (engine.DiskUsage, error) {
	return engine.DiskUsage{LayersSize: 11, Volumes: []engine.VolumeUsage{{Volume: engine.Volume{Name: "v", Created: made}, Size: 5, RefCount: 1}}}, nil
}

// buildInMemory has an empty build cache.
type buildInMemory struct{ query engine.PruneQuery }

func (m *buildInMemory) Prune(_ context.Context, q engine.PruneQuery) (engine.PruneResult, error) {
	m.query = q
	return engine.PruneResult{}, nil
}

func (m *buildInMemory) Cancel(context.Context, string) error { return nil }

// Build takes a context that says what is to come of it.
func (m *buildInMemory) Build(_ context.Context, req engine.BuildRequest, report engine.BuildFunc) (engine.ImageID, error) {
	text, err := io.ReadAll(req.Context)
	if err != nil {
		return "", err
	}
	if string(text) == "bad" {
		return "", &engine.Error{Op: "build", Kind: engine.Invalid, Resource: engine.ResourceBuild, Err: errors.New("dockerfile parse error on line 1: bad")}
	}
	report(engine.BuildEvent{Kind: engine.BuildStep, N: 1, Total: 1, Text: "FROM a"})
	if string(text) == "fail" {
		return "", &engine.Error{Op: "build", Resource: engine.ResourceBuild, Reason: engine.ReasonStepFailed, Args: []string{"/bin/sh -c x", "3"}}
	}
	report(engine.BuildEvent{Kind: engine.BuildOutput, Stderr: true, Data: []byte("e\n")})
	report(engine.BuildEvent{Kind: engine.BuildResult, Image: "sha256:abc"})
	return "sha256:abc", nil
}

// all reads a stream to its end.
func all(r io.ReadCloser) (string, error) {
	var b bytes.Buffer
	_, err := io.Copy(&b, r)
	return b.String(), errors.Join(err, r.Close())
}
