package overlay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/imageformat/layer"
)

// Name is the driver's name, as dockerd calls its own.
const Name = "overlay2"

// Driver implements layers.Driver.
type Driver struct{ paths }

var _ layers.Driver = (*Driver)(nil)

// Open makes the driver's directories below dir and tries whether overlayfs works there.
func Open(ctx context.Context, dir string) (*Driver, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d := &Driver{paths{abs}}
	for _, sub := range []string{d.layers(), d.roots(), d.stage(), d.empty()} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, err
		}
	}
	if err := d.try(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Name is "overlay2".
func (d *Driver) Name() string { return Name }

// Status says what the directories lie on, in dockerd's words.
func (d *Driver) Status() [][2]string {
	backing := "unknown"
	var fs unix.Statfs_t
	if err := unix.Statfs(d.layers(), &fs); err == nil {
		if name, ok := fsNames[int64(fs.Type)]; ok {
			backing = name
		}
	}
	// Open refuses to work where any of these were otherwise.
	return [][2]string{{"Backing Filesystem", backing}, {"Supports d_type", "true"}, {"Using metacopy", "false"}, {"Native Overlay Diff", "true"}, {"userxattr", "false"}}
}

// fsNames are the names that dockerd gives file systems (graphdriver.FsNames of moby).
var fsNames = map[int64]string{
	unix.BTRFS_SUPER_MAGIC: "btrfs", unix.EXT4_SUPER_MAGIC: "extfs", unix.F2FS_SUPER_MAGIC: "f2fs", unix.NFS_SUPER_MAGIC: "nfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.TMPFS_MAGIC: "tmpfs", unix.XFS_SUPER_MAGIC: "xfs", 0x2fc12fc1: "zfs",
}

// Traits: layers are independent of each other.
func (d *Driver) Traits() layers.Traits { return layers.Traits{Independent: true} }

// Recover removes what is not named: stages, layers without a record, roots without one.
func (d *Driver) Recover(_ context.Context, ids []engine.LayerID, roots []engine.ContainerID) (layers.Lost, error) {
	var lost layers.Lost
	if err := removeIn(d.stage(), nil); err != nil {
		return lost, err
	}
	known := map[string]bool{}
	for _, id := range ids {
		known[filepath.Base(d.layer(id))] = true
		if !exists(d.layer(id)) {
			lost.Layers = append(lost.Layers, id)
		}
	}
	if err := removeIn(d.layers(), known); err != nil {
		return lost, err
	}
	known = map[string]bool{}
	for _, id := range roots {
		known[string(id)] = true
		if !exists(d.root(id).merged()) {
			lost.Roots = append(lost.Roots, id)
		}
	}
	entries, err := os.ReadDir(d.roots())
	if err != nil {
		return lost, err
	}
	for _, e := range entries {
		if !known[e.Name()] {
			if err := d.removeRoot(d.root(engine.ContainerID(e.Name()))); err != nil {
				return lost, err
			}
		}
	}
	return lost, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func removeIn(dir string, keep map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if keep[e.Name()] {
			continue
		}
		if err := layer.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Stage makes an empty directory: the parent is not needed.
func (d *Driver) Stage(_ context.Context, id, parent engine.LayerID) (layers.Stage, error) {
	dir, err := os.MkdirTemp(d.stage(), "layer-")
	if err != nil {
		return layers.Stage{}, err
	}
	// The top layer's own attributes are those of the root.
	return layers.Stage{ID: id, Parent: parent, Dir: dir}, os.Chmod(dir, 0o755)
}

// Commit moves the stage to its place.
func (d *Driver) Commit(_ context.Context, s layers.Stage) error {
	if err := layer.Remove(d.layer(s.ID)); err != nil {
		return err
	}
	return os.Rename(s.Dir, d.layer(s.ID))
}

// Abort removes the stage.
func (d *Driver) Abort(_ context.Context, s layers.Stage) error { return layer.Remove(s.Dir) }

// RemoveLayer moves the layer out of the way first, so that nothing half is left under its name.
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

// LayerDirs are the layers' own directories.
func (d *Driver) LayerDirs(c layers.Chain) []string { return d.lowers(c) }

// LayerChanges reads the layer's marks.
func (d *Driver) LayerChanges(_ context.Context, c layers.Chain) (layer.Changes, func(), error) {
	return layer.OverlayChanges(d.layer(c[0]), nil), func() {}, nil
}

// Describe names the directories as dockerd does for an image.
func (d *Driver) Describe(c layers.Chain) map[string]string {
	if len(c) == 0 {
		return map[string]string{}
	}
	data := map[string]string{"UpperDir": d.layer(c[0])}
	if len(c) > 1 {
		data["LowerDir"] = strings.Join(d.lowers(c[1:]), ":")
	}
	return data
}

// DescribeRoot names the directories as dockerd does for a container.
func (d *Driver) DescribeRoot(r layers.RootSpec) map[string]string {
	at := d.root(r.ID)
	return map[string]string{
		"LowerDir": strings.Join(d.lowers(r.Chain), ":"), "UpperDir": at.upper(), "WorkDir": at.work(), "MergedDir": at.merged(),
	}
}

// try mounts an overlay and looks whether it behaves: a deletion and a replaced directory must leave the marks that layers
// are made of.
func (d *Driver) try(context.Context) (err error) {
	dir, err := os.MkdirTemp(d.stage(), "trial-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, layer.Remove(dir)) }()
	lower, second, at := filepath.Join(dir, "lower"), filepath.Join(dir, "second"), root{filepath.Join(dir, "root")}
	for _, p := range []string{lower, second, filepath.Join(lower, "gone"), filepath.Join(lower, "again"), at.dir, at.upper(), at.work(), at.merged()} {
		if err := os.Mkdir(p, 0o755); err != nil {
			return err
		}
	}
	if err := mount([]string{lower, second}, at); err != nil {
		return trialError(d.dir, err)
	}
	defer func() { err = errors.Join(err, unmount(at)) }()
	merged := at.merged()
	for _, name := range []string{"gone", "again"} {
		if err := os.Remove(filepath.Join(merged, name)); err != nil {
			return fmt.Errorf("overlayfs cannot delete on this file system: %w", err)
		}
	}
	if err := os.Mkdir(filepath.Join(merged, "again"), 0o755); err != nil {
		return fmt.Errorf("overlayfs cannot replace a directory on this file system: %w", err)
	}
	changes, err := layer.List(context.Background(), layer.OverlayChanges(at.upper(), []string{lower, second}))
	if err != nil {
		return err
	}
	if len(changes) != 1 || changes[0].Path != "/gone" || changes[0].Kind != layer.Deleted {
		return fmt.Errorf("overlayfs leaves no marks on this file system: %v", changes)
	}
	return nil
}

// trialError says why a mount failed where that can be seen.
func trialError(dir string, err error) error {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) == nil && st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return &engine.Error{Op: "mount", Kind: engine.Unavailable, Resource: engine.ResourcePath, ID: dir, Err: fmt.Errorf(
			"it is on overlayfs itself, which cannot hold another overlay's changes; choose a state directory on another file system, or the copy driver: %w", err)}
	}
	if errors.Is(err, unix.EPERM) {
		return &engine.Error{Op: "mount", Kind: engine.Unavailable, Resource: engine.ResourcePath, ID: dir, Err: fmt.Errorf(
			"overlayfs may not be mounted: %w", err)}
	}
	return &engine.Error{Op: "mount", Kind: engine.Unavailable, Resource: engine.ResourcePath, ID: dir, Err: err}
}
