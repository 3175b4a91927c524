package zfs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

// Flags of mount(2) that x/sys does not name alike on all systems.
const (
	flagReadOnly = 0x00000001
	flagForce    = 0x00080000
)

// kernel mounts by nmount(2), as mount_zfs does for a legacy mountpoint.
type kernel struct{}

// Mount mounts a dataset.
func (kernel) Mount(_ context.Context, dataset, path string, readOnly bool) error {
	flags := 0
	if readOnly {
		flags = flagReadOnly
	}
	l, msg := iov.List{}.String("fstype", "zfs").String("fspath", path).String("from", dataset).Buffer("errmsg", 255)
	_, err := iov.Call(unix.SYS_NMOUNT, l, flags)
	if err == nil {
		return nil
	}
	if text := iov.Text(msg); text != "" {
		err = fmt.Errorf("%s: %w", text, err)
	}
	return &os.PathError{Op: "mount " + dataset, Path: path, Err: err}
}

// Unmount takes the mount from whoever uses it.
func (kernel) Unmount(_ context.Context, path string) error {
	err := unix.Unmount(path, 0)
	if errors.Is(err, unix.EBUSY) {
		err = unix.Unmount(path, flagForce)
	}
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // nothing is mounted there
		return nil
	}
	return &os.PathError{Op: "unmount", Path: path, Err: err}
}
