package layer

import (
	"context"
	"errors"
	"io"
	"path"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Copy makes the directory to, which must not exist, an equal of the tree from: content, holes, owners, modes, times,
// extended attributes, file flags, devices, pipes and hard links; sockets are left out. Where the file system can share
// blocks between files, it does. Nothing may change from meanwhile. After an error, to is left as far as it came.
func Copy(ctx context.Context, to, from string) error {
	src, err := openAt(unix.AT_FDCWD, from, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return at("open", from, err)
	}
	defer unix.Close(src)
	st, err := statFD(src)
	if err != nil {
		return at("stat", from, err)
	}
	if err := mkdirAt(unix.AT_FDCWD, to, 0o700); err != nil {
		return at("mkdir", to, err)
	}
	dst, err := openDir(unix.AT_FDCWD, to)
	if err != nil {
		return at("open", to, err)
	}
	defer unix.Close(dst)
	c := copier{root: dst, first: map[inode]string{}, queue: make(chan copyJob, maxQueue), buf: make([]byte, 256<<10)}
	var workers sync.WaitGroup
	for range min(4, runtime.GOMAXPROCS(0)) {
		workers.Go(c.work)
	}
	top := &copyDir{src: src, dst: dst, st: st, path: "."}
	top.pending.Store(1)
	c.dir(ctx, top)
	close(c.queue)
	workers.Wait()
	if c.err != nil {
		return c.err
	}
	if err := c.describe(src, dst, &st); err != nil {
		return at("copy attributes", to, err)
	}
	return at("copy attributes", to, finish(dst, ".", &st))
}

// copyDir is a directory that is being copied. Its own attributes come when everything in it is there.
type copyDir struct {
	src, dst int
	st       info
	path     string
	parent   *copyDir
	pending  atomic.Int64 // files and directories in it that are not done, and one until it is listed
}

type copyJob struct {
	dir  *copyDir
	name string
	st   info
}

type copier struct {
	root  int
	first map[inode]string
	queue chan copyJob
	buf   []byte
	// noClone is set once the file system said that it cannot share blocks.
	noClone atomic.Bool

	mu     sync.Mutex
	err    error
	failed atomic.Bool
}

func (c *copier) fail(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.failed.Store(true)
}

func (c *copier) work() {
	buf := make([]byte, 256<<10)
	for j := range c.queue {
		if !c.failed.Load() {
			c.fail(c.regular(j, buf))
		}
		c.done(j.dir)
	}
}

// done counts one part of a directory, and finishes the directory after the last. Copy itself finishes the root.
func (c *copier) done(d *copyDir) {
	if d.pending.Add(-1) > 0 || d.parent == nil {
		return
	}
	if !c.failed.Load() {
		err := c.describe(d.src, d.dst, &d.st)
		if err == nil {
			err = finish(d.parent.dst, path.Base(d.path), &d.st)
		}
		c.fail(at("copy attributes", d.path, err))
	}
	unix.Close(d.src)
	unix.Close(d.dst)
	c.done(d.parent)
}

// dir copies what is in a directory.
func (c *copier) dir(ctx context.Context, d *copyDir) {
	names, err := readNames(d.src)
	c.fail(at("readdir", d.path, err))
	slices.Sort(names)
	for _, name := range names {
		if c.failed.Load() {
			break
		}
		if err := ctx.Err(); err != nil {
			c.fail(err)
			break
		}
		if err := c.file(ctx, d, name); err != nil {
			c.fail(at("copy", join(d.path, name), err))
		}
	}
	c.done(d)
}

func (c *copier) file(ctx context.Context, d *copyDir, name string) error {
	st, err := statAt(d.src, name)
	if err != nil {
		return err
	}
	if st.isDir() {
		return c.subdir(ctx, d, name, st)
	}
	if st.nlink > 1 {
		id := inode{st.dev, st.ino}
		if first, ok := c.first[id]; ok {
			return retry(func() error { return unix.Linkat(c.root, first, d.dst, name, 0) })
		}
		c.first[id] = join(d.path, name)
	}
	if st.kind() != unix.S_IFREG {
		return c.copySpecial(d.src, name, d.dst, name, &st)
	}
	j := copyJob{dir: d, name: name, st: st}
	if st.nlink > 1 { // its other names need it at once
		return c.regular(j, c.buf)
	}
	d.pending.Add(1)
	c.queue <- j
	return nil
}

func (c *copier) subdir(ctx context.Context, d *copyDir, name string, st info) error {
	src, err := openDir(d.src, name)
	if err != nil {
		return err
	}
	if err = mkdirAt(d.dst, name, 0o700); err != nil {
		unix.Close(src)
		return err
	}
	dst, err := openDir(d.dst, name)
	if err != nil {
		unix.Close(src)
		return err
	}
	sub := &copyDir{src: src, dst: dst, st: st, path: join(d.path, name), parent: d}
	sub.pending.Store(1)
	d.pending.Add(1)
	c.dir(ctx, sub)
	return nil
}

// copySpecial copies links, devices and pipes; of a socket nothing.
func (c *copier) copySpecial(from int, name string, to int, newName string, st *info) error {
	var err error
	switch st.kind() {
	case unix.S_IFSOCK:
		return nil
	case unix.S_IFLNK:
		var target string
		if target, err = readlinkAt(from, name); err == nil {
			err = retry(func() error { return unix.Symlinkat(target, to, newName) })
		}
	default:
		major, minor := DeviceNumbers(st.rdev)
		err = mknod(to, newName, st.mode, major, minor)
	}
	if err != nil {
		return err
	}
	err = retry(func() error {
		return unix.Fchownat(to, newName, int(st.uid), int(st.gid), unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return err
	}
	xattrs, err := xattrsAt(from, name, st)
	if err != nil {
		return err
	}
	for key, v := range xattrs {
		if _, err := setXattrAt(to, newName, key, v); err != nil {
			return err
		}
	}
	if st.kind() != unix.S_IFLNK {
		if err := retry(func() error { return unix.Fchmodat(to, newName, st.mode&0o7777, 0) }); err != nil {
			return err
		}
	}
	return finish(to, newName, st)
}

func (c *copier) regular(j copyJob, buf []byte) error {
	err := c.copyFile(j.dir.src, j.name, j.dir.dst, j.name, &j.st, buf)
	return at("copy", join(j.dir.path, j.name), err)
}

func (c *copier) copyFile(from int, name string, to int, newName string, st *info, buf []byte) error {
	src, err := openAt(from, name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	dst, err := openAt(to, newName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = c.content(src, dst, st, buf)
	if err == nil {
		err = c.describe(src, dst, st)
	}
	if closeErr := unix.Close(dst); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return finish(to, newName, st)
}

// copyOne copies a single file that is no directory.
func copyOne(from int, name string, to int, newName string, st *info) error {
	c := &copier{}
	if st.kind() == unix.S_IFREG {
		return c.copyFile(from, name, to, newName, st, make([]byte, 128<<10))
	}
	return c.copySpecial(from, name, to, newName, st)
}

// describe copies owner, attributes and mode.
func (c *copier) describe(src, dst int, st *info) error {
	if err := retry(func() error { return unix.Fchown(dst, int(st.uid), int(st.gid)) }); err != nil {
		return err
	}
	xattrs, err := xattrsOf(src)
	if err != nil {
		return err
	}
	for key, v := range xattrs {
		if _, err := setXattr(dst, key, v); err != nil {
			return err
		}
	}
	return retry(func() error { return unix.Fchmod(dst, st.mode&0o7777) })
}

// finish copies times and flags.
func finish(dir int, name string, st *info) error {
	if err := setTimes(dir, name, fileTimes{st.atime, st.mtime}); err != nil {
		return err
	}
	if st.flags&portable != 0 {
		return setFlags(dir, name, st.flags&portable)
	}
	return nil
}

func (c *copier) content(src, dst int, st *info, buf []byte) error {
	if st.size == 0 {
		return nil
	}
	if !c.noClone.Load() {
		cloned, err := cloneFile(dst, src)
		if cloned || err != nil {
			return err
		}
		c.noClone.Store(true)
	}
	if st.blocks*512 < st.size {
		return copySparse(src, dst, st.size, buf)
	}
	return copyRange(src, dst, 0, st.size, buf)
}

// lseek(2): the values are the same on Linux and FreeBSD.
const (
	seekData = 3
	seekHole = 4
)

func copySparse(src, dst int, size int64, buf []byte) error {
	for off := int64(0); off < size; {
		start, err := unix.Seek(src, off, seekData)
		if errors.Is(err, unix.ENXIO) {
			break // only a hole is left
		}
		if err != nil {
			return copyRange(src, dst, off, size-off, buf) // a file system that knows no holes
		}
		end, err := unix.Seek(src, start, seekHole)
		if err != nil {
			end = size
		}
		if err := copyRange(src, dst, start, end-start, buf); err != nil {
			return err
		}
		off = end
	}
	return retry(func() error { return unix.Ftruncate(dst, size) })
}

// copyRange copies n bytes at off to the same place, inside the kernel where that can.
func copyRange(src, dst int, off, n int64, buf []byte) error {
	for n > 0 {
		m, err := copyInKernel(dst, src, off, n)
		if err != nil {
			break
		}
		if m == 0 {
			return io.ErrUnexpectedEOF
		}
		off, n = off+m, n-m
	}
	for n > 0 {
		var m int
		err := retry(func() (err error) {
			m, err = unix.Pread(src, buf[:min(n, int64(len(buf)))], off)
			return err
		})
		if err != nil {
			return err
		}
		if m == 0 {
			return io.ErrUnexpectedEOF
		}
		for done := 0; done < m; {
			w, err := unix.Pwrite(dst, buf[done:m], off+int64(done))
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			done += max(w, 0)
		}
		off, n = off+int64(m), n-int64(m)
	}
	return nil
}
