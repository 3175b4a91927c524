package zfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/imageformat/layer"
)

// Name is the driver's name.
const Name = "zfs"

// ownerProperty marks what is ours.
const ownerProperty = "xc:owner"

// snapshotName is the one snapshot of a chain.
const snapshotName = "@0"

// Config says where the driver keeps its datasets.
type Config struct {
	// Images and Containers are datasets of one pool that exist; an empty Containers is Images.
	Images, Containers string
	Dir                string // mount points are made below it
	Owner              engine.Owner
	Run                runner.Runner // nil: on this host
	Bin                string        // zfs(8); empty is /sbin/zfs
	Mounter            Mounter       // nil: the kernel
}

// Mounter mounts datasets whose mountpoint is legacy.
type Mounter interface {
	Mount(ctx context.Context, dataset, path string, readOnly bool) error
	// Unmount succeeds when nothing is mounted there. An error that is EBUSY says that the mount is in use and stays.
	Unmount(ctx context.Context, path string) error
}

// Driver implements layers.Driver.
type Driver struct {
	tool       tool
	mounter    Mounter
	dir        string
	images     string // of this daemon alone
	containers string

	mu     sync.Mutex
	places map[string]*place // mount points in use
}

var _ layers.Driver = (*Driver)(nil)

// Open makes the daemon's own datasets below the configured ones. Without a configured dataset, or without ZFS, it is
// Unavailable.
func Open(ctx context.Context, cfg Config) (*Driver, error) {
	if cfg.Images == "" {
		return nil, unavailable(errors.New("no dataset is configured"))
	}
	if cfg.Containers == "" {
		cfg.Containers = cfg.Images
	}
	if pool(cfg.Images) != pool(cfg.Containers) {
		return nil, unavailable(fmt.Errorf("%s and %s are in different pools, and a root is a clone of its image", cfg.Images, cfg.Containers))
	}
	d := &Driver{
		tool: tool{run: cfg.Run, bin: cfg.Bin}, mounter: cfg.Mounter, dir: cfg.Dir, places: map[string]*place{},
		images: cfg.Images + "/" + string(cfg.Owner), containers: cfg.Containers + "/" + string(cfg.Owner),
	}
	if d.tool.run == nil {
		d.tool.run = runner.Host{}
	}
	if d.tool.bin == "" {
		d.tool.bin = "/sbin/zfs"
		if _, here := d.tool.run.(runner.Host); here {
			d.tool.device = openDevice()
		}
	}
	if d.mounter == nil {
		d.mounter = kernel{}
	}
	for _, dataset := range []string{d.images, d.containers} {
		if err := d.claim(ctx, dataset, cfg.Owner); err != nil {
			return nil, unavailable(err)
		}
	}
	for _, dir := range []string{d.stages(), d.views(), d.roots()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Cleanup destroys the daemon's own datasets with all that is in them. Call it after a Recover that named nothing, which unmounts.
func (d *Driver) Cleanup(ctx context.Context) error {
	err := d.destroy(ctx, d.containers) // clones before what they are of
	if d.images != d.containers {
		err = errors.Join(err, d.destroy(ctx, d.images))
	}
	return err
}

func unavailable(err error) error {
	return &engine.Error{Op: "open zfs", Kind: engine.Unavailable, Err: err}
}

func pool(dataset string) string {
	name, _, _ := strings.Cut(dataset, "/")
	return name
}

// claim makes the daemon's own dataset, or checks that the one that is there is its own.
func (d *Driver) claim(ctx context.Context, dataset string, owner engine.Owner) error {
	have, err := d.tool.get(ctx, dataset, ownerProperty)
	switch {
	case errors.Is(err, errMissing):
		return d.tool.create(ctx, dataset, "mountpoint=legacy", "canmount=noauto", "atime=off", ownerProperty+"="+string(owner))
	case err != nil:
		return err
	case have != string(owner):
		return fmt.Errorf("%s belongs to %q", dataset, have)
	}
	return nil
}

func (d *Driver) stages() string { return filepath.Join(d.dir, "stage") }
func (d *Driver) views() string  { return filepath.Join(d.dir, "layers") }
func (d *Driver) roots() string  { return filepath.Join(d.dir, "roots") }

const (
	layerPrefix = "/l-"
	rootPrefix  = "/r-"
)

func (d *Driver) layerSet(id engine.LayerID) string {
	return d.images + layerPrefix + strings.Replace(string(id), ":", "-", 1)
}

func (d *Driver) rootSet(id engine.ContainerID) string { return d.containers + rootPrefix + string(id) }

func (d *Driver) rootPath(id engine.ContainerID) string { return filepath.Join(d.roots(), string(id)) }

func (d *Driver) viewPath(id engine.LayerID) string {
	return filepath.Join(d.views(), strings.Replace(string(id), ":", "-", 1))
}

func (d *Driver) stagePath(id engine.LayerID) string {
	return filepath.Join(d.stages(), strings.Replace(string(id), ":", "-", 1))
}

// Name is "zfs".
func (d *Driver) Name() string { return Name }

// Status names the datasets that everything is below.
func (d *Driver) Status() [][2]string {
	pool, _, _ := strings.Cut(d.images, "/")
	return [][2]string{{"Zpool", pool}, {"Parent Dataset", d.images}, {"Containers Dataset", d.containers}}
}

// Traits: a snapshot is on disk when it is made, and refquota bounds a root.
func (d *Driver) Traits() layers.Traits { return layers.Traits{Durable: true, Quota: true} }

// Recover looks once at all datasets of this daemon's.
func (d *Driver) Recover(ctx context.Context, ids []engine.LayerID, roots []engine.ContainerID) (layers.Lost, error) {
	var lost layers.Lost
	names, err := d.tool.list(ctx, d.images)
	if err == nil && d.containers != d.images {
		var more []string
		more, err = d.tool.list(ctx, d.containers)
		names = append(names, more...)
	}
	if err != nil {
		return lost, err
	}
	there := map[string]bool{}
	for _, n := range names {
		there[n] = true
	}
	keep := map[string]bool{}
	for _, id := range ids {
		keep[d.layerSet(id)] = true
		if !there[d.layerSet(id)+snapshotName] {
			lost.Layers = append(lost.Layers, id)
		}
	}
	for _, id := range roots {
		keep[d.rootSet(id)] = true
		if !there[d.rootSet(id)] {
			lost.Roots = append(lost.Roots, id)
		}
	}
	if err := d.unmountLeft(ctx, keep); err != nil {
		return lost, err
	}
	return lost, d.destroyLeft(ctx, names, keep)
}

// unmountLeft unmounts stages, views and roots without a record, and removes their mount points.
func (d *Driver) unmountLeft(ctx context.Context, keep map[string]bool) error {
	for _, dir := range []string{d.stages(), d.views(), d.roots()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if dir == d.roots() && keep[d.rootSet(engine.ContainerID(e.Name()))] {
				continue
			}
			if err := d.release(ctx, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// destroyLeft destroys what nobody has a record of: roots first, then layers from the top, which is known from the order
// in which nothing stands in the way any more.
func (d *Driver) destroyLeft(ctx context.Context, names []string, keep map[string]bool) error {
	var left []string
	for _, n := range names {
		base := strings.HasPrefix(n, d.images+layerPrefix) || strings.HasPrefix(n, d.containers+rootPrefix)
		if base && !keep[n] && !strings.Contains(n, "@") {
			left = append(left, n)
		}
	}
	return patiently(ctx, func() error {
		for {
			again, failed := d.destroyEach(ctx, left)
			if len(again) == len(left) {
				return failed
			}
			left = again
		}
	})
}

// destroyEach destroys what can be and returns what cannot yet.
func (d *Driver) destroyEach(ctx context.Context, datasets []string) (left []string, err error) {
	for _, n := range datasets {
		if failed := d.tool.destroy(ctx, n); failed != nil {
			left, err = append(left, n), failed
		}
	}
	return left, err
}

// Stage makes the chain's dataset, a clone of its parent or empty, and mounts it.
func (d *Driver) Stage(ctx context.Context, id, parent engine.LayerID) (layers.Stage, error) {
	s := layers.Stage{ID: id, Parent: parent, Dir: d.stagePath(id)}
	err := d.fork(ctx, d.layerSet(id), parent)
	if errors.Is(err, errTaken) { // left by a daemon that was killed
		if err = d.Abort(ctx, s); err == nil {
			err = d.fork(ctx, d.layerSet(id), parent)
		}
	}
	if err == nil {
		err = d.mount(ctx, d.layerSet(id), s.Dir, false)
	}
	if err != nil {
		return layers.Stage{}, errors.Join(err, d.Abort(context.WithoutCancel(ctx), s))
	}
	return s, nil
}

// fork makes a dataset of a chain, or an empty one.
func (d *Driver) fork(ctx context.Context, dataset string, from engine.LayerID, props ...string) error {
	props = append(props, "canmount=noauto")
	if from == "" {
		return d.tool.create(ctx, dataset, props...)
	}
	return d.tool.clone(ctx, d.layerSet(from)+snapshotName, dataset, props...)
}

// Commit unmounts the stage and snapshots it. The snapshot is what makes it a layer.
func (d *Driver) Commit(ctx context.Context, s layers.Stage) error {
	if err := d.release(ctx, s.Dir); err != nil {
		return err
	}
	return d.tool.snapshot(ctx, d.layerSet(s.ID)+snapshotName)
}

// Abort removes the stage.
func (d *Driver) Abort(ctx context.Context, s layers.Stage) error {
	if err := d.release(ctx, s.Dir); err != nil {
		return err
	}
	return d.destroy(ctx, d.layerSet(s.ID))
}

// RemoveLayer destroys the chain's dataset.
func (d *Driver) RemoveLayer(ctx context.Context, id engine.LayerID) error {
	_, unlock := d.at(d.viewPath(id))
	defer unlock()
	if err := d.release(ctx, d.viewPath(id)); err != nil {
		return err
	}
	return d.destroy(ctx, d.layerSet(id))
}

// LayerDirs: no layer is on its own.
func (d *Driver) LayerDirs(layers.Chain) []string { return nil }

// Describe names the dataset as dockerd does.
func (d *Driver) Describe(c layers.Chain) map[string]string {
	if len(c) == 0 {
		return map[string]string{}
	}
	return map[string]string{"Dataset": d.layerSet(c[0])}
}

// DescribeRoot names the dataset and its mount point as dockerd does.
func (d *Driver) DescribeRoot(r layers.RootSpec) map[string]string {
	return map[string]string{"Dataset": d.rootSet(r.ID), "Mountpoint": d.rootPath(r.ID)}
}

// LayerChanges mounts the chain and its parent for reading and compares them.
func (d *Driver) LayerChanges(ctx context.Context, c layers.Chain) (layer.Changes, func(), error) {
	upper, release, err := d.view(ctx, c[0])
	if err != nil {
		return nil, nil, err
	}
	return d.compare(ctx, upper, release, c[1:])
}

// compare compares a mounted tree with the chain that it was cloned of.
func (d *Driver) compare(ctx context.Context, path string, release func(), below layers.Chain) (layer.Changes, func(), error) {
	if len(below) == 0 {
		return layer.TreeChanges("", path, layer.TreeHints{}), release, nil
	}
	lower, releaseLower, err := d.view(ctx, below[0])
	if err != nil {
		release()
		return nil, nil, err
	}
	return layer.TreeChanges(lower, path, layer.TreeHints{Snapshot: true}), func() { releaseLower(); release() }, nil
}
