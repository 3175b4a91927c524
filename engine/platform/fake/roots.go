package fake

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Roots keeps roots that have no content. It implements lifecycle.Roots.
type Roots struct{ host *Host }

// Roots returns the host's roots.
func (h *Host) Roots() *Roots { return &Roots{h} }

// Driver is "fake".
func (r *Roots) Driver() string { return "fake" }

// Create makes a root.
func (r *Roots) Create(_ context.Context, id engine.ContainerID, top engine.LayerID, _ map[string]string) error {
	if err := r.host.enter("CreateRoot", id); err != nil {
		return err
	}
	defer r.host.mu.Unlock()
	r.host.roots[id] = &root{top: top}
	return nil
}

// Mount mounts it at a path that does not exist.
func (r *Roots) Mount(_ context.Context, id engine.ContainerID) (string, error) {
	if err := r.host.enter("MountRoot", id); err != nil {
		return "", err
	}
	defer r.host.mu.Unlock()
	root := r.host.roots[id]
	if root == nil {
		return "", notFound("mount", id)
	}
	root.mounted = true
	return "/fake/" + string(id), nil
}

// Unmount unmounts it.
func (r *Roots) Unmount(_ context.Context, id engine.ContainerID) error {
	if err := r.host.enter("UnmountRoot", id); err != nil {
		return err
	}
	defer r.host.mu.Unlock()
	if root := r.host.roots[id]; root != nil {
		root.mounted = false
	}
	return nil
}

// Remove forgets it.
func (r *Roots) Remove(_ context.Context, id engine.ContainerID) error {
	if err := r.host.enter("RemoveRoot", id); err != nil {
		return err
	}
	defer r.host.mu.Unlock()
	delete(r.host.roots, id)
	return nil
}

// Describe implements lifecycle.Roots.
func (r *Roots) Describe(_ context.Context, id engine.ContainerID) (map[string]string, error) {
	return map[string]string{"Root": string(id)}, nil
}

// Size says that nothing was written.
func (r *Roots) Size(_ context.Context, id engine.ContainerID) (engine.RootSize, error) {
	if err := r.host.enter("SizeRoot", id); err != nil {
		return engine.RootSize{}, err
	}
	defer r.host.mu.Unlock()
	if r.host.roots[id] == nil {
		return engine.RootSize{}, notFound("size", id)
	}
	return engine.RootSize{Total: 1}, nil
}

// Changes says that nothing was changed.
func (r *Roots) Changes(context.Context, engine.ContainerID) ([]engine.Change, error) {
	return nil, nil
}

// List names the roots.
func (r *Roots) List(context.Context) ([]engine.ContainerID, error) {
	if err := r.host.enter("ListRoots", ""); err != nil {
		return nil, err
	}
	defer r.host.mu.Unlock()
	var ids []engine.ContainerID
	for id := range r.host.roots {
		ids = append(ids, id)
	}
	return ids, nil
}
