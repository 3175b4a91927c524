package layer

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// info is what a file system says of a file, in the same words on every system.
type info struct {
	mode, uid, gid        uint32
	dev, ino, nlink, rdev uint64
	size, blocks          int64 // blocks of 512 bytes
	atime, mtime, ctime   unix.Timespec
	flags                 uint32 // BSD file flags; 0 on Linux
}

func (i *info) kind() uint32 { return i.mode & unix.S_IFMT }
func (i *info) isDir() bool  { return i.kind() == unix.S_IFDIR }

func infoOf(st *unix.Stat_t) info {
	return info{
		mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid, dev: st.Dev, ino: st.Ino, nlink: uint64(st.Nlink), rdev: uint64(st.Rdev),
		size: st.Size, blocks: st.Blocks, atime: st.Atim, mtime: st.Mtim, ctime: st.Ctim, flags: statFlags(st),
	}
}

// retry repeats a system call that a signal interrupted; FUSE file systems let that happen anywhere.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func at(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func openAt(dir int, name string, flags int, mode uint32) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// openDir opens a directory that is no symbolic link.
func openDir(dir int, name string) (int, error) {
	return openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

func statAt(dir int, name string) (info, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return infoOf(&st), err
}

func statFD(fd int) (info, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(fd, &st) })
	return infoOf(&st), err
}

func readlinkAt(dir int, name string) (string, error) {
	buf := make([]byte, 256)
	for {
		var n int
		err := retry(func() (err error) {
			n, err = unix.Readlinkat(dir, name, buf)
			return err
		})
		if err != nil {
			return "", err
		}
		if n < len(buf) {
			return string(buf[:n]), nil
		}
		buf = make([]byte, 4*len(buf))
	}
}

func setTimes(dir int, name string, t fileTimes) error {
	ts := []unix.Timespec{t.atime, t.mtime}
	return retry(func() error { return unix.UtimesNanoAt(dir, name, ts, unix.AT_SYMLINK_NOFOLLOW) })
}

// fileTimes is what can be set of a file's times.
type fileTimes struct{ atime, mtime unix.Timespec }

func timespec(t time.Time) unix.Timespec {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return unix.Timespec{}
	}
	return ts
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			b = b[n:]
		}
	}
	return nil
}

// fdReader reads a descriptor without putting it into the runtime's poller, which costs system calls per file.
type fdReader int

// Read reads from the descriptor's offset.
func (f fdReader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// unlink removes one name; a flag that forbids it, on systems that have such flags, is cleared.
func unlink(dir int, name string, flags int) error {
	call := func() error { return unix.Unlinkat(dir, name, flags) }
	err := retry(call)
	if errors.Is(err, unix.EPERM) && clearFlags(dir, name) {
		err = retry(call)
	}
	return err
}

// readNames lists an open directory from its beginning, without "." and "..".
func readNames(fd int) ([]string, error) {
	if _, err := unix.Seek(fd, 0, io.SeekStart); err != nil {
		return nil, err
	}
	buf := make([]byte, 32<<10)
	var names []string
	for {
		var n int
		err := retry(func() (err error) {
			n, err = unix.ReadDirent(fd, buf)
			return err
		})
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}
