// Package copy is the storage driver that works on every file system: a layer is a directory with all files of its chain,
// a root is a copy of one. Where the file system can share blocks between files (btrfs, XFS, ZFS), copies cost little; else
// each takes its full size. It implements layers.Driver.
//
// Below its directory:
//
//	layers/<algorithm>-<digest>/{files,since}
//	roots/<id>/{files,since}
//	stage/…                                     what is being made
//
// since is an empty file that was made when the copy was finished: by its change time the files that were touched
// afterwards are known, and only those are compared with the original's.
package copy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/imageformat/layer"
)

// Name is the driver's name.
const Name = "copy"

// Driver implements layers.Driver.
type Driver struct{ dir string }

var _ layers.Driver = (*Driver)(nil)

// Open makes the driver's directories below dir.
func Open(_ context.Context, dir string) (*Driver, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d := &Driver{abs}
	for _, sub := range []string{d.layers(), d.roots(), d.stage()} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Driver) layers() string { return filepath.Join(d.dir, "layers") }
func (d *Driver) roots() string  { return filepath.Join(d.dir, "roots") }
func (d *Driver) stage() string  { return filepath.Join(d.dir, "stage") }

func (d *Driver) layer(id engine.LayerID) string {
	return filepath.Join(d.layers(), strings.Replace(string(id), ":", "-", 1))
}

func (d *Driver) root(id engine.ContainerID) string { return filepath.Join(d.roots(), string(id)) }

// files and since are what a layer or root consists of.
func files(dir string) string { return filepath.Join(dir, "files") }
func since(dir string) string { return filepath.Join(dir, "since") }

// Name is "copy".
func (d *Driver) Name() string { return Name }

// Status tells where everything is kept.
func (d *Driver) Status() [][2]string { return [][2]string{{"Directory", d.dir}} }

// Traits: nothing out of the ordinary.
func (d *Driver) Traits() layers.Traits { return layers.Traits{} }

// Recover removes what is not named.
func (d *Driver) Recover(_ context.Context, ids []engine.LayerID, roots []engine.ContainerID) (layers.Lost, error) {
	var lost layers.Lost
	keep := map[string]bool{}
	for _, id := range ids {
		keep[d.layer(id)] = true
		if _, err := os.Lstat(files(d.layer(id))); err != nil {
			lost.Layers = append(lost.Layers, id)
		}
	}
	for _, id := range roots {
		keep[d.root(id)] = true
		if _, err := os.Lstat(files(d.root(id))); err != nil {
			lost.Roots = append(lost.Roots, id)
		}
	}
	for _, dir := range []string{d.stage(), d.layers(), d.roots()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return lost, err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if keep[path] {
				continue
			}
			if err := layer.Remove(path); err != nil {
				return lost, err
			}
		}
	}
	return lost, nil
}

// fork makes a stage with a copy of what from holds, or with nothing when from is empty.
func (d *Driver) fork(ctx context.Context, from string) (string, error) {
	dir, err := os.MkdirTemp(d.stage(), "new-")
	if err != nil {
		return "", err
	}
	if from == "" {
		if err = os.Mkdir(files(dir), 0o755); err == nil {
			err = os.Chmod(files(dir), 0o755)
		}
	} else {
		err = layer.Copy(ctx, files(dir), files(from))
	}
	if err == nil {
		err = os.WriteFile(since(dir), nil, 0o600)
	}
	if err != nil {
		return "", errors.Join(err, layer.Remove(dir))
	}
	return dir, nil
}

// place moves a stage to where it is to be, in the place of what is left of an earlier one.
func place(stage, to string) error {
	if err := layer.Remove(to); err != nil {
		return err
	}
	return os.Rename(stage, to)
}

// Stage copies the parent.
func (d *Driver) Stage(ctx context.Context, id, parent engine.LayerID) (layers.Stage, error) {
	from := ""
	if parent != "" {
		from = d.layer(parent)
	}
	dir, err := d.fork(ctx, from)
	if err != nil {
		return layers.Stage{}, err
	}
	return layers.Stage{ID: id, Parent: parent, Dir: files(dir)}, nil
}

