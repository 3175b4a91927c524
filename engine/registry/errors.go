package registry

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/xcengine/xc/engine"
)

// statusError is a registry's refusal with what its headers say beside the body.
type statusError struct {
	refusal      *transport.Error
	retryAfter   time.Duration
	insufficient bool // the token was good and its rights were not
	basic        bool // it asks for a name and a password, with every request
}

// Error returns the protocol's words.
func (e *statusError) Error() string { return e.refusal.Error() }

// Unwrap returns the protocol's error.
func (e *statusError) Unwrap() error { return e.refusal }

// RetryAfter is how long the registry asks to be left alone.
func (e *statusError) RetryAfter() time.Duration { return e.retryAfter }

// maxRefusal is how much of a refusal is read, in bytes. The library fails on more than twice as much.
const maxRefusal = 32 << 10

type cutBody struct {
	io.Reader
	io.Closer
}

// check returns nil for the wanted statuses, else the refusal. It reads the rest of a refusal's body, bounded.
func check(resp *http.Response, want ...int) error {
	if slices.Contains(want, resp.StatusCode) {
		return nil
	}
	resp.Body = &cutBody{io.LimitReader(resp.Body, maxRefusal), resp.Body}
	err := transport.CheckError(resp)
	var refusal *transport.Error
	if !errors.As(err, &refusal) {
		return err
	}
	return &statusError{
		refusal: refusal, retryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		insufficient: strings.Contains(resp.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`),
		basic:        strings.HasPrefix(strings.ToLower(resp.Header.Get("WWW-Authenticate")), "basic "),
	}
}

// retryAfter reads the header in both of its forms, RFC 9110 section 10.2.3.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 86400)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

func isStatus(err error, codes ...int) bool {
	var refusal *transport.Error
	return errors.As(err, &refusal) && slices.Contains(codes, refusal.StatusCode)
}

func hasCode(err error, codes ...transport.ErrorCode) bool {
	var refusal *transport.Error
	return errors.As(err, &refusal) && slices.ContainsFunc(refusal.Errors, func(d transport.Diagnostic) bool {
		return slices.Contains(codes, d.Code)
	})
}

// explain makes an engine.Error of whatever went wrong with a repository.
func (c *Client) explain(err error, named reference.Named, rights string) error {
	if err == nil {
		return nil
	}
	var known *engine.Error
	if errors.As(err, &known) {
		return err
	}
	e := &engine.Error{Kind: engine.Unavailable, Resource: engine.ResourceRegistry, ID: reference.FamiliarName(named), Err: words(err)}
	denied := isStatus(err, http.StatusUnauthorized, http.StatusForbidden) || hasCode(err, transport.UnauthorizedErrorCode, transport.DeniedErrorCode)
	switch {
	case isCanceled(err):
		e.Kind, e.Err = engine.Canceled, err
	case denied:
		refused(e, err, rights)
	case hasCode(err, transport.NameUnknownErrorCode):
		e.Kind, e.Resource, e.Reason, e.Args = engine.NotFound, engine.ResourceImage, engine.ReasonNameUnknown, []string{e.ID}
		e.Err = &worded{fmt.Sprintf("repository %s not found: %v", e.ID, e.Err), err}
	case isStatus(err, http.StatusNotFound):
		e.Kind = engine.NotFound
	case isStatus(err, http.StatusBadRequest, http.StatusRequestEntityTooLarge):
		e.Kind = engine.Invalid
	default:
		e.Reason = engine.ReasonUnreachable
	}
	return e
}

// refused tells what is missing when a registry does not let somebody in.
func refused(e *engine.Error, err error, rights string) {
	switch {
	case isUnnamed(err):
		e.Kind, e.Reason, e.Err = engine.Unauthorized, engine.ReasonNoCredentials, errUnnamed
		if request := requestOf(err); rights == rightPull && request != "" {
			e.Args = []string{request}
		}
	case badLogin(err):
		e.Kind = engine.Unauthorized
	case rights == rightPull:
		e.Kind, e.Resource, e.Reason, e.Args = engine.NotFound, engine.ResourceImage, engine.ReasonPullDenied, []string{e.ID}
		e.Err = errDenied
	case isStatus(err, http.StatusForbidden) || hasCode(err, transport.DeniedErrorCode) || isInsufficient(err):
		e.Kind, e.Err = engine.Forbidden, errDenied
	default:
		e.Kind, e.Err = engine.Unauthorized, &worded{unauthorized(err), err}
	}
}

var errUnnamed = errors.New("no basic auth credentials")

// isUnnamed reports whether a registry asks for a name and a password and got none.
func isUnnamed(err error) bool {
	var s *statusError
	return errors.As(err, &s) && s.basic && s.refusal.StatusCode == http.StatusUnauthorized && s.refusal.Request != nil &&
		s.refusal.Request.Header.Get("Authorization") == ""
}

// requestOf names the refused request as Go's HTTP client does: Head "https://host/v2/x/manifests/latest".
func requestOf(err error) string {
	var refusal *transport.Error
	if !errors.As(err, &refusal) || refusal.Request == nil {
		return ""
	}
	method := refusal.Request.Method
	return fmt.Sprintf("%s %q", method[:1]+strings.ToLower(method[1:]), refusal.Request.URL.Redacted())
}

// errDenied is how every registry's refusal is told, whatever its own words: clients look for it.
var errDenied = errors.New("denied: requested access to the resource is denied")

func isInsufficient(err error) bool {
	var s *statusError
	return errors.As(err, &s) && s.insufficient
}

// badLogin reports whether it was the token server or a basic challenge that refused, not the repository: then the
// credentials are wrong, and no other repository would do.
func badLogin(err error) bool {
	var refusal *transport.Error
	if !errors.As(err, &refusal) || refusal.StatusCode != http.StatusUnauthorized || refusal.Request == nil {
		return false
	}
	path := refusal.Request.URL.Path
	if !strings.HasSuffix(path, "/tags/list") && !strings.Contains(path, "/manifests/") && !strings.Contains(path, "/blobs/") {
		return true
	}
	return strings.HasPrefix(refusal.Request.Header.Get("Authorization"), "Basic ")
}

// words tells a refusal as Docker's client does: "manifest unknown: manifest unknown".
func words(err error) error {
	var refusal *transport.Error
	if !errors.As(err, &refusal) {
		return err
	}
	if len(refusal.Errors) > 0 {
		var all []string
		for _, d := range refusal.Errors {
			all = append(all, strings.ToLower(strings.ReplaceAll(string(d.Code), "_", " "))+": "+d.Message)
		}
		return &worded{strings.Join(all, "; "), err}
	}
	place := "the registry"
	if refusal.Request != nil {
		place = refusal.Request.Method + " " + refusal.Request.URL.Redacted()
	}
	return &worded{fmt.Sprintf("%s: unexpected status: %d %s", place, refusal.StatusCode, http.StatusText(refusal.StatusCode)), err}
}

// worded says an error in other words and keeps what it was.
type worded struct {
	text  string
	cause error
}

// Error returns the words.
func (w *worded) Error() string { return w.text }

// Unwrap returns what they are about.
func (w *worded) Unwrap() error { return w.cause }

// temporary reports whether the same request may succeed a little later.
func temporary(err error) bool {
	if err == nil || isCanceled(err) || errors.Is(err, errPlainHTTP) {
		return false
	}
	var refusal *transport.Error
	if errors.As(err, &refusal) {
		return refusal.Temporary() || refusal.StatusCode >= 500 && refusal.StatusCode != http.StatusNotImplemented
	}
	var known *engine.Error
	if errors.As(err, &known) {
		return false
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary || dns.IsTimeout
	}
	return isNetwork(err)
}
