package mount

import (
	"errors"
	"fmt"

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
