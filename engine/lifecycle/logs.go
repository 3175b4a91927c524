package lifecycle

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Logs opens a container's log. A driver that keeps nothing to read is NotImplemented.
func (s *Service) Logs(ctx context.Context, ref string, q engine.LogQuery) (engine.LogStream, error) {
	u, err := s.lookup(ref)
	if err != nil {
		return nil, err
	}
	c, r := u.current()
	file, err := s.logFile(c)
	if err != nil {
		return nil, err
	}
	l := &logStream{tty: c.Spec.Process.TTY, stop: func() {}}
	follow := q.Follow
	q.Follow = false
	var grew <-chan struct{}
	if follow && r != nil {
		// When the shim went just now, what it wrote is all there is.
		if g, stop, err := r.shim.Logged(ctx); err == nil {
			grew, l.stop, q.Follow = g, stop, true
		}
	}
	if l.LogRecords, err = s.LogReader.Open(file, q, grew); err != nil {
		l.stop()
		return nil, wrap("logs", c.Name, err)
	}
	return l, nil
}

// logStream is an accepted logs request.
type logStream struct {
	LogRecords
	tty  bool
	stop func()
}

// TTY reports whether the records came from a terminal.
func (l *logStream) TTY() bool { return l.tty }

// Close ends the request.
func (l *logStream) Close() error {
	l.stop()
	return l.LogRecords.Close()
}
