package overlay

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/imageformat/layer"
)

// CreateRoot makes the root's directories; the mount point comes last and says that they are all there. The upper
// directory is what shows as the root itself, so it gets the attributes of the top layer's.
func (d *Driver) CreateRoot(_ context.Context, r layers.RootSpec) error {
	at := d.root(r.ID)
	if exists(at.merged()) {
		return nil
	}
	for _, dir := range []string{at.dir, at.upper(), at.work()} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if err := likeTop(at.upper(), d.lowers(r.Chain)[0]); err != nil {
		return err
	}
	return os.Mkdir(at.merged(), 0o755)
}

func likeTop(upper, top string) error {
	var st unix.Stat_t
	if err := unix.Lstat(top, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: top, Err: err}
	}
	if st.Uid != 0 || st.Gid != 0 {
		if err := os.Chown(upper, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if err := unix.Chmod(upper, st.Mode&0o7777); err != nil {
		return &os.PathError{Op: "chmod", Path: upper, Err: err}
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, upper, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "utimensat", Path: upper, Err: err}
	}
	return nil
}

// MountRoot mounts the root unless it is mounted.
func (d *Driver) MountRoot(_ context.Context, r layers.RootSpec) (string, error) {
	at := d.root(r.ID)
	is, err := mounted(at)
	if errors.Is(err, os.ErrNotExist) {
		return "", &engine.Error{Op: "mount", Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: string(r.ID), Err: err}
	}
	if err != nil || is {
		return at.merged(), err
	}
	return at.merged(), mount(d.lowers(r.Chain), at)
}

// mounted asks the kernel: a mounted overlay has a device of its own.
func mounted(at root) (bool, error) {
	var above, here unix.Stat_t
	if err := unix.Lstat(at.dir, &above); err != nil {
		return false, &os.PathError{Op: "lstat", Path: at.dir, Err: err}
	}
	if err := unix.Lstat(at.merged(), &here); err != nil {
		return false, &os.PathError{Op: "lstat", Path: at.merged(), Err: err}
	}
	return above.Dev != here.Dev, nil
}

// UnmountRoot detaches the mount at once; a process that still uses it keeps it for itself until it ends.
func (d *Driver) UnmountRoot(_ context.Context, id engine.ContainerID) error {
	return unmount(d.root(id))
}

// maxMounts bounds how many mounts one upon the other are taken off a mount point.
const maxMounts = 16

func unmount(at root) error {
	for range maxMounts {
		err := unix.Unmount(at.merged(), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // nothing is mounted there
			return nil
		}
		if err != nil {
			return &os.PathError{Op: "umount", Path: at.merged(), Err: err}
		}
	}
	return nil
}

// RemoveRoot unmounts and removes the root.
func (d *Driver) RemoveRoot(_ context.Context, id engine.ContainerID) error {
	return d.removeRoot(d.root(id))
}

func (d *Driver) removeRoot(at root) error {
	if err := unmount(at); err != nil {
		return err
	}
	// Without its mount point it is no root any more, however far the removal comes.
	if err := os.Remove(at.merged()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return layer.Remove(at.dir)
}

// RootUsage adds up the upper directory.
func (d *Driver) RootUsage(ctx context.Context, r layers.RootSpec) (int64, error) {
	return layer.Usage(ctx, d.root(r.ID).upper(), layers.EngineFiles)
}

// RootChanges compares the upper directory with the layers, mounted or not.
func (d *Driver) RootChanges(_ context.Context, r layers.RootSpec) (layer.Changes, func(), error) {
	return layer.OverlayChanges(d.root(r.ID).upper(), d.lowers(r.Chain)), func() {}, nil
}
