// Package detach finds the keys by which a client leaves a container's terminal without ending it.
package detach

import (
	"errors"
	"io"

	"github.com/xcengine/xc/engine"
)

// ErrDetached is what a Reader returns once it has read the keys.
var ErrDetached = errors.New("detached")

// defaultKeys is what Docker's clients use: Ctrl-P Ctrl-Q.
var defaultKeys = []byte{0x10, 0x11}

// Parse is engine.ParseDetachKeys, with Docker's default for none.
func Parse(s string) ([]byte, error) {
	keys, err := engine.ParseDetachKeys(s)
	if err == nil && len(keys) == 0 {
		keys = defaultKeys
	}
	return keys, err
}

// Reader passes on what it reads until the keys come, which it keeps back and answers with ErrDetached. The beginning of
// keys that do not go on is passed on late, as a terminal's user would expect.
type Reader struct {
	src     io.Reader
	keys    []byte
	matched int    // how many of keys the last bytes read are
	ready   []byte // to be passed on
	buf     []byte
	err     error
}

// NewReader reads src and watches for keys, which must not be empty.
func NewReader(src io.Reader, keys []byte) *Reader {
	return &Reader{src: src, keys: keys, buf: make([]byte, 4096)}
}

// Read is an io.Reader's.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		n, err := r.src.Read(r.buf)
		r.err = err
		r.scan(r.buf[:n])
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

func (r *Reader) scan(in []byte) {
	out := make([]byte, 0, len(in)+len(r.keys))
	for _, b := range in {
		if b == r.keys[r.matched] {
			if r.matched++; r.matched == len(r.keys) {
				r.ready, r.err = out, ErrDetached
				return
			}
			continue
		}
		out = append(out, r.keys[:r.matched]...)
		r.matched = 0
		if b == r.keys[0] && len(r.keys) > 1 {
			r.matched = 1
			continue
		}
		out = append(out, b)
	}
	if r.err != nil {
		out = append(out, r.keys[:r.matched]...)
		r.matched = 0
	}
	r.ready = out
}
