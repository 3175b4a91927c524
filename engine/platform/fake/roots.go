package fake

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat"
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

// Fill notes the names that the tar has.
func (r *Roots) Fill(_ context.Context, id engine.ContainerID, diff io.Reader) error {
	if err := r.host.enter("FillRoot", id); err != nil {
		return err
	}
	defer r.host.mu.Unlock()
	root := r.host.roots[id]
	if root == nil {
		return notFound("fill", id)
	}
	for t := tar.NewReader(diff); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &imageformat.Error{Doc: "layer", Err: err}
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		root.files = append(root.files, fmt.Sprintf("%s %v %s", h.Name, h.FileInfo().Mode(), b))
	}
}

// Filled lists what was filled into a root, "name mode content".
func (h *Host) Filled(id engine.ContainerID) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if root := h.roots[id]; root != nil {
		return slices.Clone(root.files)
	}
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
