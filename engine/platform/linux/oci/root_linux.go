package oci

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// rootDir is a container's root. Paths below it are resolved by the kernel as if it were "/": absolute links and ".." stay
// inside (openat2(2), Linux 5.6).
type rootDir struct {
	fd int
}

func openRoot(dir string) (rootDir, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return rootDir{}, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return rootDir{fd}, nil
}

func (r rootDir) close() { unix.Close(r.fd) }

func (r rootDir) open(name string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(r.fd, path.Join(".", path.Clean("/"+name)), &how)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) { // EAGAIN: something was renamed meanwhile
			return fd, err
		}
	}
}

// openFile opens for reading; a pipe does not make it wait.
func (r rootDir) openFile(name string) (*os.File, error) {
	fd, err := r.open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// makeDirs makes a directory with its parents where they are missing, with mode 0755, as dockerd makes a working directory.
func (r rootDir) makeDirs(dir string) error {
	dir = path.Clean("/" + dir)
	fd, err := r.open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err == nil {
		return unix.Close(fd)
	}
	if errors.Is(err, unix.ENOTDIR) {
		//lint:ignore ST1005 Docker's words
		return fmt.Errorf("Cannot mkdir: %s is not a directory", dir)
	}
	if !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	if err := r.makeDirs(path.Dir(dir)); err != nil {
		return err
	}
	parent, err := r.open(path.Dir(dir), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return &os.PathError{Op: "open", Path: path.Dir(dir), Err: err}
	}
	defer unix.Close(parent)
	if err := unix.Mkdirat(parent, path.Base(dir), 0o755); err != nil {
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	// The daemon's umask is not the container's.
	return unix.Fchmodat(parent, path.Base(dir), 0o755, 0)
}
