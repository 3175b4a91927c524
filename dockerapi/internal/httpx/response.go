package httpx

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// statusGone is what is noted for a client that went away before its answer; nobody reads it.
const statusGone = 499

// statuses says which status tells a kind of error.
var statuses = map[engine.Kind]int{
	engine.Internal:       http.StatusInternalServerError,
	engine.NotFound:       http.StatusNotFound,
	engine.Invalid:        http.StatusBadRequest,
	engine.Conflict:       http.StatusConflict,
	engine.NotModified:    http.StatusNotModified,
	engine.Forbidden:      http.StatusForbidden,
	engine.Unauthorized:   http.StatusUnauthorized,
	engine.Unavailable:    http.StatusServiceUnavailable,
	engine.NotImplemented: http.StatusNotImplemented,
	engine.Canceled:       statusGone,
	engine.TooLarge:       http.StatusRequestEntityTooLarge,
}

// Status returns the status that tells a Docker client the kind of an error.
func Status(err error) int {
	if s, ok := statuses[translate.Kind(err)]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// WriteJSON answers with status and v as dockerd encodes it: one line, characters of HTML as they are.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return EncodeJSON(w, v)
}

// EncodeJSON writes v as one line of an answer that has begun.
func EncodeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// WriteStatus answers with a status and no body.
func WriteStatus(w http.ResponseWriter, status int) error {
	w.WriteHeader(status)
	return nil
}

// WriteError answers with the error's status and {"message": …}. An error of kind NotModified has no body.
func WriteError(w http.ResponseWriter, err error) {
	status := Status(err)
	if status == http.StatusNotModified {
		w.WriteHeader(status)
		return
	}
	WriteMessage(w, status, translate.Message(err))
}

// WriteMessage answers with a status and {"message": …}.
func WriteMessage(w http.ResponseWriter, status int, message string) {
	// A failure to write means that the client has gone.
	_ = WriteJSON(w, status, struct {
		Message string `json:"message"`
	}{message})
}

// BeginStream sends status 200 and the headers at once, for an answer whose body comes later.
func BeginStream(w http.ResponseWriter, contentType string) error {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	return Flush(w)
}

// Flush sends what was written so far.
func Flush(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }

// Flushing returns a writer that sends every write at once.
func Flushing(w http.ResponseWriter) io.Writer { return flushWriter{w} }

type flushWriter struct{ w http.ResponseWriter }

func (f flushWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, Flush(f.w)
}
