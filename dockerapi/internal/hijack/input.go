package hijack

import (
	"context"
	"io"
	"sync"
)

// Input reads the client's half of a connection that cannot be half-closed: its end means that the client has gone. It is
// read all the time, for there is no other way to learn of that; what the process does not take yet waits in one buffer.
type Input struct {
	from io.Reader
	pipe *io.PipeReader
	to   *io.PipeWriter
}

// NewInput returns the input of a connection. Nothing is read before Watch.
func NewInput(from io.Reader) *Input {
	r, w := io.Pipe()
	return &Input{from: from, pipe: r, to: w}
}

// Read implements io.Reader for the process.
func (i *Input) Read(p []byte) (int, error) { return i.pipe.Read(p) }

// Watch begins to read and returns a context that ends with the client. stop ends both; the connection must be closed soon
// after it, to end a read that is going on.
func (i *Input) Watch(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, err := io.Copy(i.to, i.from)
		i.to.CloseWithError(err)
		cancel()
	}()
	var once sync.Once
	return ctx, func() { once.Do(func() { i.pipe.Close(); cancel() }) }
}
