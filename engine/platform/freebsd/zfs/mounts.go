package zfs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// mount mounts a dataset at a path unless something is mounted there.
func (d *Driver) mount(ctx context.Context, dataset, path string, readOnly bool) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	is, err := mounted(path)
	if err != nil || is {
		return err
	}
	// A dataset that was unmounted a moment ago may still be held.
	if err := patiently(ctx, func() error { return d.mounter.Mount(ctx, dataset, path, readOnly) }); err != nil {
		return errors.Join(err, removeEmpty(path))
	}
	return nil
}

// mounted asks the kernel: a mounted dataset has a device of its own.
func mounted(path string) (bool, error) {
	var above, here unix.Stat_t
	if err := unix.Lstat(filepath.Dir(path), &above); err != nil {
		return false, &os.PathError{Op: "lstat", Path: filepath.Dir(path), Err: err}
	}
	if err := unix.Lstat(path, &here); err != nil {
		return false, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return above.Dev != here.Dev, nil
}

// How often and for how long at most something that is busy is tried again: processes that are just ending, and the
// indexers and backup tools of the host, let go soon.
const (
	busyPause = 100 * time.Millisecond
	busyTries = 30
)

// patiently repeats what fails because something is busy, within bounds. Afterwards the error is Unavailable.
func patiently(ctx context.Context, do func() error) error {
	var err error
	for range busyTries {
		err = do()
		if !errors.Is(err, errBusy) && !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(busyPause):
		}
	}
	return &engine.Error{Op: "wait", Kind: engine.Unavailable, Err: err}
}

// release unmounts a path and removes the mount point.
func (d *Driver) release(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	err := patiently(ctx, func() error { return d.mounter.Unmount(ctx, path) })
	if err != nil {
		return err
	}
	return removeEmpty(path)
}

// removeEmpty removes a mount point; os.Remove takes nothing but an empty directory.
func removeEmpty(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (d *Driver) destroy(ctx context.Context, dataset string) error {
	return patiently(ctx, func() error { return d.tool.destroy(ctx, dataset) })
}

// place is a mount point, with who looks at what is mounted there.
type place struct {
	mu        sync.Mutex
	callers   int // who has or waits for the lock; guarded by Driver.mu
	count     int
	temporary bool // it was mounted only to be looked at
}

// at locks a mount point.
func (d *Driver) at(path string) (p *place, unlock func()) {
	d.mu.Lock()
	p = d.places[path]
	if p == nil {
		p = &place{}
		d.places[path] = p
	}
	p.callers++
	d.mu.Unlock()
	p.mu.Lock()
	return p, func() {
		idle := p.count == 0
		p.mu.Unlock()
		d.mu.Lock()
		defer d.mu.Unlock()
		if p.callers--; p.callers == 0 && idle {
			delete(d.places, path)
		}
	}
}

// use keeps a dataset mounted at a path until release is called.
func (d *Driver) use(ctx context.Context, dataset, path string, readOnly bool) (release func(), err error) {
	p, unlock := d.at(path)
	defer unlock()
	if p.count == 0 {
		is, err := mounted(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if err := d.mount(ctx, dataset, path, readOnly); err != nil {
			return nil, err
		}
		p.temporary = !is
	}
	p.count++
	return sync.OnceFunc(func() { d.leave(context.WithoutCancel(ctx), path) }), nil
}

// leave ends one use. What stays mounted by an error here is unmounted when it is removed, or at the next start.
func (d *Driver) leave(ctx context.Context, path string) {
	p, unlock := d.at(path)
	defer unlock()
	if p.count--; p.count == 0 && p.temporary {
		_ = d.release(ctx, path)
	}
}

// view mounts a chain for reading.
func (d *Driver) view(ctx context.Context, id engine.LayerID) (path string, release func(), err error) {
	path = d.viewPath(id)
	release, err = d.use(ctx, d.layerSet(id), path, true)
	return path, release, err
}
