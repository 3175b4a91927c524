package logs

import (
	"context"
	"errors"
	"io"

	"github.com/xcengine/xc/engine"
)

// Stream is an accepted request for a log. The files that stand are held open from Open on: no later rotation takes
// anything from the request.
type Stream struct {
	spec   engine.LogFile
	q      engine.LogQuery
	grew   <-chan struct{}
	places []place
	dec    decoder
	rec    engine.LogRecord
	passed bool // a record at or after Since was seen; as dockerd does, later ones are not asked again
	buf    []byte
}

// errEnough ends reading at the first record after Until.
var errEnough = errors.New("enough")

// Open accepts a request. To follow, grew must receive a value after each growth of the log that began when Open was called
// (values may be merged), and be closed when the log will not grow again; a nil grew, or a query without Follow, reads what
// is there. A log that does not exist yet is empty. Reading a log that is not kept is NotImplemented with
// ReasonLogUnreadable.
func Open(spec engine.LogFile, q engine.LogQuery, grew <-chan struct{}) (*Stream, error) {
	if spec.Driver == DriverNone || spec.Path == "" {
		return nil, &engine.Error{Op: "logs", Kind: engine.NotImplemented, Resource: engine.ResourceContainer, Reason: engine.ReasonLogUnreadable}
	}
	if !q.Follow {
		grew = nil
	}
	files, err := openNewer(spec, nil)
	if err != nil {
		return nil, &engine.Error{Op: "logs", Resource: engine.ResourceContainer, Err: err}
	}
	if q.Before != nil {
		files = before(files, *q.Before)
	}
	s := &Stream{spec: spec, q: q, grew: grew}
	if s.places, err = s.begin(files); err != nil {
		return nil, &engine.Error{Op: "logs", Resource: engine.ResourceContainer, Err: err}
	}
	return s, nil
}

// begin chooses where in which files reading begins. When following, the newest file stays in any case: what comes next
// comes behind it.
func (s *Stream) begin(files []*file) ([]place, error) {
	if s.q.Tail < 0 {
		var places []place
		for i, f := range files {
			newest := i == len(files)-1
			if !newest && !f.lastTime.IsZero() && f.lastTime.Before(s.q.Since) {
				f.Close()
				continue
			}
			places = append(places, place{f: f})
		}
		return places, nil
	}
	if s.grew == nil || s.q.Tail > 0 || len(files) == 0 {
		return tail(files, s.q.Tail)
	}
	last := files[len(files)-1]
	closeAll(files[:len(files)-1])
	offset, _, err := tailOffset(last.f, last.size, 0)
	if err != nil {
		last.Close()
		return nil, err
	}
	return []place{{f: last, offset: offset}}, nil
}

// Read calls each for every record that the query selects, in order, and when following waits for more. flush is called
// when it is about to wait; it may be nil. Read returns nil at the log's end and at Until, and otherwise the error of each,
// flush or ctx. A record's Data is valid until the next one. Lines that are no records are passed over. Read once.
func (s *Stream) Read(ctx context.Context, each func(engine.LogRecord) error, flush func() error) error {
	err := s.read(ctx, each, flush)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (s *Stream) read(ctx context.Context, each func(engine.LogRecord) error, flush func() error) error {
	var last place
	for len(s.places) > 0 {
		p := s.places[0]
		if s.grew != nil && len(s.places) == 1 {
			last = p
			break
		}
		s.places = s.places[1:]
		err := s.readFile(ctx, p, each)
		p.f.Close()
		if err != nil {
			return err
		}
	}
	s.places = nil
	if s.grew == nil {
		return nil
	}
	return s.follow(ctx, last, each, flush)
}

// readFile reads a file that will not grow.
func (s *Stream) readFile(ctx context.Context, p place, each func(engine.LogRecord) error) error {
	r := p.f.reader()
	if p.offset > 0 {
		r = io.NewSectionReader(p.f.f, p.offset, p.f.size-p.offset)
	}
	l := s.linesOf(r, p)
	err := s.drain(ctx, l, each)
	if err == nil {
		err = s.line(l.rest(), each)
	}
	s.buf = l.buf
	return err
}

func (s *Stream) linesOf(r io.Reader, p place) *lines {
	l := &lines{r: r, buf: s.buf}
	for range p.skip {
		if _, err := l.next(); err != nil {
			break
		}
	}
	return l
}

// drain reads lines until there is none.
func (s *Stream) drain(ctx context.Context, l *lines, each func(engine.LogRecord) error) error {
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &engine.Error{Op: "logs", Resource: engine.ResourceContainer, Err: err}
		}
		if err := s.line(line, each); err != nil {
			return err
		}
	}
}

func (s *Stream) line(line []byte, each func(engine.LogRecord) error) error {
	if len(line) == 0 || s.dec.decode(line, &s.rec) != nil {
		return nil
	}
	r := s.rec
	if !s.passed {
		if r.Time.Before(s.q.Since) {
			return nil
		}
		s.passed = true
	}
	if !s.q.Until.IsZero() && r.Time.After(s.q.Until) {
		return errEnough
	}
	if r.Source == engine.SourceStdout && !s.q.Stdout || r.Source == engine.SourceStderr && !s.q.Stderr {
		return nil
	}
	return each(r)
}

// Close releases the files. After Read it does nothing.
func (s *Stream) Close() error {
	for _, p := range s.places {
		p.f.Close()
	}
	s.places = nil
	return nil
}
