package volmount

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

// Mounter mounts volumes. The zero Mounter is ready.
type Mounter struct{}

// Mount mounts a device at a directory. Nothing stays mounted after an error.
func (Mounter) Mount(ctx context.Context, fsType, device, options, target string) error {
	r, err := render(fsType, device, options, target)
	if err != nil {
		return err
	}
	if r.nfs != nil {
		out, err := exec.CommandContext(ctx, "/sbin/mount_nfs", r.nfs...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("mount_nfs %s: %w: %s", strings.Join(r.nfs, " "), err, strings.TrimSpace(string(out)))
		}
		return nil
	}
	l, msg := r.list.Buffer("errmsg", 255)
	if _, err := iov.Call(unix.SYS_NMOUNT, l, 0); err != nil {
		if text := iov.Text(msg); text != "" {
			err = fmt.Errorf("%s: %w", text, err)
		}
		return fmt.Errorf("mount %s:%s: %w", device, target, err)
	}
	return nil
}

// Unmount takes away what is mounted at a directory, all of it if several things are.
func (m Mounter) Unmount(ctx context.Context, target string) error {
	for {
		mounted, err := m.Mounted(ctx, target)
		if err != nil || !mounted {
			return err
		}
		err = unix.Unmount(target, 0)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, fs.ErrNotExist) {
			return nil // taken away meanwhile
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", target, err)
		}
	}
}

// Mounted reports whether anything is mounted at a directory.
func (Mounter) Mounted(_ context.Context, target string) (bool, error) {
	real, err := filepath.EvalSymlinks(target)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(real, &st); err != nil {
		return false, fmt.Errorf("statfs %s: %w", real, err)
	}
	return unix.ByteSliceToString(st.Mntonname[:]) == real, nil
}
