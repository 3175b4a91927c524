package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/docker/go-units"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat/layer"
)

// Create makes a container's root upon a chain; the empty chain is an empty root. Of opts only "size" is known ("10G"), and
// only where the driver has quotas. A root that exists stays as it is.
func (s Roots) Create(ctx context.Context, id engine.ContainerID, top engine.LayerID, opts map[string]string) error {
	if err := checkRootID(id); err != nil {
		return &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer, ID: string(id), Err: err}
	}
	size, err := s.rootSize(opts)
	if err != nil {
		return err
	}
	defer s.locks.lock(id)()
	chain, err := s.enlist(id, rootRecord{Top: top, Size: size})
	if err != nil {
		return err
	}
	if err = s.settle(chain); err == nil {
		err = s.driver.CreateRoot(ctx, RootSpec{ID: id, Chain: chain, Size: size})
	}
	if err != nil {
		undo := s.driver.RemoveRoot(context.WithoutCancel(ctx), id)
		if undo == nil {
			undo = s.delist(id)
		}
		return rootError("create", id, errors.Join(err, undo))
	}
	return nil
}

func rootError(op string, id engine.ContainerID, err error) error {
	if err == nil {
		return nil
	}
	return &engine.Error{Op: op + " root", Kind: engine.KindOf(err), Resource: engine.ResourceContainer, ID: string(id), Err: err}
}

func (s *Store) rootSize(opts map[string]string) (int64, error) {
	var size int64
	for _, key := range slices.Sorted(maps.Keys(opts)) {
		unusable := &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceContainer}
		switch {
		case key != "size":
			unusable.Err = fmt.Errorf("unknown storage option %q", key)
			return 0, unusable
		case !s.traits.Quota:
			unusable.Reason = engine.ReasonUnsupported
			unusable.Args = []string{"--storage-opt size", "the storage driver " + s.driver.Name() + " has no quotas"}
			return 0, unusable
		}
		n, err := units.RAMInBytes(opts[key])
		if err == nil && n < 0 {
			err = fmt.Errorf("invalid size: %q", opts[key])
		}
		if err != nil {
			unusable.Err = fmt.Errorf("storage option size: %w", err)
			return 0, unusable
		}
		size = n
	}
	return size, nil
}

// enlist writes the record of a root before anything is made, so that what remains after a crash has a name.
func (s *Store) enlist(id engine.ContainerID, rec rootRecord) (Chain, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.roots[id]; ok {
		if have != rec {
			return nil, &engine.Error{
				Op: "create root", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: string(id), Err: errors.New("it exists upon another layer"),
			}
		}
		c, _ := s.chain(rec.Top)
		return c, nil
	}
	c, whole := s.chain(rec.Top)
	if !whole {
		return nil, &engine.Error{Op: "create root", Kind: engine.NotFound, Resource: engine.ResourceLayer, ID: string(rec.Top)}
	}
	if err := s.rootRecords.put(string(id), rec); err != nil {
		return nil, rootError("create", id, err)
	}
	s.roots[id] = rec
	s.hold(rec.Top)
	return c, nil
}

func (s *Store) delist(id engine.ContainerID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.roots[id]
	if !ok {
		return nil
	}
	if err := s.rootRecords.remove(string(id)); err != nil {
		return err
	}
	delete(s.roots, id)
	s.unhold(rec.Top)
	return nil
}

// root finds a root's record.
func (s *Store) root(op string, id engine.ContainerID) (RootSpec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.roots[id]
	if !ok {
		return RootSpec{}, &engine.Error{Op: op + " root", Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: string(id)}
	}
	c, whole := s.chain(rec.Top)
	if !whole {
		return RootSpec{}, &engine.Error{
			Op: op + " root", Kind: engine.Internal, Resource: engine.ResourceContainer, ID: string(id), Err: errors.New("layers of its image are lost"),
		}
	}
	return RootSpec{ID: id, Chain: c, Size: rec.Size}, nil
}

// Mount makes the root usable at the returned host path. Mounting a mounted root tells its path.
func (s Roots) Mount(ctx context.Context, id engine.ContainerID) (string, error) {
	defer s.locks.lock(id)()
	r, err := s.root("mount", id)
	if err != nil {
		return "", err
	}
	path, err := s.driver.MountRoot(ctx, r)
	return path, rootError("mount", id, err)
}

