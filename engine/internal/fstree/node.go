package fstree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Node says what a file is to be made with.
type Node struct {
	Mode     fs.FileMode
	UID, GID int
	ModTime  time.Time
	Target   string            // of a symbolic link
	Rdev     uint64            // of a device, the host's encoding
	Xattrs   map[string]string // of a regular file or directory; with its namespace: "user.x"
}

// Make makes the file under a name that is free; a directory may be there already and gets the node's owner, mode and
// attributes. content is what a regular file holds; it may be nil. Times of a directory change as it is filled: Touch sets them.
func (d *Dir) Make(name string, n Node, content io.Reader) error {
	switch n.Mode.Type() {
	case 0:
		return d.makeFile(name, n, content)
	case fs.ModeDir:
		return d.makeDir(name, n)
	case fs.ModeSymlink:
		if err := unix.Symlinkat(n.Target, d.fd(), name); err != nil {
			return fail("symlink", name, err)
		}
		if err := d.chown(name, n); err != nil {
			return err
		}
	default:
		if err := mknodAt(unix.Mknodat, d.fd(), name, unixType(n.Mode)|Permissions(n.Mode), n.Rdev); err != nil {
			return fail("mknod", name, err)
		}
		if err := d.own(name, n); err != nil {
			return err
		}
	}
	return d.Touch(name, n.ModTime)
}

// MakeSocket makes a socket under a name that is free, with the node's owner and mode. bind binds it to the name in the open
// directory, see bindat(2).
func (d *Dir) MakeSocket(name string, n Node, bind func(dir *os.File, name string) error) error {
	if err := bind(d.f, name); err != nil {
		return fail("bind", name, err)
	}
	return d.own(name, n)
}

// own sets owner and mode of what cannot be opened. The process's umask may have taken bits away. Linux before 6.6 has no call
// that sets the mode of a file without following a link in its place; there a device or pipe keeps what it was made with.
func (d *Dir) own(name string, n Node) error {
	if err := d.chown(name, n); err != nil {
		return err
	}
	if err := unix.Fchmodat(d.fd(), name, Permissions(n.Mode), unix.AT_SYMLINK_NOFOLLOW); err != nil && !errors.Is(err, unix.ENOTSUP) {
		return fail("chmod", name, err)
	}
	return nil
}

// mknodAt bridges the types that mknodat's last argument has on different systems.
func mknodAt[D int | uint64](call func(int, string, uint32, D) error, fd int, name string, mode uint32, dev uint64) error {
	return call(fd, name, mode, D(dev))
}

func (d *Dir) chown(name string, n Node) error {
	return fail("chown", name, unix.Fchownat(d.fd(), name, n.UID, n.GID, unix.AT_SYMLINK_NOFOLLOW))
}

func (d *Dir) makeFile(name string, n Node, content io.Reader) error {
	f, err := d.create(name)
	if err != nil {
		return err
	}
	if content != nil {
		_, err = io.Copy(f, content)
	}
	if err == nil {
		err = n.dress(f)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.Touch(name, n.ModTime)
}

func (d *Dir) makeDir(name string, n Node) error {
	if err := d.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	sub, err := d.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(n.dress(sub.f), sub.Close())
}

// Dress gives the directory itself the node's owner, mode and attributes.
func (d *Dir) Dress(n Node) error { return n.dress(d.f) }

// dress sets owner, attributes and mode of an open file, in the order in which one does not undo the other.
func (n Node) dress(f *os.File) error {
	if err := f.Chown(n.UID, n.GID); err != nil {
		return err
	}
	for key, value := range n.Xattrs {
		err := unix.Fsetxattr(int(f.Fd()), key, []byte(value), 0)
		// A file system without attributes, or a namespace that is closed to us, is no reason to fail.
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
			return fail("setxattr", f.Name(), fmt.Errorf("%s: %w", key, err))
		}
	}
	return fail("chmod", f.Name(), unix.Fchmod(int(f.Fd()), Permissions(n.Mode)))
}

// Touch sets a file's times of access and change. What the kernel cannot hold is the epoch.
func (d *Dir) Touch(name string, t time.Time) error {
	if t.Before(time.Unix(0, 0)) || t.After(time.Unix(1<<33, 0)) {
		t = time.Unix(0, 0)
	}
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return fail("touch", name, err)
	}
	return fail("touch", name, unix.UtimesNanoAt(d.fd(), name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
}

// Node reads everything needed to make the same file elsewhere, its content apart.
func (d *Dir) Node(name string) (Node, Stat, error) {
	st, err := d.Lstat(name)
	if err != nil {
		return Node{}, st, err
	}
	n := Node{Mode: st.Mode, UID: st.UID, GID: st.GID, ModTime: st.ModTime, Rdev: st.Rdev}
	switch st.Mode.Type() {
	case fs.ModeSymlink:
		n.Target, err = d.Readlink(name)
	case fs.ModeDir, 0:
		n.Xattrs, err = d.xattrs(name, st.Mode)
	}
	return n, st, err
}

func (d *Dir) xattrs(name string, mode fs.FileMode) (map[string]string, error) {
	flags := unix.O_RDONLY | unix.O_NONBLOCK
	if mode.IsDir() {
		flags |= unix.O_DIRECTORY
	}
	f, err := d.openFile(name, flags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Xattrs(f)
}

// Xattrs reads every extended attribute of an open file that can be read; none on a file system that has none.
func Xattrs(f *os.File) (map[string]string, error) {
	list, err := grow(func(buf []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), buf) })
	if err != nil || len(list) == 0 {
		return nil, ignore(err)
	}
	out := map[string]string{}
	for _, key := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		value, err := Xattr(f, key)
		if err != nil {
			return nil, err
		}
		if value != nil {
			out[key] = string(value)
		}
	}
	return out, nil
}

// Xattr reads one extended attribute of an open file; nil when it has none of that name.
func Xattr(f *os.File, key string) ([]byte, error) {
	value, err := grow(func(buf []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), key, buf) })
	if err != nil {
		return nil, ignore(err)
	}
	return value, nil
}

// grow calls with larger and larger buffers until the answer fits.
func grow(call func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := call(buf)
		// Linux says ERANGE; FreeBSD cuts the answer, so one that fills the buffer may not be whole.
		if errors.Is(err, unix.ERANGE) || err == nil && n >= size {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}

// noAttr are the errors of an attribute that is not there: ENODATA of Linux and ENOATTR of FreeBSD. Each has the number of
// an error of sockets or quotas in the other system, which these calls do not give.
var noAttr = []error{syscall.Errno(61), syscall.Errno(87)}

// ignore drops the errors of an attribute that is not there, or not ours to read.
func ignore(err error) error {
	for _, e := range slices.Concat(noAttr, []error{unix.ENOTSUP, unix.EPERM, unix.EACCES}) {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}
