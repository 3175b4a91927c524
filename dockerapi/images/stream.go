package images

import (
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// lines writes a JSON stream. Its status goes out with its first line.
type lines struct {
	w     http.ResponseWriter
	begun bool
}

func (l *lines) write(line []byte) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/json")
		l.w.WriteHeader(http.StatusOK)
	}
	// A failure to write means that the client has gone, which ends the request's context.
	if _, err := l.w.Write(line); err == nil {
		_ = httpx.Flush(l.w)
	}
}

func (l *lines) report(p engine.Progress) { l.write(translate.ProgressLine(p)) }

// end finishes the answer: with an error's own status while nothing was written, else with a last line.
func (l *lines) end(err error) error {
	switch {
	case err == nil && !l.begun:
		return httpx.BeginStream(l.w, "application/json")
	case err == nil:
		return nil
	case !l.begun:
		return err
	}
	l.write(translate.ErrorLine(err))
	return nil
}
