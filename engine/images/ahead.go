package images

import "io"

// Decompressing and writing files take about as long as each other: a few buffers between them let both run.
const (
	aheadBuffers = 4
	aheadSize    = 256 << 10
)

// aheadReader reads its source in a goroutine of its own, a bounded way ahead.
type aheadReader struct {
	full, empty chan []byte
	stop, ended chan struct{}
	err         error // set before full is closed
	rest, buf   []byte
}

func readAhead(r io.Reader) *aheadReader {
	a := &aheadReader{
		full: make(chan []byte, aheadBuffers), empty: make(chan []byte, aheadBuffers), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	for range aheadBuffers {
		a.empty <- make([]byte, aheadSize)
	}
	go a.run(r)
	return a
}

func (a *aheadReader) run(r io.Reader) {
	defer close(a.ended)
	defer close(a.full)
	for a.err == nil {
		var buf []byte
		select {
		case buf = <-a.empty:
		case <-a.stop:
			a.err = io.ErrClosedPipe
			return
		}
		buf = buf[:aheadSize]
		n := 0
		for n < len(buf) && a.err == nil && !a.stopped() {
			var m int
			m, a.err = r.Read(buf[n:])
			n += m
		}
		if n > 0 {
			a.full <- buf[:n] // there is room: no more buffers exist than fit
		}
	}
}

func (a *aheadReader) stopped() bool {
	select {
	case <-a.stop:
		return true
	default:
		return false
	}
}

// Read implements io.Reader.
func (a *aheadReader) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.buf != nil {
			a.empty <- a.buf
			a.buf = nil
		}
		next, ok := <-a.full
		if !ok {
			return 0, a.err
		}
		a.buf, a.rest = next, next
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// Close ends the goroutine. The source is the caller's to close afterwards; a source that blocks must be ended first.
func (a *aheadReader) Close() error {
	close(a.stop)
	<-a.ended
	return nil
}
