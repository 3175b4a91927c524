// Package hostlock lets one process of a host at a time do what others must not do meanwhile: daemons that know nothing of each
// other look at the same host and change it. The lock is flock(2)'s on a file: the kernel drops it when the process ends,
// however that happens. The file is empty, and stays.
package hostlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Networks is the lock of who chooses subnets and makes the interfaces that show others the choice.
const Networks = "/var/run/xc-networks.lock"

// Take waits for the lock at path, as long as ctx lets it, and holds it until release is called.
func Take(ctx context.Context, path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 16*time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() {
				// A child that is just being started may hold the descriptor for a moment longer than this process.
				unix.Flock(int(f.Fd()), unix.LOCK_UN) //nolint:errcheck // closing does the same
				f.Close()
			}, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock %s: held by another process: %w", path, ctx.Err())
		case <-time.After(pause):
		}
	}
}
