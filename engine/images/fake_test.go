package images

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
)

// memoryLayers keeps layers as their tars, and holds callers to the contract of Layers: parents first, digests right,
// nothing half, nothing removed that something stands on.
type memoryLayers struct {
	mu    sync.Mutex
	all   map[engine.LayerID]memoryLayer
	roots map[engine.ContainerID]memoryRoot
	calls int // of Apply that did work
	fail  error
	gate  func() // called while a layer is applied
}

type memoryLayer struct {
	parent engine.LayerID
	tar    []byte
}

type memoryRoot struct {
	top  engine.LayerID
	diff []byte
}

func newMemoryLayers() *memoryLayers {
	return &memoryLayers{all: map[engine.LayerID]memoryLayer{}, roots: map[engine.ContainerID]memoryRoot{}}
}

func (m *memoryLayers) Driver() string { return "memory" }

func (m *memoryLayers) Has(_ context.Context, id engine.LayerID) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.all[id]
	return ok || id == "", nil
}

func (m *memoryLayers) Apply(ctx context.Context, parent engine.LayerID, diffID digest.Digest, diff io.Reader) (engine.LayerID, int64, error) {
	id := engine.LayerID(imageformat.ChainID(digest.Digest(parent), diffID))
	m.mu.Lock()
	_, have := m.all[id]
	_, stands := m.all[parent]
	gate, fail := m.gate, m.fail
	m.mu.Unlock()
	if have {
		return id, 0, nil
	}
	if parent != "" && !stands {
		return "", 0, fmt.Errorf("no layer %s to stand on", parent)
	}
	if gate != nil {
		gate()
	}
	if fail != nil {
		return "", 0, fail
	}
	tar, err := io.ReadAll(diff)
	if err != nil {
		return "", 0, err
	}
	if got := digest.FromBytes(tar); got != diffID {
		return "", 0, &imageformat.Error{Doc: "layer", Detail: fmt.Sprintf("it is %s instead of %s", got, diffID)}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	m.all[id] = memoryLayer{parent, tar}
	return id, int64(len(tar)), ctx.Err()
}

func (m *memoryLayers) Diff(_ context.Context, id engine.LayerID) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.all[id]
	if !ok {
		return nil, engine.NotFound
	}
	return io.NopCloser(bytes.NewReader(l.tar)), nil
}

func (m *memoryLayers) RootDiff(_ context.Context, id engine.ContainerID) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.roots[id]
	if !ok {
		return nil, engine.NotFound
	}
	return io.NopCloser(bytes.NewReader(r.diff)), nil
}

func (m *memoryLayers) Size(_ context.Context, id engine.LayerID) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.all[id]
	if !ok {
		return 0, engine.NotFound
	}
	return int64(len(l.tar)), nil
}

func (m *memoryLayers) Remove(_ context.Context, id engine.LayerID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.all {
		if l.parent == id {
			return &engine.Error{Kind: engine.Conflict, Reason: engine.ReasonInUse}
		}
	}
	for _, r := range m.roots {
		if r.top == id {
			return &engine.Error{Kind: engine.Conflict, Reason: engine.ReasonInUse}
		}
	}
	delete(m.all, id)
	return nil
}

func (m *memoryLayers) List(context.Context) ([]engine.LayerID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.all)), nil
}

func (m *memoryLayers) Describe(_ context.Context, id engine.LayerID) (map[string]string, error) {
	return map[string]string{"id": string(id)}, nil
}

func (m *memoryLayers) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.all)
}

// memoryStore keeps state as its own JSON, so that nothing is shared with the service by accident.
type memoryStore struct {
	mu    sync.Mutex
	state engine.ImageState
	fail  error
}

func (m *memoryStore) ImageState(context.Context) (engine.ImageState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return copyOf(m.state), nil
}

func copyOf[T any](v T) T {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out T
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

func (m *memoryStore) ChangeImages(_ context.Context, c engine.ImageChange) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	c = copyOf(c)
	s := copyOf(m.state)
	s.Names = slices.DeleteFunc(s.Names, func(n engine.ImageName) bool {
		return slices.ContainsFunc(c.DeleteNames, func(d engine.ImageName) bool { return d.Name == n.Name && d.Platform == n.Platform }) ||
			slices.Contains(c.Delete, n.Image)
	})
	s.Images = slices.DeleteFunc(s.Images, func(i engine.ImageRecord) bool { return slices.Contains(c.Delete, i.ID) })
	s.Blobs = slices.DeleteFunc(s.Blobs, func(b engine.BlobRecord) bool { return slices.Contains(c.DeleteBlobs, b.Digest) })
	for _, rec := range c.Put {
		if i := slices.IndexFunc(s.Images, func(o engine.ImageRecord) bool { return o.ID == rec.ID }); i >= 0 {
			if rec.Config == nil {
				rec.Config = s.Images[i].Config
			}
			s.Images[i] = rec
		} else {
			s.Images = append(s.Images, rec)
		}
	}
	for _, n := range c.PutNames {
		if !slices.ContainsFunc(s.Images, func(i engine.ImageRecord) bool { return i.ID == n.Image }) {
			return errors.New("a name of no image")
		}
		s.Names = slices.DeleteFunc(s.Names, func(o engine.ImageName) bool { return o.Name == n.Name && o.Platform == n.Platform })
		s.Names = append(s.Names, n)
	}
	for _, b := range c.PutBlobs {
		s.Blobs = slices.DeleteFunc(s.Blobs, func(o engine.BlobRecord) bool { return o.Digest == b.Digest })
		s.Blobs = append(s.Blobs, b)
	}
	m.state = s
	return nil
}

// memoryContainers is who uses images.
type memoryContainers struct {
	mu  sync.Mutex
	all []engine.Container
}

func (m *memoryContainers) ImageUsers(_ context.Context, id engine.ImageID) ([]engine.Container, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var users []engine.Container
	for _, c := range m.all {
		if c.Image == id {
			users = append(users, c)
		}
	}
	slices.SortStableFunc(users, func(a, b engine.Container) int {
		return boolInt(b.Status.State.Alive()) - boolInt(a.Status.State.Alive())
	})
	return users, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *memoryContainers) ForCommit(_ context.Context, ref string, _ bool) (engine.Container, func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.all {
		if c.Name == ref || string(c.ID) == ref {
			return c, func() {}, nil
		}
	}
	return engine.Container{}, nil, &engine.Error{Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: ref}
}

// memoryEvents keeps what was told.
type memoryEvents struct {
	mu  sync.Mutex
	all []engine.Event
}

func (m *memoryEvents) Publish(e engine.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, e)
}

// take returns what was told since the last time, as "action id name".
func (m *memoryEvents) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, e := range m.all {
		out = append(out, fmt.Sprintf("%s %s %s", e.Action, e.ID, e.Attributes["name"]))
	}
	m.all = nil
	return out
}
