package logs

import (
	"context"
	"os"
	"time"

	"github.com/xcengine/xc/engine"
)

// live reads a file that may still grow, from a byte on.
type live struct {
	f  *os.File
	at int64
}

func (l *live) Read(p []byte) (int, error) {
	n, err := l.f.ReadAt(p, l.at)
	l.at += int64(n)
	if n > 0 {
		return n, nil
	}
	return n, err
}

// follow reads the newest file and all that come after it, until the log will not grow again. from.f is nil when there was
// no file yet.
func (s *Stream) follow(ctx context.Context, from place, each func(engine.LogRecord) error, flush func() error) error {
	var until <-chan time.Time
	if !s.q.Until.IsZero() {
		timer := time.NewTimer(time.Until(s.q.Until))
		defer timer.Stop()
		until = timer.C
	}
	at := &position{}
	defer at.close()
	if from.f != nil {
		s.move(at, from)
	}
	for more := true; ; {
		if err := s.catchUp(ctx, at, each); err != nil {
			return err
		}
		if !more {
			return s.line(at.rest(), each)
		}
		if flush != nil {
			if err := flush(); err != nil {
				return err
			}
		}
		select {
		case _, more = <-s.grew:
		case <-until:
			more = false
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// position is where following has come to; both members are nil as long as there is no file.
type position struct {
	f *file
	l *lines
}

func (p *position) rest() []byte {
	if p.l == nil {
		return nil
	}
	return p.l.rest()
}

func (p *position) close() {
	if p.f != nil {
		p.f.Close()
	}
}

// move goes on to another file.
func (s *Stream) move(at *position, to place) {
	at.close()
	at.f = to.f
	if to.f.zipped {
		at.l = s.linesOf(to.f.reader(), to) // the newest of a log whose writer was cut off while it rotated
		return
	}
	at.l = s.linesOf(&live{f: to.f.f, at: to.offset}, to)
}

// catchUp reads to the log's present end.
func (s *Stream) catchUp(ctx context.Context, at *position, each func(engine.LogRecord) error) error {
	for {
		if at.l != nil {
			if err := s.drain(ctx, at.l, each); err != nil {
				return err
			}
			if !moved(s.spec.Path, at.f) {
				return nil
			}
		}
		next, err := s.advance(ctx, at, each)
		if err != nil || next == nil {
			return err
		}
		s.move(at, place{f: next})
	}
}

// advance is called when there is a newer file than at's. It reads that one's end and all that came between, and returns the
// newest file; nil when that has not been made yet.
func (s *Stream) advance(ctx context.Context, at *position, each func(engine.LogRecord) error) (*file, error) {
	if at.l != nil {
		// The writer wrote its last to the file before it moved it away, so now its end is reached for good.
		if err := s.drain(ctx, at.l, each); err != nil {
			return nil, err
		}
	}
	newer, err := openNewer(s.spec, at.f)
	if err != nil {
		return nil, &engine.Error{Op: "logs", Resource: engine.ResourceContainer, Err: err}
	}
	if len(newer) == 0 {
		return nil, nil
	}
	if err := s.line(at.rest(), each); err != nil {
		closeAll(newer)
		return nil, err
	}
	last := len(newer) - 1
	for i, f := range newer[:last] {
		err := s.readFile(ctx, place{f: f}, each)
		f.Close()
		if err != nil {
			closeAll(newer[i+1:])
			return nil, err
		}
	}
	return newer[last], nil
}
