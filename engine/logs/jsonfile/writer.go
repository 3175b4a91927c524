package jsonfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
)

const (
	// maxLine is dockerd's: a longer line is written in parts of this many bytes.
	maxLine = 16 << 10
	// flushAt bounds what is encoded before it is written: one write(2) takes a whole read of the output, and memory
	// stays small when lines are short and grow much by their frame.
	flushAt     = 64 << 10
	usualRecord = 4 << 10
	// setBack is how far the clock may lie behind the last record's time before it counts as set back.
	setBack = 100 * time.Millisecond
	mode    = 0o640
)

// Writer appends a container's output to its log. Its methods are safe for concurrent use.
type Writer struct {
	mu      sync.Mutex
	spec    engine.LogFile
	now     func() time.Time
	f       *os.File
	size    int64
	last    int64 // time of the last record, Unix nanoseconds
	enc     encoder
	out     []byte
	part    map[engine.Source]*part
	torn    bool          // the file ends in half a record
	zipping chan struct{} // closed when the compression that was begun last is done; nil before the first
}

// part is what a source wrote since its last line feed.
type part struct {
	text  []byte
	going bool  // parts of this line were written already
	stamp int64 // their time
}

// Open opens a log for appending and makes it if it is not there. What an earlier writer left half done is mended: a last
// record that was cut off is closed, rotated files are compressed.
func Open(spec engine.LogFile) (*Writer, error) {
	return open(spec, time.Now)
}

func open(spec engine.LogFile, now func() time.Time) (*Writer, error) {
	w := &Writer{spec: spec, now: now, enc: newEncoder(spec.Attrs), part: make(map[engine.Source]*part)}
	if err := w.openFile(); err != nil {
		return nil, err
	}
	if err := w.mend(); err != nil {
		w.f.Close()
		return nil, err
	}
	return w, nil
}

func (w *Writer) openFile() error {
	f, err := os.OpenFile(w.spec.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, mode)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	w.f, w.size, w.torn = f, st.Size(), false
	if w.size > 0 {
		var end [1]byte
		_, err := f.ReadAt(end[:], w.size-1)
		w.torn = err != nil || end[0] != '\n'
	}
	return nil
}

// Write appends what a source produced. When it returns, every line that is complete is in the file. After an error the
// lines that did not get there are dropped, and the next Write goes on.
func (w *Writer) Write(src engine.Source, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return fs.ErrClosed
	}
	w.tick()
	pt := w.part[src]
	if pt == nil {
		pt = &part{}
		w.part[src] = pt
	}
	var err error
	for len(p) > 0 {
		room := maxLine - len(pt.text)
		i := bytes.IndexByte(p[:min(len(p), room)], '\n')
		switch {
		case i >= 0:
			err = errors.Join(err, w.record(src, pt, p[:i], true))
			p = p[i+1:]
		case len(p) >= room:
			err = errors.Join(err, w.record(src, pt, p[:room], false))
			p = p[room:]
		default:
			pt.text = append(pt.text, p...)
			p = nil
		}
	}
	return errors.Join(err, w.flush())
}

// tick takes the clock for the records of one Write.
func (w *Writer) tick() {
	now := w.now().UnixNano()
	if now > w.last || w.last-now > int64(setBack) {
		w.last = now - 1
	}
}

// record encodes the source's pending text and more as one record.
func (w *Writer) record(src engine.Source, pt *part, more []byte, lineFeed bool) error {
	err := w.rotateIfFull()
	w.last++
	stamp := w.last
	if pt.going {
		stamp = pt.stamp
	}
	text := more
	if len(pt.text) > 0 {
		text = append(pt.text, more...)
		pt.text = text[:0]
	}
	if w.out == nil {
		w.out = make([]byte, 0, flushAt+usualRecord)
	}
	w.out = w.enc.appendRecord(w.out, text, lineFeed, src, stamp)
	pt.going, pt.stamp = !lineFeed, stamp
	if len(w.out) >= flushAt {
		err = errors.Join(err, w.flush())
	}
	return err
}

// flush writes what is encoded. If only a part of it can be written, the file is cut behind the last whole record.
func (w *Writer) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	out := w.out
	w.out = w.out[:0]
	if cap(out) > 2*flushAt {
		w.out = nil // a long line made it that large
	}
	if w.torn {
		if _, err := w.f.Write([]byte{'\n'}); err != nil {
			return fmt.Errorf("log: %w", err)
		}
		w.torn = false
		w.size++
	}
	n, err := w.f.Write(out)
	if err == nil {
		w.size += int64(n)
		return nil
	}
	whole := int64(bytes.LastIndexByte(out[:n], '\n') + 1)
	if int64(n) > whole && w.f.Truncate(w.size+whole) != nil {
		whole, w.torn = int64(n), true
	}
	w.size += whole
	return fmt.Errorf("log: %w", err)
}

// Mark tells where the log has come to.
func (w *Writer) Mark() (engine.LogMark, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return engine.LogMark{}, fs.ErrClosed
	}
	st, err := w.f.Stat()
	if err != nil {
		return engine.LogMark{}, err
	}
	m := engine.LogMark{Size: w.size, Rest: map[engine.Source][]byte{}}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		m.File = uint64(sys.Ino)
	}
	for src, pt := range w.part {
		if len(pt.text) > 0 {
			m.Rest[src] = bytes.Clone(pt.text)
		}
	}
	return m, nil
}

// Finish writes lines that have no line feed yet: their source will not write again.
func (w *Writer) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return fs.ErrClosed
	}
	w.tick()
	var err error
	for _, src := range []engine.Source{engine.SourceStdout, engine.SourceStderr} {
		if pt := w.part[src]; pt != nil && len(pt.text) > 0 {
			err = errors.Join(err, w.record(src, pt, nil, false))
		}
	}
	return errors.Join(err, w.flush())
}

// Close writes what is left, waits until the compression of a rotated file is done, and closes the log. It may be repeated.
func (w *Writer) Close() error {
	err := w.Finish()
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waitZipped()
	err = errors.Join(err, w.f.Close())
	w.f = nil
	return err
}
