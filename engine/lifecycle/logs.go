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
	if file.Driver == "none" {
		return nil, &engine.Error{Op: "logs", Kind: engine.NotImplemented, Resource: engine.ResourceContainer, ID: ref, Reason: engine.ReasonLogUnreadable}
	}
	l := &logStream{service: s, file: file, query: q, tty: c.Spec.Process.TTY, stop: func() {}}
	l.query.Follow = false
	if q.Follow && r != nil {
		if l.grew, l.stop, err = r.shim.Logged(ctx); err != nil {
			// The shim went just now; what it wrote is all there is.
			l.stop = func() {}
			return l, nil
		}
		l.query.Follow = true
	}
	return l, nil
}

type logStream struct {
	service *Service
	file    engine.LogFile
	query   engine.LogQuery
	tty     bool
	grew    <-chan struct{}
	stop    func()
}

func (l *logStream) TTY() bool { return l.tty }

func (l *logStream) Read(ctx context.Context, each func(engine.LogRecord) error, flush func() error) error {
	return l.service.LogReader.Read(ctx, l.file, l.query, l.grew, each, flush)
}

func (l *logStream) Close() error {
	l.stop()
	return nil
}