// Commit moves the stage to its place.
func (d *Driver) Commit(_ context.Context, s layers.Stage) error {
	return place(filepath.Dir(s.Dir), d.layer(s.ID))
}

// Abort removes the stage.
func (d *Driver) Abort(_ context.Context, s layers.Stage) error {
	return layer.Remove(filepath.Dir(s.Dir))
}

// RemoveLayer removes the layer, which is not seen any more from the first moment.
func (d *Driver) RemoveLayer(_ context.Context, id engine.LayerID) error {
	return d.discard(d.layer(id))
}

func (d *Driver) discard(path string) error {
	away, err := os.MkdirTemp(d.stage(), "removed-")
	if err != nil {
		return err
	}
	err = os.Rename(path, filepath.Join(away, "x"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, layer.Remove(away))
}

// LayerDirs: no layer is on its own.
func (d *Driver) LayerDirs(layers.Chain) []string { return nil }

// LayerChanges compares the layer with its parent.
func (d *Driver) LayerChanges(_ context.Context, c layers.Chain) (layer.Changes, func(), error) {
	return d.changes(d.layer(c[0]), c[1:])
}

func (d *Driver) changes(dir string, below layers.Chain) (layer.Changes, func(), error) {
	old := ""
	var hints layer.TreeHints
	if len(below) > 0 {
		old = files(d.layer(below[0]))
		var st unix.Stat_t
		if err := unix.Lstat(since(dir), &st); err != nil {
			return nil, nil, &os.PathError{Op: "lstat", Path: since(dir), Err: err}
		}
		hints.Since = time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec)) //nolint:unconvert // 32 bits on some systems
	}
	return layer.TreeChanges(old, files(dir), hints), func() {}, nil
}

// Describe names the layer's directory.
func (d *Driver) Describe(c layers.Chain) map[string]string {
	if len(c) == 0 {
		return map[string]string{}
	}
	return map[string]string{"Dir": files(d.layer(c[0]))}
}

// DescribeRoot names the root's directory.
func (d *Driver) DescribeRoot(r layers.RootSpec) map[string]string {
	return map[string]string{"Dir": files(d.root(r.ID))}
}

// CreateRoot copies the chain's files.
func (d *Driver) CreateRoot(ctx context.Context, r layers.RootSpec) error {
	if _, err := os.Lstat(d.root(r.ID)); err == nil {
		return nil
	}
	from := ""
	if len(r.Chain) > 0 {
		from = d.layer(r.Chain[0])
	}
	stage, err := d.fork(ctx, from)
	if err != nil {
		return err
	}
	if err := place(stage, d.root(r.ID)); err != nil {
		return errors.Join(err, layer.Remove(stage))
	}
	return nil
}

// MountRoot tells where the root is: there is nothing to mount.
func (d *Driver) MountRoot(_ context.Context, r layers.RootSpec) (string, error) {
	path := files(d.root(r.ID))
	if _, err := os.Lstat(path); err != nil {
		kind := engine.Internal
		if errors.Is(err, os.ErrNotExist) {
			kind = engine.NotFound
		}
		return "", &engine.Error{Op: "mount", Kind: kind, Resource: engine.ResourceContainer, ID: string(r.ID), Err: err}
	}
	return path, nil
}

// UnmountRoot does nothing.
func (d *Driver) UnmountRoot(context.Context, engine.ContainerID) error { return nil }

// RemoveRoot removes the copy.
func (d *Driver) RemoveRoot(_ context.Context, id engine.ContainerID) error {
	return d.discard(d.root(id))
}

// RootUsage adds up what differs from the chain: the copies of what does not are not the container's doing.
func (d *Driver) RootUsage(ctx context.Context, r layers.RootSpec) (int64, error) {
	changes, release, err := d.RootChanges(ctx, r)
	if err != nil {
		return 0, err
	}
	defer release()
	return layer.SizeOf(ctx, layer.Without(changes, layers.EngineFiles))
}

// RootChanges compares the root with its chain.
func (d *Driver) RootChanges(_ context.Context, r layers.RootSpec) (layer.Changes, func(), error) {
	return d.changes(d.root(r.ID), r.Chain)
}
