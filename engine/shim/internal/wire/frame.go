// Package wire is the form of what xcd and a shim say to each other: frames on a stream socket, and the fields of messages
// within them. What it means is said in the package comment of engine/shim.
//
// A frame is a header of eight bytes and a payload: kind (1), zero (1), number of the request (2), length of the payload (4),
// big-endian. A message is a sequence of fields: tag, length, value, with tag and length as unsigned varints; numbers are
// varints, too. A field that is zero or empty is left out, one whose tag is not known is passed over: so each side may be
// newer than the other.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Version is the newest protocol that this code speaks. A daemon speaks all older ones, too.
const Version = 1

// Kind says what a frame is.
type Kind uint8

// The first frame of a connection says what it is for.
const (
	Control Kind = 1 // Hello; answered by OK with Welcome
	Attach  Kind = 2 // AttachOptions; answered by OK, then output
	Exec    Kind = 3 // ExecStart; answered by OK with Pid, then output
	Forward Kind = 4 // Forwarding, with the descriptors of its new listeners; answered by OK
)

// Requests on a control connection, each answered by OK or Failure with the same number.
const (
	Run     Kind = 16 // Launch; answered with Pid
	Resize  Kind = 17 // Target with size
	Signal  Kind = 18 // Target with signal
	Status  Kind = 19 // answered with Status
	Release Kind = 20
	Watch   Kind = 21 // no answer: a Logged follows as soon as the log has grown since the last one
)

// What the shim says.
const (
	OK      Kind = 32
	Failure Kind = 33 // Error
	Event   Kind = 34 // ShimEvent
	Logged  Kind = 35 // the log has grown
	LogEnd  Kind = 36 // and will not again
)

// Data of a process; unlike all else these payloads are bytes as they are.
const (
	Stdin    Kind = 48
	StdinEnd Kind = 49
	Stdout   Kind = 50
	Stderr   Kind = 51
	End      Kind = 52 // of all output
	Leave    Kind = 53 // the client goes, its input has not ended
)

// HeaderLen is the length of a frame's header.
const HeaderLen = 8

// MaxPayload bounds what one frame carries.
const MaxPayload = 16 << 20

// PutHeader writes a header into the first HeaderLen bytes of b.
func PutHeader(b []byte, k Kind, number uint16, length int) {
	b[0], b[1] = byte(k), 0
	binary.BigEndian.PutUint16(b[2:], number)
	binary.BigEndian.PutUint32(b[4:], uint32(length))
}

// Header reads a header.
func Header(b []byte) (k Kind, number uint16, length int, err error) {
	n := binary.BigEndian.Uint32(b[4:])
	if n > MaxPayload {
		return 0, 0, 0, fmt.Errorf("frame of %d bytes", n)
	}
	return Kind(b[0]), binary.BigEndian.Uint16(b[2:]), int(n), nil
}

// Frame is one frame.
type Frame struct {
	Kind    Kind
	Number  uint16
	Payload []byte
}

// AppendFrame appends a frame.
func AppendFrame(dst []byte, f Frame) []byte {
	var h [HeaderLen]byte
	PutHeader(h[:], f.Kind, f.Number, len(f.Payload))
	return append(append(dst, h[:]...), f.Payload...)
}

// Reader reads frames. Between frames it holds little memory.
type Reader struct {
	r          io.Reader
	buf        []byte
	start, end int
}

const (
	smallBuf = 512
	keepBuf  = 4 << 10
)

// NewReader returns a reader of r's frames.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next frame; its payload is valid until the next call. The error is io.EOF only between frames.
func (r *Reader) Next() (Frame, error) {
	if err := r.need(HeaderLen); err != nil {
		return Frame{}, err
	}
	k, number, n, err := Header(r.buf[r.start:])
	if err != nil {
		return Frame{}, err
	}
	if err := r.need(HeaderLen + n); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	payload := r.buf[r.start+HeaderLen : r.start+HeaderLen+n]
	r.start += HeaderLen + n
	return Frame{k, number, payload}, nil
}

// Rest returns what was read beyond the last frame; the reader is not to be used any more.
func (r *Reader) Rest() []byte { return r.buf[r.start:r.end] }

// need fills the buffer until n bytes stand in it.
func (r *Reader) need(n int) error {
	have := r.end - r.start
	if have >= n {
		return nil
	}
	switch {
	case have == 0 && len(r.buf) > keepBuf && n <= smallBuf, len(r.buf) == 0 && n <= smallBuf:
		r.buf = make([]byte, smallBuf)
		r.start, r.end = 0, 0
	case r.start+n > len(r.buf):
		buf := r.buf
		if n > len(buf) {
			buf = make([]byte, n)
		}
		copy(buf, r.buf[r.start:r.end])
		r.buf, r.start, r.end = buf, 0, have
	}
	got, err := io.ReadAtLeast(r.r, r.buf[r.end:], n-have)
	r.end += got
	if err != nil && (have > 0 || got > 0) && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
