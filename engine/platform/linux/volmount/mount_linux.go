package volmount

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Mounter mounts volumes. The zero Mounter is ready.
type Mounter struct{}

// Mount mounts a device at a directory. Nothing stays mounted after an error.
func (Mounter) Mount(ctx context.Context, fsType, device, options, target string) error {
	r, err := parse(ctx, fsType, device, options, target, lookup)
	if err != nil {
		return err
	}
	flags := r.flags &^ propagation
	if err := unix.Mount(r.device, r.target, r.fsType, flags, r.data); err != nil {
		return r.failed("mount", flags, err)
	}
	if err := r.finish(flags); err != nil {
		return errors.Join(err, unix.Unmount(target, unix.MNT_DETACH))
	}
	return nil
}

// finish makes the calls that the kernel wants apart from the first: how mounts propagate, and a bind's being read-only.
func (r request) finish(flags uintptr) error {
	if p := r.flags & (propagation | msRec); p&propagation != 0 {
		if err := unix.Mount("", r.target, "", p, ""); err != nil {
			return r.failed("remount", p, err)
		}
	}
	if flags&(msBind|msRdonly) == msBind|msRdonly {
		if err := unix.Mount("", r.target, "", flags|msRemount, ""); err != nil {
			return r.failed("remount-ro", flags|msRemount, err)
		}
	}
	return nil
}

// Unmount takes away what is mounted at a directory, all of it if several things are.
func (Mounter) Unmount(_ context.Context, target string) error {
	for {
		err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
		switch {
		case errors.Is(err, unix.EINVAL), errors.Is(err, fs.ErrNotExist): // not, or no longer, a mount point
			return nil
		case err != nil:
			return fmt.Errorf("unmount %s: %w", target, err)
		}
	}
}

// Mounted reports whether anything is mounted at a directory.
func (Mounter) Mounted(_ context.Context, target string) (bool, error) {
	mounted, err := mountinfo.Mounted(target)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return mounted, err
}

func lookup(ctx context.Context, host string) (netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	return addrs[0].Unmap(), nil
}
