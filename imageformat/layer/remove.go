package layer

import (
	"errors"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Remove removes a file or a whole tree, however deep it is, without following a link. File flags that forbid it are
// cleared. It succeeds when there is nothing. Trees that a container made may be deeper than a path can say and than there
// are descriptors.
func Remove(path string) error {
	dir, base := filepath.Split(filepath.Clean(path))
	if dir == "" {
		dir = "."
	}
	fd, err := openAt(unix.AT_FDCWD, dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return at("open", dir, err)
	}
	defer unix.Close(fd)
	return at("remove", path, removeAt(fd, base))
}

// removeAt removes a file or a whole tree. It never follows a link and is content when there is nothing.
func removeAt(dir int, name string) error {
	gone, err := unlinkFile(dir, name)
	if gone || err != nil {
		return err
	}
	fd, err := openDir(dir, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	r := remover{top: fd}
	err = r.empty(fd, 0)
	// What was too deep was moved up; that may hold more of it.
	for err == nil && r.moved > r.done {
		r.done = r.moved
		err = r.empty(fd, 0)
	}
	unix.Close(fd)
	if err != nil {
		return err
	}
	return rmdir(dir, name)
}

// unlinkFile removes what is no directory, and reports whether nothing is left there.
func unlinkFile(dir int, name string) (gone bool, err error) {
	err = unlink(dir, name, 0)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return true, nil
	case !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM):
		return false, err
	}
	// POSIX says EPERM for a directory, Linux EISDIR.
	st, statErr := statAt(dir, name)
	switch {
	case errors.Is(statErr, unix.ENOENT):
		return true, nil
	case statErr != nil || !st.isDir():
		return false, err
	}
	return false, nil
}

func rmdir(dir int, name string) error {
	if err := unlink(dir, name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// maxHeld is how many directories a removal holds open at once.
const maxHeld = 64

type remover struct {
	top         int
	moved, done int
}

func (r *remover) empty(fd, depth int) error {
	names, err := readNames(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := r.remove(fd, name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (r *remover) remove(fd int, name string, depth int) error {
	gone, err := unlinkFile(fd, name)
	if gone || err != nil {
		return err
	}
	if rmdir(fd, name) == nil {
		return nil
	}
	if depth >= maxHeld {
		r.moved++
		to := ".removing-" + strconv.Itoa(r.moved)
		return retry(func() error { return unix.Renameat(fd, name, r.top, to) })
	}
	sub, err := openDir(fd, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	err = r.empty(sub, depth+1)
	unix.Close(sub)
	if err != nil {
		return err
	}
	return rmdir(fd, name)
}
