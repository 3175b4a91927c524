// Package stdcopy writes Docker's multiplexed stream: each piece of a process's output is preceded by eight bytes, which are
// the stream's number, three zeros and the length of the piece in big-endian order (api/swagger.yaml, ContainerAttach, of
// moby 28.5.2).
package stdcopy

import (
	"encoding/binary"
	"io"
	"math"
	"sync"
)

// Stream is the number of a stream.
type Stream byte

// The streams.
const (
	Stdin  Stream = 0
	Stdout Stream = 1
	Stderr Stream = 2
	System Stream = 3 // the engine's own words, such as why a log ends early
)

// HeaderLen is how many bytes precede a piece.
const HeaderLen = 8

// joined is up to how many bytes a piece is copied behind its header, so that both leave in one write.
const joined = 32 << 10

// PutHeader writes the header of a piece of n bytes into h, which has room for HeaderLen.
func PutHeader(h []byte, s Stream, n int) {
	_ = h[HeaderLen-1]
	h[0], h[1], h[2], h[3] = byte(s), 0, 0, 0
	binary.BigEndian.PutUint32(h[4:], uint32(n))
}

// Mux lets several streams share one writer.
type Mux struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// New returns a Mux upon w.
func New(w io.Writer) *Mux { return &Mux{w: w} }

// Stream returns a writer of one stream. It is safe for use beside the others. Every write becomes one piece, and counts
// only the bytes that are the caller's.
func (m *Mux) Stream(s Stream) io.Writer { return stream{m, s} }

type stream struct {
	mux *Mux
	id  Stream
}

func (s stream) Write(p []byte) (int, error) {
	s.mux.mu.Lock()
	defer s.mux.mu.Unlock()
	written := 0
	for {
		piece := p[written:]
		if len(piece) > math.MaxUint32 {
			piece = piece[:math.MaxUint32]
		}
		n, err := s.mux.write(s.id, piece)
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

func (m *Mux) write(id Stream, p []byte) (int, error) {
	if len(p) <= joined {
		m.buf = append(m.buf[:0], make([]byte, HeaderLen)...)
		PutHeader(m.buf, id, len(p))
		m.buf = append(m.buf, p...)
		n, err := m.w.Write(m.buf)
		return max(n-HeaderLen, 0), err
	}
	var header [HeaderLen]byte
	PutHeader(header[:], id, len(p))
	if _, err := m.w.Write(header[:]); err != nil {
		return 0, err
	}
	return m.w.Write(p)
}
