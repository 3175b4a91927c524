package fstree

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is an open directory. A name given to its methods is a single one, not ".." and without a slash, or "." for the
// directory itself; a symbolic link is never followed. Errors are *fs.PathError, so fs.ErrNotExist and the like are found.
type Dir struct {
	f *os.File
}

// OpenDir opens a directory of the host. Links in the path are followed: it must be a trusted one.
func OpenDir(path string) (*Dir, error) {
	return openAt(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
}

func openAt(fd int, name string, flags int) (*Dir, error) {
	var opened int
	err := retry(func() (err error) {
		opened, err = unix.Openat(fd, name, flags, 0)
		return err
	})
	if err != nil {
		return nil, fail("open", name, err)
	}
	return &Dir{os.NewFile(uintptr(opened), name)}, nil
}

// Close closes the directory.
func (d *Dir) Close() error { return d.f.Close() }

func (d *Dir) fd() int { return int(d.f.Fd()) }

// OpenDir opens a directory in d.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	return openAt(d.fd(), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
}

// Open opens a regular file for reading. Anything else, also what takes the file's place meanwhile, is refused.
func (d *Dir) Open(name string) (*os.File, error) {
	f, err := d.openFile(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fail("open", name, errors.New("not a regular file"))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// create makes a regular file that was not there.
func (d *Dir) create(name string) (*os.File, error) {
	return d.openFile(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
}

func (d *Dir) openFile(name string, flags int, perm uint32) (*os.File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(d.fd(), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
		return err
	})
	if err != nil {
		return nil, fail("open", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Stat is what lstat(2) tells of a file.
type Stat struct {
	Mode    fs.FileMode
	Size    int64
	ModTime time.Time
	UID     int
	GID     int
	Dev     uint64
	Ino     uint64
	Links   uint64
	Rdev    uint64 // of a device, the host's encoding; 0 for anything else
}

// Lstat tells what a name stands for.
func (d *Dir) Lstat(name string) (Stat, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return Stat{}, fail("lstat", name, err)
	}
	s := Stat{
		Mode: fileMode(uint32(st.Mode)), Size: st.Size, ModTime: time.Unix(st.Mtim.Unix()),
		UID: int(st.Uid), GID: int(st.Gid), Dev: uint64(st.Dev), Ino: uint64(st.Ino), Links: uint64(st.Nlink),
	}
	if s.Mode&fs.ModeDevice != 0 {
		s.Rdev = uint64(st.Rdev) // UFS says something of other files too: where their content is
	}
	return s, nil
}

// Readlink returns what a symbolic link holds.
func (d *Dir) Readlink(name string) (string, error) {
	for size := 256; ; size *= 2 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(d.fd(), name, buf)
		if err != nil {
			return "", fail("readlink", name, err)
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// Names returns the names in the directory, sorted.
func (d *Dir) Names() ([]string, error) {
	again, err := d.OpenDir(".") // its own offset
	if err != nil {
		return nil, err
	}
	defer again.Close()
	names, err := again.f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// Mkdir makes a directory that only its owner may enter.
func (d *Dir) Mkdir(name string) error {
	return fail("mkdir", name, unix.Mkdirat(d.fd(), name, 0o700))
}

// Link gives the file that from has under old a second name in d.
func (d *Dir) Link(from *Dir, old, name string) error {
	return fail("link", name, unix.Linkat(from.fd(), old, d.fd(), name, 0))
}

// Rename moves a file out of from into d.
func (d *Dir) Rename(from *Dir, old, name string) error {
	return fail("rename", old, unix.Renameat(from.fd(), old, d.fd(), name))
}

// RemoveAll removes a name with everything below it. It is no error when there is nothing. What another file system is
// mounted on is not entered: that is EBUSY.
func (d *Dir) RemoveAll(name string) error {
	st, err := d.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !st.Mode.IsDir():
		return d.unlink(name, 0)
	}
	self, err := d.Lstat(".")
	if err != nil {
		return err
	}
	if st.Dev != self.Dev {
		return fail("unlinkat", name, unix.EBUSY)
	}
	sub, err := d.OpenDir(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	names, err := sub.Names()
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := sub.RemoveAll(n); err != nil {
			return err
		}
	}
	return d.unlink(name, unix.AT_REMOVEDIR)
}

func (d *Dir) unlink(name string, flags int) error {
	err := unix.Unlinkat(d.fd(), name, flags)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fail("unlinkat", name, err)
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