// Fill applies an uncompressed layer's tar to a root that nothing uses yet, as an image's layers are applied. After an error part
// of it may stay. diff must end when ctx does.
func (s Roots) Fill(ctx context.Context, id engine.ContainerID, diff io.Reader) error {
	defer s.locks.lock(id)()
	r, err := s.root("fill", id)
	if err != nil {
		return err
	}
	path, err := s.driver.MountRoot(ctx, r)
	if err == nil {
		_, err = layer.Apply(ctx, path, diff, layer.ApplyOptions{})
	}
	return rootError("fill", id, errors.Join(err, s.driver.UnmountRoot(context.WithoutCancel(ctx), id)))
}

// Unmount unmounts the root, if it is mounted.
func (s Roots) Unmount(ctx context.Context, id engine.ContainerID) error {
	if checkRootID(id) != nil {
		return nil
	}
	defer s.locks.lock(id)()
	return rootError("unmount", id, s.driver.UnmountRoot(ctx, id))
}

// Remove unmounts and removes the root, if there is one.
func (s Roots) Remove(ctx context.Context, id engine.ContainerID) error {
	if checkRootID(id) != nil {
		return nil
	}
	defer s.locks.lock(id)()
	if err := s.driver.RemoveRoot(ctx, id); err != nil {
		return rootError("remove", id, err)
	}
	return rootError("remove", id, s.delist(id))
}

// List names every root, sorted.
func (s Roots) List(context.Context) ([]engine.ContainerID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.roots)), nil
}

// Describe is what inspect shows as GraphDriver.Data of a container.
func (s Roots) Describe(_ context.Context, id engine.ContainerID) (map[string]string, error) {
	r, err := s.root("describe", id)
	if err != nil {
		return nil, err
	}
	return s.driver.DescribeRoot(r), nil
}

// Size says how much the container wrote and how large its root is with its image, in bytes.
func (s Roots) Size(ctx context.Context, id engine.ContainerID) (engine.RootSize, error) {
	r, err := s.root("size", id)
	if err != nil {
		return engine.RootSize{}, err
	}
	written, err := s.driver.RootUsage(ctx, r)
	if err != nil {
		return engine.RootSize{}, rootError("size", id, err)
	}
	total := written
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range r.Chain {
		total += s.layers[l].Size
	}
	return engine.RootSize{Writable: written, Total: total}, nil
}

// Changes lists what the container changed, sorted by path.
func (s Roots) Changes(ctx context.Context, id engine.ContainerID) ([]engine.Change, error) {
	changes, release, err := s.rootChanges(ctx, "compare", id)
	if err != nil {
		return nil, err
	}
	defer release()
	list, err := layer.List(ctx, changes)
	if err != nil {
		return nil, rootError("compare", id, err)
	}
	out := make([]engine.Change, len(list))
	for i, c := range list {
		out[i] = engine.Change{Path: c.Path, Kind: changeKinds[c.Kind]}
	}
	return out, nil
}

var changeKinds = map[layer.Kind]engine.ChangeKind{
	layer.Modified: engine.ChangeModified, layer.Added: engine.ChangeAdded, layer.Deleted: engine.ChangeDeleted,
}

func (s *Store) rootChanges(ctx context.Context, op string, id engine.ContainerID) (layer.Changes, func(), error) {
	r, err := s.root(op, id)
	if err != nil {
		return nil, nil, err
	}
	changes, release, err := s.driver.RootChanges(ctx, r)
	if err != nil {
		return nil, nil, rootError(op, id, err)
	}
	return layer.Without(changes, EngineFiles), release, nil
}

// EngineFiles, by their paths in the root, are what the engine keeps in every root for itself, as Docker does below its containers' own layer: files
// whose content is the engine's wherever they stand, and the places of kernel file systems.
var EngineFiles = map[string]bool{
	"etc/hosts": true, "etc/hostname": true, "etc/resolv.conf": true, "etc/mtab": true, ".dockerenv": true, "etc": true, "dev": true,
	"dev/console": true, "dev/pts": true, "dev/shm": true, "dev/mqueue": true, "dev/fd": true, "proc": true, "sys": true,
}

// RootDiff gives the uncompressed tar of what the container changed. Closing it early ends the work.
func (s Layers) RootDiff(ctx context.Context, id engine.ContainerID) (io.ReadCloser, error) {
	changes, release, err := s.rootChanges(ctx, "diff", id)
	if err != nil {
		return nil, err
	}
	return &diffStream{layer.NewTar(ctx, changes), release}, nil
}

type diffStream struct {
	io.ReadCloser
	release func()
}

// Close ends the work and lets go of what was read.
func (d *diffStream) Close() error {
	err := d.ReadCloser.Close()
	if d.release != nil {
		d.release()
		d.release = nil
	}
	return err
}
