package layer

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
)

// ErrTooLarge says that a layer exceeds the bounds that its caller set.
var ErrTooLarge = errors.New("layer exceeds its bound")

// DigestError says that a layer is not the one that was asked for.
type DigestError struct{ Want, Got digest.Digest }

// Error names both digests.
func (e *DigestError) Error() string {
	return fmt.Sprintf("layer has the diff id %s, want %s", e.Got, e.Want)
}

const (
	chunkSize  = 256 << 10
	chunkCount = 8
)

// ahead reads a stream in a goroutine of its own, hashing it, so that whatever makes the stream (a decompressor, a
// download) works while files are written. At most chunkCount chunks are held.
type ahead struct {
	full, free chan []byte
	current    []byte
	rest       []byte
	err        error // of the goroutine; read after full is closed
	hash       hash.Hash
	done       chan struct{}
	stop       context.CancelFunc
}

func readAhead(ctx context.Context, r io.Reader, algorithm digest.Algorithm, maxBytes int64) *ahead {
	ctx, stop := context.WithCancel(ctx)
	a := &ahead{
		full: make(chan []byte, chunkCount), free: make(chan []byte, chunkCount), hash: algorithm.Hash(),
		done: make(chan struct{}), stop: stop,
	}
	for range chunkCount {
		a.free <- nil
	}
	go func() {
		defer close(a.done)
		defer close(a.full)
		a.err = a.fill(ctx, r, maxBytes)
	}()
	return a
}

func (a *ahead) fill(ctx context.Context, r io.Reader, maxBytes int64) error {
	var total int64
	for {
		var buf []byte
		select {
		case buf = <-a.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if buf == nil {
			buf = make([]byte, chunkSize)
		}
		n, err := readFull(r, buf[:chunkSize])
		if n > 0 {
			if total += int64(n); maxBytes > 0 && total > maxBytes {
				return fmt.Errorf("%w: its stream has more than %d bytes", ErrTooLarge, maxBytes)
			}
			a.hash.Write(buf[:n])
			a.full <- buf[:n] // there is room: each chunk was taken from free
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readFull fills buf as far as it can. Unlike io.ReadFull it leaves the stream's own error as it is: a decompressor says
// io.ErrUnexpectedEOF of a stream that was cut off.
func readFull(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

// Read returns what was read ahead.
func (a *ahead) Read(p []byte) (int, error) {
	if len(a.rest) == 0 {
		if a.current != nil {
			a.free <- a.current[:cap(a.current)]
			a.current = nil
		}
		chunk, ok := <-a.full
		if !ok {
			if a.err != nil {
				return 0, a.err
			}
			return 0, io.EOF
		}
		a.current, a.rest = chunk, chunk
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// drain reads the stream to its end and returns its digest.
func (a *ahead) drain(algorithm digest.Algorithm) (digest.Digest, error) {
	a.rest = nil
	for {
		if a.current != nil {
			a.free <- a.current[:cap(a.current)]
			a.current = nil
		}
		chunk, ok := <-a.full
		if !ok {
			break
		}
		a.current = chunk
	}
	if a.err != nil {
		return "", a.err
	}
	return digest.NewDigest(algorithm, a.hash), nil
}

// close ends the goroutine and waits until it does not use the stream any more.
func (a *ahead) close() {
	a.stop()
	<-a.done
}
