package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/platform/freebsd/iov"
)

// Mount makes a mount at a host path, noted in dir first. The error carries the kernel's text.
func Mount(dir, target string, w Wanted) error {
	if err := note(dir, target); err != nil {
		return err
	}
	l, flags := w.Encode(target)
	l, msg := l.Buffer("errmsg", 255)
	if _, err := iov.Call(unix.SYS_NMOUNT, l, flags); err != nil {
		if text := iov.Text(msg); text != "" {
			err = fmt.Errorf("%s: %w", text, err)
		}
		return fmt.Errorf("mount %s on %s: %w", w.FS, target, err)
	}
	return nil
}

// UnmountAll undoes every mount that is noted in dir, last first, by force where it is busy. What is not mounted any more is
// passed over. The journal stays until all of it is undone.
func UnmountAll(dir string) error {
	targets, err := noted(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range targets {
		err := unix.Unmount(t, 0)
		if errors.Is(err, unix.EBUSY) {
			err = unix.Unmount(t, flagForce)
		}
		// EINVAL and ENOENT: nothing is mounted there.
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", t, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return forget(dir)
}

// Verify reports whether the mount that was just made stands where it was meant to: a link that came into the path meanwhile
// would have led it elsewhere.
func Verify(target string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(target, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", target, err)
	}
	if at := unix.ByteSliceToString(st.Mntonname[:]); at != target {
		return fmt.Errorf("mount on %s: it came to stand on %s", target, at)
	}
	return nil
}

// VerifySubpath reports whether the mount that was just made is of what the volume has at the subpath. nmount(2) takes a path
// alone, which a link put there meanwhile leads out of the volume; what it then finds has another inode, generation or time of
// change, which nobody can choose.
func VerifySubpath(target string, w Wanted) error {
	if w.Subpath == "" {
		return nil
	}
	var err error
	for range subpathTries { // the time of change may move between two looks
		var is, want fs.FileInfo
		if is, err = os.Stat(target); err != nil {
			return err
		}
		if want, err = StatSubpath(w); err != nil {
			return err
		}
		a, b := is.Sys().(*syscall.Stat_t), want.Sys().(*syscall.Stat_t)
		if a.Ino == b.Ino && a.Gen == b.Gen && a.Ctimespec == b.Ctimespec && a.Mode == b.Mode {
			return nil
		}
	}
	return fmt.Errorf("mount on %s: it is not what %s has at %s", target, w.Source, w.Subpath)
}

const subpathTries = 3

// Sweep unmounts everything below a directory, the last mounted first: what a jail mounted by itself.
func Sweep(dir string) error {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	all := make([]unix.Statfs_t, n+16)
	if n, err = unix.Getfsstat(all, unix.MNT_NOWAIT); err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	var errs []error
	for i := n - 1; i >= 0; i-- {
		at := unix.ByteSliceToString(all[i].Mntonname[:])
		if !strings.HasPrefix(at, dir+"/") {
			continue
		}
		if err := unix.Unmount(at, flagForce); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", at, err))
		}
	}
	return errors.Join(errs...)
}
