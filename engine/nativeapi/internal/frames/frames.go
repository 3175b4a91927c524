// Package frames moves a process's streams, in both directions, over one connection: attach and exec of the native API. Each
// frame is a byte that says what it is, four bytes of length in big-endian order, and that many bytes.
//
// Input is bounded by acknowledgement: a sender has at most Window bytes on the way that the process has not taken. So the
// receiver never stops reading, and learns at once of a new terminal size and of a peer that has gone, whatever the process does.
package frames

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Kind says what a frame is.
type Kind byte

// The kinds. The client sends the first two, the server the others.
const (
	Stdin  Kind = 'i' // input; without bytes it is the input's end
	Resize Kind = 'r' // JSON Size
	Stdout Kind = 'o'
	Stderr Kind = 'e'
	Ack    Kind = 'a' // how many bytes of input were taken, four bytes in big-endian order
	End    Kind = 'z' // the streams have ended: the process did, or the client left its terminal by the detach keys
	Exit   Kind = 'x' // JSON Status of the process; the last frame
	Error  Kind = '!' // JSON of the API's error; the last frame
)

// Protocol is what the Upgrade header names.
const Protocol = "xc-stream"

const (
	// MaxFrame bounds the bytes of one frame.
	MaxFrame = 64 << 10
	// Window is how many bytes of input may be on the way.
	Window = 256 << 10

	header = 5
)

// Size is a terminal's, in characters.
type Size struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// Status is a process's end.
type Status struct {
	Code int `json:"code"` // 128 + signal number when a signal ended it
}

// Writer writes frames. It is safe for use by several goroutines.
type Writer struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// NewWriter returns a Writer upon w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes one frame of at most MaxFrame bytes.
func (w *Writer) Write(k Kind, p []byte) error {
	if len(p) > MaxFrame {
		return fmt.Errorf("frame of %d bytes", len(p))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf[:0], byte(k), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(w.buf[1:], uint32(len(p)))
	w.buf = append(w.buf, p...)
	_, err := w.w.Write(w.buf)
	return err
}

// WriteJSON writes one frame of v.
func (w *Writer) WriteJSON(k Kind, v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.Write(k, p)
}

// Stream returns a writer whose bytes become frames of one kind.
func (w *Writer) Stream(k Kind) io.Writer { return stream{w, k} }

type stream struct {
	w *Writer
	k Kind
}

func (s stream) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		piece := p[written:min(len(p), written+MaxFrame)]
		if err := s.w.Write(s.k, piece); err != nil {
			return written, err
		}
		written += len(piece)
	}
	return written, nil
}

// Reader reads frames.
type Reader struct {
	r   io.Reader
	buf []byte
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Read reads the next frame; its bytes are valid until the one after it. The end between two frames is io.EOF.
func (r *Reader) Read() (Kind, []byte, error) {
	var h [header]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(h[1:])
	if n > MaxFrame {
		return 0, nil, fmt.Errorf("frame of %d bytes, at most %d are allowed", n, MaxFrame)
	}
	if cap(r.buf) < int(n) {
		r.buf = make([]byte, MaxFrame)
	}
	p := r.buf[:n]
	if _, err := io.ReadFull(r.r, p); err != nil {
		return 0, nil, unexpected(err)
	}
	return Kind(h[0]), p, nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
