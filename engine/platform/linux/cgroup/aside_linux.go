package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Aside calls f where the hierarchy that is mounted at point cannot be seen, also not by programs that f starts itself. Every
// other mount stays shared with the host as it is. An empty point hides nothing.
//
// F runs on a thread of its own in a mount namespace of its own, which ends with it.
func Aside(point string, f func() error) error {
	if point == "" {
		return f()
	}
	done := make(chan error, 1)
	onLostThread(func() {
		if err := hide(point); err != nil {
			done <- fmt.Errorf("hide %s: %w", point, err)
			return
		}
		done <- f()
	})
	return <-done
}

// onLostThread starts f on a thread that ends with it. The process's first thread never ends, and what it sees is what
// /proc/self tells every other: f does not run there.
func onLostThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		again := make(chan struct{})
		onLostThread(func() {
			close(again)
			f()
		})
		<-again // until then this goroutine holds the first thread
		runtime.UnlockOSThread()
	}()
}

// hide gives this thread a mount namespace without the mount at point. The mount that point lies in is made private first:
// else the unmounting would reach the host.
func hide(point string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	for dir := filepath.Dir(point); ; dir = filepath.Dir(dir) {
		err := unix.Mount("", dir, "", unix.MS_PRIVATE, "")
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINVAL) || dir == "/" {
			return err
		}
	}
	return unix.Unmount(point, unix.MNT_DETACH)
}
