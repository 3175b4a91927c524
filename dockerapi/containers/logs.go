package containers

import (
	"bufio"
	"context"
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/dockerapi/internal/stdcopy"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// logBuffer joins lines: a log that is only read leaves in pieces of this size, one that is followed at each pause.
const logBuffer = 64 << 10

func (g *group) logs(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	q, err := translate.LogQuery(translate.LogsQuery{
		Stdout: r.Bool("stdout"), Stderr: r.Bool("stderr"), Follow: r.Bool("follow"),
		Since: r.Param("since"), Until: r.Param("until"), Tail: r.Param("tail"),
	}, g.env.Now())
	if err != nil {
		return err
	}
	log, err := g.backend.Logs(ctx, r.Var("name"), q)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := httpx.BeginStream(w, translate.LogType(r.Version, log.TTY())); err != nil {
		return err
	}
	out := &logWriter{to: bufio.NewWriterSize(w, logBuffer), mux: !log.TTY(), timestamps: r.Bool("timestamps"), details: r.Bool("details")}
	err = log.Read(ctx, out.write, func() error {
		if err := out.to.Flush(); err != nil {
			return err
		}
		return httpx.Flush(w)
	})
	if err != nil && ctx.Err() == nil {
		out.say("Error grabbing logs: " + translate.Message(err) + "\n")
	}
	if err := out.to.Flush(); err != nil || ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}

// logWriter renders records, as frames unless the container has a terminal.
type logWriter struct {
	to                       *bufio.Writer
	mux, timestamps, details bool
	buf                      []byte
}

func (l *logWriter) write(r engine.LogRecord) error {
	var header [stdcopy.HeaderLen]byte
	l.buf = append(l.buf[:0], header[:]...)
	l.buf = translate.LogPrefix(l.buf, r, l.timestamps, l.details)
	prefix := l.buf[stdcopy.HeaderLen:]
	if l.mux {
		stdcopy.PutHeader(l.buf, stdcopy.Stream(r.Source), len(prefix)+len(r.Data))
		prefix = l.buf
	}
	if _, err := l.to.Write(prefix); err != nil {
		return err
	}
	_, err := l.to.Write(r.Data)
	return err
}

// say writes a sentence of the engine into the log; that the client has gone is told by the flush.
func (l *logWriter) say(text string) {
	if l.mux {
		var header [stdcopy.HeaderLen]byte
		stdcopy.PutHeader(header[:], stdcopy.System, len(text))
		_, _ = l.to.Write(header[:])
	}
	_, _ = l.to.WriteString(text)
}
