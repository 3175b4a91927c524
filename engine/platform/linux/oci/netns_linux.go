package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// pinNetNS makes a network namespace with its loopback up and keeps it alive as a bind mount at path. One that is pinned
// there already is kept.
func pinNetNS(path string) error {
	if isNamespace(path) {
		return nil
	}
	// The namespace belongs to a thread. If that cannot go back, the goroutine ends without unlocking it and the Go
	// runtime ends the thread.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		back, err := onNewNetNS(path)
		if back {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		return errors.Join(err, unpin(path))
	}
	return nil
}

// onNewNetNS works on the locked thread it is called on; back tells whether the thread is in its old namespace again.
func onNewNetNS(path string) (back bool, err error) {
	old, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return true, err
	}
	defer old.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return true, fmt.Errorf("make a network namespace: %w", err)
	}
	err = loopbackUp()
	if err == nil {
		err = pin("/proc/thread-self/ns/net", path)
	}
	return unix.Setns(int(old.Fd()), unix.CLONE_NEWNET) == nil, err
}

// pin keeps a namespace alive at path.
func pin(namespace, path string) error {
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		return err
	}
	if err := unix.Mount(namespace, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("pin a network namespace at %s: %w", path, err)
	}
	return nil
}

// nameHostNetNS makes the host's network namespace, this process's own, to be found at path by the programs that enter containers'
// namespaces by their files. The link leads to the init process where that has the same: it outlives us.
func nameHostNetNS(path string) error {
	target := "/proc/1/ns/net"
	first, err := os.Stat(target)
	own, errOwn := os.Stat("/proc/thread-self/ns/net")
	if err != nil || errOwn != nil || !os.SameFile(first, own) {
		target = fmt.Sprintf("/proc/%d/ns/net", os.Getpid())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, path)
}

// loopbackUp brings up the loopback interface of the calling thread's namespace; the kernel gives it its addresses.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring the loopback interface up: %w", err)
	}
	return nil
}

// isNamespace reports whether a namespace is pinned at path.
func isNamespace(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Type == unix.NSFS_MAGIC
}

// unpin takes a namespace's pin away, also a half-made one.
func unpin(path string) error {
	if err := unmount(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unmount detaches whatever is mounted at path itself, however often.
func unmount(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		switch {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
			return nil
		case err != nil:
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
}
