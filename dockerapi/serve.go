package dockerapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"

	"github.com/gorilla/mux"

	"github.com/xcengine/xc/dockerapi/internal/httpx"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// serve makes an http.Handler of a route: headers, safety, version, query, panics, errors and log in one place.
func (s *Server) serve(rt httpx.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		ctx := r.Context()
		if rt.Stream {
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(s.stopping, cancel)()
		}
		s.setHeaders(rec.Header())
		err := s.call(ctx, rt, rec, r)
		if err != nil && !rec.begun {
			s.refuse(rec, r, err)
			s.note(r, rec, err)
			return
		}
		s.note(r, rec, err)
		if err != nil && !rec.hijacked {
			panic(http.ErrAbortHandler) // the client must not take what it got for the whole answer
		}
	})
}

// setHeaders sets what stands in every answer.
func (s *Server) setHeaders(h http.Header) {
	h.Set("Api-Version", translate.MaxVersion.String())
	h.Set("Docker-Experimental", "false")
	h.Set("Ostype", s.host.OSType)
	h.Set("Server", fmt.Sprintf("xc/%s (%s)", s.host.Version, s.host.OSType))
}

// call runs the handler; a panic comes back as an error.
func (s *Server) call(ctx context.Context, rt httpx.Route, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			s.log.Error("handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			err = &engine.Error{Kind: engine.Internal, Err: errors.New("internal error of the daemon; its log says more")}
		}
	}()
	if err := checkOrigin(r); err != nil {
		return err
	}
	vars := mux.Vars(r)
	version, err := translate.ParseVersion(vars["version"])
	if err != nil {
		return err
	}
	if version.Before(rt.Since.Major, rt.Since.Minor) {
		return translate.NeedsVersion(rt.Method, rt.Pattern, rt.Since, version)
	}
	req, err := httpx.NewRequest(r, version, vars)
	if err != nil {
		return err
	}
	return rt.Handler(ctx, w, req)
}

// refuse writes an error. Clients older than any version served print a body as it is, so they get plain text.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	v, verr := translate.ParseVersion(mux.Vars(r)["version"])
	if verr != nil && v.Before(translate.MinVersion.Major, translate.MinVersion.Minor) {
		http.Error(w, translate.Message(err), httpx.Status(err))
		return
	}
	httpx.WriteError(w, err)
}

// note logs a request: never its query, headers or body, which may hold secrets.
func (s *Server) note(r *http.Request, rec *recorder, err error) {
	level, text, attrs := slog.LevelDebug, "request", []slog.Attr{
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", rec.status),
	}
	if err != nil {
		text, attrs = "request failed", append(attrs, slog.Any("error", err))
		if httpx.Status(err) >= http.StatusInternalServerError && !rec.hijacked && r.Context().Err() == nil {
			level = slog.LevelError
		}
	}
	s.log.LogAttrs(r.Context(), level, text, attrs...)
}

// recorder remembers whether and how an answer was begun.
type recorder struct {
	http.ResponseWriter
	status   int
	begun    bool
	hijacked bool
}

func (r *recorder) begin(status int) {
	if !r.begun {
		r.begun, r.status = true, status
	}
}

func (r *recorder) WriteHeader(status int) {
	r.begin(status)
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.begin(http.StatusOK)
	return r.ResponseWriter.Write(p)
}

// ReadFrom lets io.Copy use what the connection offers.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	r.begin(http.StatusOK)
	return io.Copy(r.ResponseWriter, src)
}

// Hijack hands the connection over; from then on no answer can be written.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil {
		r.begin(http.StatusSwitchingProtocols)
		r.hijacked = true
	}
	return conn, rw, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
