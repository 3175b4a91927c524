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

// mark adds what programs know a Docker container by: /.dockerenv, and an /etc/mtab that tells its mounts (moby
// daemon/initlayer). What the image has of them stays.
func (r rootDir) mark() error {
	fd, err := unix.Openat(r.fd, ".dockerenv", unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o755)
	if err == nil {
		unix.Close(fd)
	} else if !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "create", Path: "/.dockerenv", Err: err}
	}
	etc, err := r.open("etc", unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: "/etc", Err: err}
	}
	defer unix.Close(etc)
	if err := unix.Symlinkat("/proc/mounts", etc, "mtab"); err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "create", Path: "/etc/mtab", Err: err}
	}
	return nil
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
