package build

import (
	"bytes"
	"context"
	"net/http"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// registryConfig carries credentials for all registries that the client knows.
const registryConfig = "X-Registry-Config"

// build makes an image. The answer begins with the first thing that there is to tell; until then an error has its own status.
func (g *group) build(ctx context.Context, w http.ResponseWriter, r *httpx.Request) error {
	req, err := translate.Build(r.URL.Query(), r.Header.Get(registryConfig), r.Version, g.env.Host)
	if err != nil {
		return err
	}
	if req.Remote == "" {
		req.Context = r.Body
	}
	out := &stream{w: w, quiet: r.Bool("q")}
	id, err := g.backend.Build(ctx, req, func(e engine.BuildEvent) { out.write(translate.BuildLines(e, r.Version)) })
	if err != nil {
		return out.fail(err)
	}
	if out.quiet {
		out.send(translate.BuiltLine(id))
	}
	return nil
}

// maxKept bounds what a quiet build keeps to tell if it fails, in bytes: the end is what tells why.
const maxKept = 1 << 20

// stream writes the lines of a build. A quiet one keeps the last of them for the case that the build fails.
type stream struct {
	w     http.ResponseWriter
	quiet bool
	begun bool
	kept  bytes.Buffer
}

func (s *stream) write(lines []byte) {
	switch {
	case len(lines) == 0:
	case s.quiet:
		s.kept.Write(lines)
		if s.kept.Len() > 2*maxKept {
			s.kept.Next(s.kept.Len() - maxKept)
			_, _ = s.kept.ReadBytes('\n') // the rest of a line; of one that has no end nothing is left
		}
	default:
		s.send(lines)
	}
}

func (s *stream) send(lines []byte) {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/json")
		s.w.WriteHeader(http.StatusOK)
	}
	// A failure to write means that the client has gone, which ends the request's context.
	if _, err := s.w.Write(lines); err == nil {
		_ = httpx.Flush(s.w)
	}
}

// fail ends the stream with an error, or gives it back when nothing was written.
func (s *stream) fail(err error) error {
	if s.kept.Len() > 0 {
		s.send(s.kept.Bytes())
	}
	if !s.begun {
		return err
	}
	s.send(translate.ErrorLine(err))
	return nil
}
