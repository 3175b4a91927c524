package layer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Compression is how a tar is compressed.
type Compression string

// The compressions that are read. Only None, Gzip and Zstd are written.
const (
	None  Compression = "none"
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
	Bzip2 Compression = "bzip2"
	Xz    Compression = "xz"
)

// maxWindow bounds the memory that a stream may make its decompressor hold, in bytes; it is what zstd --long needs, and
// twice what xz -9 does.
const maxWindow = 128 << 20

// magicSize is how many bytes Detect wants to see; fewer are enough when the stream is shorter.
const magicSize = 32

// Detect tells how a stream is compressed from its first bytes. What is not recognised is None.
func Detect(first []byte) Compression {
	for _, m := range []struct {
		magic []byte
		is    Compression
	}{
		{[]byte{0x1f, 0x8b, 0x08}, Gzip},
		{[]byte{0x28, 0xb5, 0x2f, 0xfd}, Zstd},
		{[]byte("BZh"), Bzip2},
		{[]byte{0xfd, '7', 'z', 'X', 'Z', 0x00}, Xz},
	} {
		if bytes.HasPrefix(first, m.magic) {
			return m.is
		}
	}
	// A zstd stream may begin with skippable frames: RFC 8878, section 3.1.2.
	if len(first) >= 8 && binary.LittleEndian.Uint32(first)&^0xf == 0x184d2a50 {
		return Zstd
	}
	return None
}

// Decompress detects the compression of r and returns the stream inside. It reads ahead in r. Close frees what the
// decompressor holds and leaves r open. A stream that wants more than 128 MiB of window is refused.
func Decompress(r io.Reader) (io.ReadCloser, Compression, error) {
	buffered := bufio.NewReaderSize(r, 128<<10)
	first, err := buffered.Peek(magicSize)
	if err != nil && err != io.EOF {
		return nil, None, err
	}
	is := Detect(first)
	plain, err := decompress(buffered, is, first)
	if err != nil {
		return nil, is, fmt.Errorf("decompress %s: %w", is, err)
	}
	return plain, is, nil
}

func decompress(r *bufio.Reader, is Compression, first []byte) (io.ReadCloser, error) {
	switch is {
	case Gzip:
		return gzip.NewReader(r)
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(2))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case Xz:
		if err := checkXz(first); err != nil {
			return nil, err
		}
		d, err := xz.NewReader(r)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(d), nil
	}
	return io.NopCloser(r), nil
}

// checkXz refuses a stream whose first block wants a large dictionary: the xz package allocates what the header says, up
// to 4 GiB. The layout is that of "The .xz File Format" 1.0.4, sections 3.1 and 5.3.1.
func checkXz(first []byte) error {
	const streamHeader = 12
	if len(first) <= streamHeader || first[streamHeader] == 0 {
		return nil // no block: an empty stream
	}
	block := first[streamHeader:]
	if len(block) < 2 {
		return io.ErrUnexpectedEOF
	}
	flags, rest := block[1], block[2:]
	for _, present := range []bool{flags&0x40 != 0, flags&0x80 != 0} {
		if present {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return io.ErrUnexpectedEOF
			}
			rest = rest[n:]
		}
	}
	if flags&3 != 0 || len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 {
		return nil // filters that the xz package refuses itself
	}
	bits := rest[2] & 0x3f
	size := uint64(2|bits&1) << (bits/2 + 11)
	if bits >= 40 || size > maxWindow {
		return fmt.Errorf("the dictionary is larger than %d bytes", maxWindow)
	}
	return nil
}

// Compress returns a writer that compresses to w at the level that registries' tools use. Close ends the stream and leaves
// w open.
func Compress(w io.Writer, as Compression) (io.WriteCloser, error) {
	switch as {
	case None:
		return nopCloser{w}, nil
	case Gzip:
		return gzip.NewWriterLevel(w, gzip.DefaultCompression)
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	}
	return nil, fmt.Errorf("cannot compress as %s", as)
}

type nopCloser struct{ io.Writer }

// Close does nothing.
func (nopCloser) Close() error { return nil }
