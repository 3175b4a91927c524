package logs

import (
	"bytes"
	"io"
)

const (
	readSize = 256 << 10
	// maxRecord bounds a line of a log file: 16 KiB of output, six times that when every byte is escaped, and attributes.
	// What is longer is not a record.
	maxRecord = 4 << 20
)

// lines cuts what a reader gives into lines. At the reader's end a line without a line feed stays until more comes.
type lines struct {
	r          io.Reader
	buf        []byte
	start, end int
	over       bool // in a line that is too long
}

// next returns the next line without its line feed; it is valid until the next call. The error is the reader's, io.EOF at
// its present end.
func (l *lines) next() ([]byte, error) {
	searched := l.start
	for {
		if i := bytes.IndexByte(l.buf[searched:l.end], '\n'); i >= 0 {
			line := l.buf[l.start : searched+i]
			l.start = searched + i + 1
			if l.over {
				l.over = false
				searched = l.start
				continue
			}
			return line, nil
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
		searched = l.start
	}
}

// fill reads more behind what is there.
func (l *lines) fill() error {
	switch {
	case l.start == l.end:
		l.start, l.end = 0, 0
	case l.start > 0:
		copy(l.buf, l.buf[l.start:l.end])
		l.start, l.end = 0, l.end-l.start
	}
	if l.end == len(l.buf) {
		switch size := len(l.buf); {
		case size == 0:
			l.buf = make([]byte, readSize)
		case size >= maxRecord:
			l.over, l.end = true, 0
		default:
			grown := make([]byte, min(8*size, maxRecord))
			copy(grown, l.buf)
			l.buf = grown
		}
	}
	n, err := l.r.Read(l.buf[l.end:])
	l.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return nil
	}
	return err
}

// rest returns what stands behind the last line feed and forgets it.
func (l *lines) rest() []byte {
	line := l.buf[l.start:l.end]
	if l.over {
		line = nil
	}
	l.start, l.end, l.over = 0, 0, false
	return line
}
