package zfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/imageformat/layer"
)

// CreateRoot clones the chain. What the container may write counts beside what it was cloned of.
func (d *Driver) CreateRoot(ctx context.Context, r layers.RootSpec) error {
	var from engine.LayerID
	if len(r.Chain) > 0 {
		from = r.Chain[0]
	}
	var props []string
	if r.Size > 0 {
		var base int64
		if from != "" {
			var err error
			if base, err = d.bytes(ctx, d.layerSet(from)+snapshotName, "referenced"); err != nil {
				return err
			}
		}
		props = append(props, "refquota="+strconv.FormatInt(base+r.Size, 10))
	}
	err := d.fork(ctx, d.rootSet(r.ID), from, props...)
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}

func (d *Driver) bytes(ctx context.Context, dataset, property string) (int64, error) {
	text, err := d.tool.get(ctx, dataset, property)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("zfs says that %s of %s is %q", property, dataset, text)
	}
	return n, nil
}

// MountRoot mounts the root unless it is mounted.
func (d *Driver) MountRoot(ctx context.Context, r layers.RootSpec) (string, error) {
	path := d.rootPath(r.ID)
	p, unlock := d.at(path)
	defer unlock()
	p.temporary = false // whoever looks at it leaves it mounted
	err := d.mount(ctx, d.rootSet(r.ID), path, false)
	if errors.Is(err, errMissing) || errors.Is(err, os.ErrNotExist) {
		return "", &engine.Error{Op: "mount", Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: string(r.ID), Err: err}
	}
	return path, err
}

// UnmountRoot unmounts the root; while it is being looked at, it is left to the last who does.
func (d *Driver) UnmountRoot(ctx context.Context, id engine.ContainerID) error {
	path := d.rootPath(id)
	p, unlock := d.at(path)
	defer unlock()
	if p.count > 0 {
		p.temporary = true
		return nil
	}
	return d.release(ctx, path)
}

// RemoveRoot unmounts and destroys the root.
func (d *Driver) RemoveRoot(ctx context.Context, id engine.ContainerID) error {
	_, unlock := d.at(d.rootPath(id))
	defer unlock()
	if err := d.release(ctx, d.rootPath(id)); err != nil {
		return err
	}
	return d.destroy(ctx, d.rootSet(id))
}

// RootUsage is what the root does not share with what it was cloned of.
func (d *Driver) RootUsage(ctx context.Context, r layers.RootSpec) (int64, error) {
	return d.bytes(ctx, d.rootSet(r.ID), "used")
}

// RootChanges compares the root with its chain; it is mounted for that if it is not.
func (d *Driver) RootChanges(ctx context.Context, r layers.RootSpec) (layer.Changes, func(), error) {
	release, err := d.use(ctx, d.rootSet(r.ID), d.rootPath(r.ID), false)
	if err != nil {
		return nil, nil, err
	}
	return d.compare(ctx, d.rootPath(r.ID), release, r.Chain)
}
