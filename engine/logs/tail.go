package logs

import (
	"bytes"
	"errors"
	"io"
)

// place is where reading of a file begins: at a byte, or behind a number of lines (compressed files have no way back).
type place struct {
	f      *file
	offset int64
	skip   int
}

// tail finds where the last n lines of the files begin. Files that hold none of them are left out and closed. Lines count
// as dockerd counts them: every record, whatever its stream and time.
func tail(files []*file, n int) ([]place, error) {
	i := len(files)
	var places []place
	for i > 0 && n > 0 {
		i--
		p, found, err := tailOf(files[i], n)
		if err != nil {
			closeAll(files)
			return nil, err
		}
		n -= found
		places = append([]place{p}, places...)
	}
	closeAll(files[:i])
	return places, nil
}

func tailOf(f *file, n int) (place, int, error) {
	if f.zipped {
		total, err := countLines(f.reader())
		if err != nil {
			return place{}, 0, err
		}
		return place{f: f, skip: max(total-n, 0)}, min(total, n), nil
	}
	offset, found, err := tailOffset(f.f, f.size, n)
	return place{f: f, offset: offset}, found, err
}

func countLines(r io.Reader) (int, error) {
	buf := make([]byte, readSize)
	total := 0
	for {
		n, err := r.Read(buf)
		total += bytes.Count(buf[:n], []byte{'\n'})
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// tailOffset reads backwards and returns where the last n complete lines of the first size bytes begin, and how many there
// are if fewer. What stands behind the last line feed does not count.
func tailOffset(r io.ReaderAt, size int64, n int) (offset int64, found int, err error) {
	buf := make([]byte, 64<<10)
	feeds := 0 // met so far; the n+1st from the end stands before the first wanted line
	for end := size; end > 0; {
		begin := max(end-int64(len(buf)), 0)
		chunk := buf[:end-begin]
		if _, err := r.ReadAt(chunk, begin); err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for i := len(chunk); i > 0; {
			i = bytes.LastIndexByte(chunk[:i], '\n')
			if i < 0 {
				break
			}
			feeds++
			if feeds > n {
				return begin + int64(i) + 1, n, nil
			}
		}
		end = begin
	}
	return 0, feeds, nil
}
