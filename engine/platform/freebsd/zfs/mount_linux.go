package zfs

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// kernel mounts by mount(2), as mount.zfs does for a legacy mountpoint.
type kernel struct{}

// Mount mounts a dataset.
func (kernel) Mount(_ context.Context, dataset, path string, readOnly bool) error {
	var flags uintptr
	if readOnly {
		flags = unix.MS_RDONLY
	}
	if err := unix.Mount(dataset, path, "zfs", flags, ""); err != nil {
		return &os.PathError{Op: "mount " + dataset, Path: path, Err: err}
	}
	return nil
}

// Unmount leaves a mount that is in use: a dataset stays busy as long as anything of it is held.
func (kernel) Unmount(_ context.Context, path string) error {
	err := unix.Unmount(path, unix.UMOUNT_NOFOLLOW)
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // nothing is mounted there
		return nil
	}
	return &os.PathError{Op: "unmount", Path: path, Err: err}
}
