package nativeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// maxBody bounds a JSON body.
const maxBody = 4 << 20

// handler serves one operation. Its error is answered by a status as long as nothing was written, else it ends the stream.
type handler func(ctx context.Context, c *call) error

// call is one request with its answer.
type call struct {
	*http.Request
	w     http.ResponseWriter
	peer  peer
	begun bool // an answer was begun
	lines bool // it is lines, so that an error can still be told
}

// ref is the thing that the path names.
func (c *call) ref() string { return c.PathValue("ref") }

// read decodes the body, whole and without members that nobody knows. No body leaves out as it is.
func (c *call) read(out any) error { return decode(http.MaxBytesReader(c.w, c.Body, maxBody), out) }

func decode(from io.Reader, out any) error {
	d := json.NewDecoder(from)
	d.DisallowUnknownFields()
	err := d.Decode(out)
	if err == io.EOF {
		return nil
	}
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		err = errors.New("there is more than one JSON value")
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &engine.Error{Kind: engine.TooLarge, Err: fmt.Errorf("request body exceeds %d bytes", large.Limit)}
	}
	return invalid(fmt.Errorf("request body: %w", err))
}

// readWith decodes the first of two parts of a body (multipart/form-data), "request", and gives the second, "content", to be
// read. It is for what comes with content that may not fit into memory; nothing of it is in the URL, which proxies log.
func (c *call) readWith(out any) (io.Reader, error) {
	parts, err := c.MultipartReader()
	if err != nil {
		return nil, invalid(fmt.Errorf("request body: %w", err))
	}
	first, err := parts.NextPart()
	if err != nil || first.FormName() != "request" {
		return nil, invalid(errors.Join(errors.New(`request body: its first part must be named "request"`), err))
	}
	if err := decode(http.MaxBytesReader(c.w, first, maxBody), out); err != nil {
		return nil, err
	}
	second, err := parts.NextPart()
	switch {
	case err == io.EOF:
		return nil, nil
	case err != nil:
		return nil, invalid(fmt.Errorf("request body: %w", err))
	case second.FormName() != "content":
		return nil, invalid(fmt.Errorf(`request body: its second part is named %q, not "content"`, second.FormName()))
	}
	return second, nil
}

// flag reads a query key as a truth value; absent is false.
func (c *call) flag(key string) (bool, error) {
	s := c.URL.Query().Get(key)
	if s == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(s)
	if err != nil {
		return false, invalid(fmt.Errorf("%s=%s: neither true nor false", key, s))
	}
	return v, nil
}

// flags reads several truth values.
func (c *call) flags(want map[string]*bool) (err error) {
	for key, to := range want {
		if *to, err = c.flag(key); err != nil {
			return err
		}
	}
	return nil
}

// answer writes a whole answer.
func (c *call) answer(v any) error {
	c.w.Header().Set("Content-Type", "application/json")
	c.begun = true
	return encode(c.w, v)
}

// done answers what has no more to say.
func (c *call) done(err error) error {
	if err != nil {
		return err
	}
	return c.answer(wire.Done{})
}

// begin sends the head of an answer whose body comes later.
func (c *call) begin(contentType string) error {
	c.w.Header().Set("Content-Type", contentType)
	c.w.WriteHeader(http.StatusOK)
	c.begun = true
	return http.NewResponseController(c.w).Flush()
}

// line sends one value of an answer that goes on.
func line[T any](c *call, v T) error {
	if !c.begun {
		c.lines = true
		if err := c.begin("application/x-ndjson"); err != nil {
			return err
		}
	}
	if err := encode(c.w, wire.Line[T]{Value: &v}); err != nil {
		return err
	}
	return http.NewResponseController(c.w).Flush()
}

// ended ends an answer of lines, of which there may have been none.
func (c *call) ended() error {
	if c.begun {
		return nil
	}
	return c.begin("application/x-ndjson")
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func invalid(err error) error { return &engine.Error{Kind: engine.Invalid, Err: err} }

// wrap asks what the route needs of its caller, runs the handler and answers its error.
func (s *Server) wrap(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		c := &call{Request: req, w: w}
		ctx := req.Context()
		if r.lasting {
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(s.listening(ctx), cancel)()
		}
		err := s.serve(ctx, r, c)
		if err == nil {
			return
		}
		s.cfg.Log.DebugContext(ctx, "request failed", "method", req.Method, "path", req.URL.Path, "uid", c.peer.uid, "error", err)
		switch {
		case !c.begun:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status(engine.KindOf(err)))
			_ = encode(w, encodeError(err)) // a client that has gone does not want to know
		case c.lines:
			e := encodeError(err)
			_ = encode(w, wire.Line[wire.Done]{Error: &e})
		default:
			panic(http.ErrAbortHandler) // the client must not take what it got for the whole answer
		}
	}
}

// serve runs the handler; a panic comes back as an error.
func (s *Server) serve(ctx context.Context, r route, c *call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.ErrorContext(ctx, "handler panicked", "method", c.Method, "path", c.URL.Path, "panic", p, "stack", string(debug.Stack()))
			err = &engine.Error{Kind: engine.Internal, Err: errors.New("internal error of the daemon; its log says more")}
		}
	}()
	if c.peer, err = s.admit(ctx, r, c); err != nil {
		return err
	}
	return r.handler(ctx, c)
}

// statuses says which status tells a kind of error.
var statuses = map[engine.Kind]int{
	engine.Internal:       http.StatusInternalServerError,
	engine.NotFound:       http.StatusNotFound,
	engine.Invalid:        http.StatusBadRequest,
	engine.Conflict:       http.StatusConflict,
	engine.NotModified:    http.StatusConflict, // a 304 would have no body
	engine.Forbidden:      http.StatusForbidden,
	engine.Unauthorized:   http.StatusUnauthorized,
	engine.Unavailable:    http.StatusServiceUnavailable,
	engine.NotImplemented: http.StatusNotImplemented,
	engine.Canceled:       499,
	engine.TooLarge:       http.StatusRequestEntityTooLarge,
}

func status(k engine.Kind) int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return http.StatusInternalServerError
}
