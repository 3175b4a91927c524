package archive

import (
	"bufio"
	"context"
	"io"
)

// stream runs produce in a goroutine of its own and returns what it writes. The reader gets produce's error; produce's
// writes fail once the reader is closed or ctx has ended.
func stream(ctx context.Context, produce func(ctx context.Context, w io.Writer) error) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	s := &piped{PipeReader: r, cancel: cancel, done: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer close(s.done)
		defer stop()
		buffered := bufio.NewWriterSize(w, 64<<10)
		err := produce(ctx, buffered)
		if err == nil {
			err = buffered.Flush()
		}
		w.CloseWithError(err)
	}()
	return s
}

type piped struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Close ends the stream and waits for its producer.
func (s *piped) Close() error {
	s.cancel()
	err := s.PipeReader.Close()
	<-s.done
	return err
}

// reader makes reads fail once ctx has ended.
func reader(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
