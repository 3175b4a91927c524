package layer

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// file is a regular file to write. Its content is data, or what content gives.
type file struct {
	dir        *dir
	name, path string
	meta       meta
	size       int64
	sparse     bool
	data       []byte
	buf        *[]byte // what data is a part of, from the pool
	content    io.Reader
}

const (
	// smallFile is the size up to which a file is read whole and left to a writer.
	smallFile  = 64 << 10
	maxQueue   = 64
	maxPending = 4096
)

// writers make small regular files beside the goroutine that reads the tar: making a file costs the file system more time
// than reading a few blocks does.
type writers struct {
	a          *applier
	queue      chan file
	busy       sync.WaitGroup // files
	workers    sync.WaitGroup // goroutines
	names      map[uint64]struct{}
	buffers    sync.Pool
	lostXattrs atomic.Int64

	mu     sync.Mutex
	err    error
	undone []file
}

func startWriters(a *applier) *writers {
	w := &writers{a: a, queue: make(chan file, maxQueue), names: map[uint64]struct{}{}}
	w.buffers.New = func() any { b := make([]byte, smallFile); return &b }
	for range min(4, runtime.GOMAXPROCS(0)) {
		w.workers.Go(w.work)
	}
	return w
}

func (w *writers) work() {
	for f := range w.queue {
		w.write(f)
		w.buffers.Put(f.buf)
		w.busy.Done()
	}
}

func (w *writers) write(f file) {
	if w.failed() != nil {
		return
	}
	err := w.a.writeFile(f)
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(err, errDirInPlace) {
		kept := append([]byte(nil), f.data...)
		f.data, f.buf = kept, nil
		w.undone = append(w.undone, f)
		return
	}
	if w.err == nil {
		w.err = err
	}
}

func (w *writers) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// add queues a small file, reading its content.
func (w *writers) add(f file, content io.Reader) error {
	if len(w.names) >= maxPending {
		if err := w.a.barrier(); err != nil {
			return err
		}
	}
	if err := w.failed(); err != nil {
		return err
	}
	f.buf = w.buffers.Get().(*[]byte)
	f.data = (*f.buf)[:f.size]
	if _, err := io.ReadFull(content, f.data); err != nil {
		return readError(err)
	}
	w.names[hashPath(f.path)] = struct{}{}
	w.busy.Add(1)
	w.queue <- f
	return nil
}

// pending reports whether a file of that path was queued and may not be written yet.
func (w *writers) pending(path string) bool {
	if len(w.names) == 0 {
		return false
	}
	_, ok := w.names[hashPath(path)]
	return ok
}

// wait waits for all queued files and returns those that were not written.
func (w *writers) wait() ([]file, error) {
	w.busy.Wait()
	clear(w.names)
	w.mu.Lock()
	defer w.mu.Unlock()
	undone := w.undone
	w.undone = nil
	return undone, w.err
}

// stop ends the goroutines.
func (w *writers) stop() error {
	close(w.queue)
	w.workers.Wait()
	return w.err
}

// regular makes a regular file.
func (a *applier) regular(f file, content io.Reader) error {
	if f.size <= smallFile && !f.sparse {
		return a.writers.add(f, content)
	}
	f.content = content
	err := a.writeFile(f)
	if errors.Is(err, errDirInPlace) {
		if err := a.barrier(); err != nil {
			return err
		}
		if err := a.removed(f.dir, f.name, f.path); err != nil {
			return err
		}
		err = a.writeFile(f)
	}
	return err
}

// errDirInPlace: a directory stands where a file must be. Nothing was done.
var errDirInPlace = errors.New("a directory is in its place")

// writeFile makes a file with content and attributes, in the place of any other file. It is called by many goroutines.
func (a *applier) writeFile(f file) error {
	fd, err := a.newFile(f)
	if err != nil {
		return err
	}
	err = a.fillFile(fd, f)
	if closeErr := unix.Close(fd); err == nil {
		err = at("close", f.path, closeErr)
	}
	if err != nil {
		return err
	}
	return at("utimensat", f.path, setTimes(f.dir.fd, f.name, f.meta.times))
}

func (a *applier) newFile(f file) (int, error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	for {
		fd, err := openAt(f.dir.fd, f.name, flags, 0o600)
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return -1, at("create", f.path, err)
		}
		st, err := statAt(f.dir.fd, f.name)
		switch {
		case errors.Is(err, unix.ENOENT):
		case err != nil:
			return -1, at("stat", f.path, err)
		case st.isDir():
			return -1, errDirInPlace
		default:
			if err := unlink(f.dir.fd, f.name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
				return -1, at("remove", f.path, err)
			}
		}
	}
}

// fillFile writes the content, then what writing would take away again: owner, capabilities, mode.
func (a *applier) fillFile(fd int, f file) error {
	if f.content == nil {
		if err := writeAll(fd, f.data); err != nil {
			return at("write", f.path, err)
		}
	} else if err := a.copyContent(fd, f); err != nil {
		return err
	}
	if !a.owned(f.dir, f.meta) {
		if err := retry(func() error { return unix.Fchown(fd, int(f.meta.uid), int(f.meta.gid)) }); err != nil {
			return at("chown", f.path, err)
		}
	}
	if err := a.setXattrs(fd, f.path, f.meta.xattrs); err != nil {
		return err
	}
	return at("chmod", f.path, retry(func() error { return unix.Fchmod(fd, f.meta.mode) }))
}

// copyContent streams a large or sparse file. It runs only where the tar is read.
func (a *applier) copyContent(fd int, f file) error {
	var size int64
	for {
		n, readErr := readFull(f.content, a.buf)
		if n > 0 {
			if err := writeBlocks(fd, a.buf[:n], f.sparse); err != nil {
				return at("write", f.path, err)
			}
			size += int64(n)
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return readError(readErr)
		}
	}
	if !f.sparse {
		return nil
	}
	return at("truncate", f.path, retry(func() error { return unix.Ftruncate(fd, size) }))
}

// holeSize is the granularity in which zeros become holes.
const holeSize = 4 << 10

func writeBlocks(fd int, b []byte, sparse bool) error {
	if !sparse {
		return writeAll(fd, b)
	}
	for len(b) > 0 {
		hole := isZero(b[:min(holeSize, len(b))])
		n := min(holeSize, len(b))
		for n < len(b) && isZero(b[n:min(n+holeSize, len(b))]) == hole {
			n = min(n+holeSize, len(b))
		}
		if hole {
			if _, err := unix.Seek(fd, int64(n), io.SeekCurrent); err != nil {
				return err
			}
		} else if err := writeAll(fd, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

var zeros [holeSize]byte

func isZero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }
