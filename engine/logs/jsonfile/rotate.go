package jsonfile

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// Suffixes of rotated files, after the number.
const (
	Zipped = ".gz"
	aside  = ".gz.tmp" // a compressed file that is being written
)

// Rotated is the name of the n-th rotated file of a log, not compressed. n counts from 1, the newest.
func Rotated(path string, n int) string { return path + "." + strconv.Itoa(n) }

// rotateIfFull rotates when the file has reached its bound, as dockerd does: before the record that would follow. When that
// fails the file grows on.
func (w *Writer) rotateIfFull() error {
	if w.spec.MaxSize <= 0 || w.size+int64(len(w.out)) < w.spec.MaxSize {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	if w.size < w.spec.MaxSize {
		return nil
	}
	w.waitZipped()
	old := w.f
	if err := w.shift(); err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	if err := w.openFile(); err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	old.Close()
	if w.zips() {
		w.zip()
	}
	return nil
}

func (w *Writer) zips() bool { return w.spec.Compress && w.spec.MaxFiles > 1 }

// shift moves every file one number up, the oldest out, highest number first.
func (w *Writer) shift() error {
	path, files := w.spec.Path, w.spec.MaxFiles
	if files < 2 {
		return remove(path)
	}
	// An earlier rotation came this far and could make no new file: what is being written is number 1 already.
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, suffix := range []string{"", Zipped} {
		if err := remove(Rotated(path, files-1) + suffix); err != nil {
			return err
		}
	}
	for n := files - 2; n >= 1; n-- {
		for _, suffix := range []string{"", Zipped} {
			if err := rename(Rotated(path, n)+suffix, Rotated(path, n+1)+suffix); err != nil {
				return err
			}
		}
	}
	return rename(path, Rotated(path, 1))
}

// mend finishes what a rotation that was cut short left: half a compressed file goes, an original that has its compressed
// file goes, one that has none is compressed.
func (w *Writer) mend() error {
	waiting := 0
	for n := 1; n < w.spec.MaxFiles; n++ {
		name := Rotated(w.spec.Path, n)
		if err := remove(name + aside); err != nil {
			return err
		}
		if _, err := os.Lstat(name); err != nil {
			continue
		}
		if _, err := os.Lstat(name + Zipped); err == nil {
			if err := remove(name); err != nil {
				return err
			}
			continue
		}
		waiting++
	}
	if waiting > 0 && w.zips() {
		w.zip()
	}
	return nil
}

// zip compresses the rotated files that are not, apart from the writer. The next rotation waits for it.
func (w *Writer) zip() {
	done := make(chan struct{})
	w.zipping = done
	path, files := w.spec.Path, w.spec.MaxFiles
	go func() {
		defer close(done)
		// A compressor needs as much memory as all the rest of a shim, and no second one for minutes.
		defer debug.FreeOSMemory()
		for n := files - 1; n >= 1; n-- {
			// A failure leaves the original, which readers find as well; the next rotation tries again.
			_ = compress(Rotated(path, n))
		}
	}()
}

func (w *Writer) waitZipped() {
	if w.zipping != nil {
		<-w.zipping
		w.zipping = nil
	}
}

// compress replaces a rotated file by its compressed form.
func compress(name string) error {
	in, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	if err := compressTo(name+aside, in); err != nil {
		return errors.Join(err, remove(name+aside))
	}
	if err := rename(name+aside, name+Zipped); err != nil {
		return err
	}
	return remove(name)
}

func compressTo(name string, in *os.File) error {
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer out.Close()
	buf := bufio.NewWriterSize(out, 32<<10)
	// The container may be waiting for the next rotation: speed before size.
	z, err := gzip.NewWriterLevel(buf, gzip.BestSpeed)
	if err != nil {
		return err
	}
	z.Extra = appendHeader(nil, st.ModTime())
	if _, err := io.Copy(z, in); err != nil {
		return err
	}
	if err := errors.Join(z.Close(), buf.Flush()); err != nil {
		return err
	}
	return out.Sync()
}

// appendHeader renders a compressed file's header as dockerd does: a time that no record in the file is later than. A file's
// own time is taken from a coarser clock than a record's, hence the second.
func appendHeader(b []byte, changed time.Time) []byte {
	b = append(b, `{"lastTime":"`...)
	b = changed.Add(time.Second).UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, `"}`...)
}

// remove and rename take it for done when the file is not there.
func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
