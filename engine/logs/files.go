package logs

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs/jsonfile"
)

// file is one file of a log, held open: it can be read to its end wherever it moves and when it is removed, and as long as
// that no other file has its inode.
type file struct {
	f        *os.File
	zipped   bool
	inode    uint64
	size     int64     // when it was opened
	lastTime time.Time // compressed: no record is later; zero when not known
}

func (f *file) Close() error { return f.f.Close() }

// openNewer opens the log's files that are newer than stop, oldest first; with a nil stop, all. It goes from the newest to
// the oldest, the way files move, so that a rotation meanwhile hides none; one that is met again has moved on. Only what
// became the newest since may be missing.
func openNewer(spec engine.LogFile, stop *file) ([]*file, error) {
	var found []*file
	passed := false // files that are newer than one before them may have been met
	from := 0
	for n := range max(spec.MaxFiles, 1) {
		f, err := openNumber(spec.Path, n)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			closeAll(found)
			return nil, err
		}
		if stop != nil && same(stop, f) {
			f.Close()
			break
		}
		if i := slices.IndexFunc(found, func(o *file) bool { return same(o, f) }); i >= 0 {
			passed = passed || i < len(found)-1
			f.Close()
			continue
		}
		if len(found) == 0 {
			from = n
		}
		found = append(found, f)
	}
	if passed || len(found) > 1 && moved(numbered(spec.Path, from), found[0]) && moved(numbered(spec.Path, from+1), found[0]) {
		// There were two rotations or more meanwhile, so that the order they were met in says nothing.
		slices.SortStableFunc(found, func(a, b *file) int { return b.startTime().Compare(a.startTime()) })
	}
	slices.Reverse(found)
	return found, nil
}

// startTime is the first record's time; a file that has none yet is newer than all that have.
func (f *file) startTime() time.Time {
	var d decoder
	var rec engine.LogRecord
	line, err := f.first()
	if err != nil || d.decode(line, &rec) != nil {
		return time.Unix(1<<40, 0)
	}
	return rec.Time
}

// first returns the file's first line, also when it was written after the file was opened.
func (f *file) first() ([]byte, error) {
	l := &lines{r: &live{f: f.f}, buf: make([]byte, 1<<10)}
	if f.zipped {
		l.r = f.reader()
	}
	return l.next()
}

// same reports whether the older find b is a again: the same file, or the compressed form of it. No two files of a log
// begin with the same record, because of its time.
func same(a, b *file) bool {
	if a.inode == b.inode {
		return true
	}
	if !b.zipped || a.zipped {
		return false
	}
	first, err := b.first()
	if err != nil {
		return false
	}
	its, err := a.first()
	return err == nil && bytes.Equal(first, its)
}

// openNumber opens the n-th rotated file, or the log itself for 0. The original is asked for first, since the writer removes
// it last.
func openNumber(path string, n int) (*file, error) {
	name := numbered(path, n)
	f, err := os.Open(name)
	zipped := false
	if errors.Is(err, fs.ErrNotExist) && n > 0 {
		zipped = true
		f, err = os.Open(name + jsonfile.Zipped)
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	out := &file{f: f, zipped: zipped, inode: inodeOf(st), size: st.Size()}
	if zipped {
		out.readHeader()
	}
	return out, nil
}

func numbered(path string, n int) string {
	if n == 0 {
		return path
	}
	return jsonfile.Rotated(path, n)
}

func inodeOf(st fs.FileInfo) uint64 {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(sys.Ino)
}

// readHeader takes what the header of a compressed file says, in the form that dockerd writes too.
func (f *file) readHeader() {
	z, err := gzip.NewReader(io.NewSectionReader(f.f, 0, f.size))
	if err != nil {
		return
	}
	defer z.Close()
	var header struct {
		LastTime time.Time `json:"lastTime"`
	}
	if json.Unmarshal(z.Extra, &header) == nil {
		f.lastTime = header.LastTime
	}
}

// reader reads the file from its start, a compressed one decompressed.
func (f *file) reader() io.Reader {
	r := io.NewSectionReader(f.f, 0, f.size)
	if !f.zipped {
		return r
	}
	z, err := gzip.NewReader(r)
	return undamaged{z, err}
}

// undamaged is the part of a compressed file before its damage: what follows is lost, the next file is not.
type undamaged struct {
	z   *gzip.Reader
	err error
}

func (u undamaged) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, io.EOF
	}
	n, err := u.z.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// before leaves what stands before a place. Should its file have been rotated out since, all that there is does.
func before(files []*file, m engine.LogMark) []*file {
	i := slices.IndexFunc(files, func(f *file) bool { return f.inode == m.File && !f.zipped })
	if i < 0 {
		return files
	}
	files[i].size = min(files[i].size, m.Size)
	closeAll(files[i+1:])
	return files[:i+1]
}

func closeAll(files []*file) {
	for _, f := range files {
		f.Close()
	}
}

// moved reports whether path is another file than f by now.
func moved(path string, f *file) bool {
	st, err := os.Stat(path)
	return err != nil || inodeOf(st) != f.inode
}
