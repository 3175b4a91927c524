package httpx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/translate"
)

// MaxJSON is how many bytes of a JSON body are read before the request is refused as too large.
const MaxJSON = 16 << 20

// Request is a request to one route, with its negotiated version, the variables of its path and its query.
type Request struct {
	*http.Request
	Version translate.Version
	vars    map[string]string
	query   url.Values
}

// NewRequest parses the query; a malformed one is Invalid.
func NewRequest(r *http.Request, v translate.Version, vars map[string]string) (*Request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid(err)
	}
	return &Request{Request: r, Version: v, vars: vars, query: query}, nil
}

// Var returns a variable of the path, such as "name".
func (r *Request) Var(name string) string { return r.vars[name] }

// Param returns the first value of a query key, or "".
func (r *Request) Param(key string) string { return r.query.Get(key) }

// Params returns every value of a query key.
func (r *Request) Params(key string) []string { return r.query[key] }

// Has reports whether a query key was given at all.
func (r *Request) Has(key string) bool { return r.query.Has(key) }

// Bool reads a query key as dockerd does: false is "", "0", "no", "false" and "none" in any case, all else is true.
func (r *Request) Bool(key string) bool {
	v := strings.ToLower(strings.TrimSpace(r.Param(key)))
	return !slices.Contains([]string{"", "0", "no", "false", "none"}, v)
}

// BoolOr is Bool, or def when the key was not given.
func (r *Request) BoolOr(key string, def bool) bool {
	if !r.Has(key) {
		return def
	}
	return r.Bool(key)
}

// Int reads a query key as a decimal number; nil when it is absent or empty. As dockerd does it leaves an error its kind,
// which is Internal.
func (r *Request) Int(key string) (*int, error) {
	s := r.Param(key)
	if s == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, err
	}
	return &n, nil
}

// Filters reads the key "filters" in either of its forms.
func (r *Request) Filters() (translate.Filters, error) {
	return translate.ParseFilters(r.Param("filters"))
}

// WantsUpgrade reports whether the client asked to take the connection over (Upgrade: tcp, or h2c).
func (r *Request) WantsUpgrade() bool {
	_, ok := r.Header["Upgrade"]
	return ok
}

// CheckJSON refuses a body that does not say it is JSON; no body needs to say anything.
func (r *Request) CheckJSON() error {
	ct := r.Header.Get("Content-Type")
	if ct == "" && (r.Body == nil || r.ContentLength == 0) {
		return nil
	}
	kind, _, err := mime.ParseMediaType(ct)
	if err != nil {
		return invalid(fmt.Errorf("malformed Content-Type header (%s): %w", ct, err))
	}
	if kind != "application/json" {
		return invalid(fmt.Errorf("unsupported Content-Type header (%s): must be 'application/json'", ct))
	}
	return nil
}

// ReadJSON decodes the body into out; an absent body leaves it as it is. Unknown fields are ignored.
func (r *Request) ReadJSON(out any) error {
	if err := r.CheckJSON(); err != nil {
		return err
	}
	if r.Body == nil || r.ContentLength == 0 {
		return nil
	}
	return r.decode(out)
}

// NeedJSON is ReadJSON for operations that make no sense without a body.
func (r *Request) NeedJSON(out any) error {
	if err := r.CheckJSON(); err != nil {
		return err
	}
	return r.decode(out)
}

func (r *Request) decode(out any) error {
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, MaxJSON))
	err := dec.Decode(out)
	whole := err == nil
	if whole {
		_, err = dec.Token()
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &engine.Error{Kind: engine.TooLarge, Err: fmt.Errorf("request body exceeds %d bytes", large.Limit)}
	case whole && err == io.EOF:
		return nil
	case whole:
		return invalid(errors.New("unexpected content after JSON"))
	case errors.Is(err, io.EOF):
		return invalid(errors.New("invalid JSON: got EOF while reading request body"))
	}
	return invalid(fmt.Errorf("invalid JSON: %w", err))
}

func invalid(err error) error { return &engine.Error{Kind: engine.Invalid, Err: err} }
