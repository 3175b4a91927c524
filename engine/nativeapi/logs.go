package nativeapi

import (
	"bufio"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/internal/frames"
)

// logBuffer joins lines: a log that is only read leaves in pieces of this size, one that is followed at each pause.
const logBuffer = 64 << 10

// flusher sends what was written when it is told so, or when there is much.
type flusher struct {
	*bufio.Writer
	w http.ResponseWriter
}

// Flush sends what was written.
func (f *flusher) Flush() error {
	if err := f.Writer.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(f.w).Flush()
}

// logRender says what precedes a line.
type logRender struct{ timestamps, details bool }

// logWriter makes frames of records.
type logWriter struct {
	render logRender
	to     *flusher
	frames *frames.Writer
	buf    []byte
}

func newLogWriter(w http.ResponseWriter, r logRender) *logWriter {
	to := &flusher{bufio.NewWriterSize(w, logBuffer), w}
	return &logWriter{render: r, to: to, frames: frames.NewWriter(to)}
}

func (l *logWriter) write(r engine.LogRecord) error {
	kind := frames.Stdout
	if r.Source == engine.SourceStderr {
		kind = frames.Stderr
	}
	l.buf = l.buf[:0]
	if l.render.timestamps {
		l.buf = append(r.Time.UTC().AppendFormat(l.buf, "2006-01-02T15:04:05.000000000Z07:00"), ' ')
	}
	if l.render.details && len(r.Attrs) > 0 {
		for i, key := range slices.Sorted(maps.Keys(r.Attrs)) {
			if i > 0 {
				l.buf = append(l.buf, ',')
			}
			l.buf = append(l.buf, url.QueryEscape(key)+"="+url.QueryEscape(r.Attrs[key])...)
		}
		l.buf = append(l.buf, ' ')
	}
	l.buf = append(l.buf, r.Data...)
	_, err := l.frames.Stream(kind).Write(l.buf)
	return err
}
