// Package client speaks to a daemon's native API. Errors of the daemon keep their kind and reason:
// errors.Is(err, engine.NotFound) and engine.HasReason(err, engine.ReasonInUse) tell them apart. A Client may be used by several
// goroutines.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/fdpass"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Client speaks to one daemon.
type Client struct {
	socket string
	http   http.Client
}

// New returns a client of the daemon that listens on a socket. Nothing is connected yet.
func New(socket string) *Client {
	c := &Client{socket: socket}
	c.http.Transport = &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		DisableKeepAlives: true,
	}
	return c
}

// Unreachable is a daemon that nobody can be asked at.
type Unreachable struct {
	Socket string
	Err    error
}

// Error says it in a sentence.
func (u *Unreachable) Error() string {
	return fmt.Sprintf("the daemon on %s cannot be reached: %v", u.Socket, u.Err)
}

// Unwrap returns the cause.
func (u *Unreachable) Unwrap() error { return u.Err }

// passed is the key of the files that a request's connection carries, in its context.
type passed struct{}

// passing has the requests of a context pass files; it gives the names that they are told by.
func passing(ctx context.Context, files []*os.File) (context.Context, []string) {
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return context.WithValue(ctx, passed{}, files), names
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.socket)
	if err == nil {
		files, _ := ctx.Value(passed{}).([]*os.File)
		return fdpass.Pass(conn.(*net.UnixConn), files), nil
	}
	var op *net.OpError // its text names the socket once more
	if errors.As(err, &op) {
		err = op.Err
	}
	return nil, &Unreachable{c.socket, err}
}

// path joins an operation's path. Names may have any characters.
func path(parts ...string) string {
	p := "/v1"
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p
}

// request makes a request with a body of JSON, unless in is nil.
func (c *Client) request(ctx context.Context, method, path string, query url.Values, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	u := "http://xc" + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	return http.NewRequestWithContext(ctx, method, u, body)
}

// do sends a request and gives the answer, whose status is 2xx.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error // its text is the request's line
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, readError(resp)
}

// readError gives the error of an answer that is not 2xx.
func readError(resp *http.Response) error {
	var e wire.Error
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	return decodeError(e)
}

// call sends a request with a body of JSON and reads the answer into out. Either may be nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	req, err := c.request(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// lines sends a request and gives its answer's lines as they come, until an error, which is the last pair. Breaking off ends the
// request.
func lines[T any](ctx context.Context, c *Client, method, path string, query url.Values, in any) iter.Seq2[T, error] {
	return linesOf[T](ctx, c, func(ctx context.Context) (*http.Request, error) { return c.request(ctx, method, path, query, in) })
}

// linesOf is lines for a request that begin makes.
func linesOf[T any](ctx context.Context, c *Client, begin func(context.Context) (*http.Request, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		req, err := begin(ctx)
		if err != nil {
			yield(none, err)
			return
		}
		resp, err := c.do(req)
		if err != nil {
			yield(none, err)
			return
		}
		defer resp.Body.Close()
		for d := json.NewDecoder(resp.Body); ; {
			var l wire.Line[T]
			err := d.Decode(&l)
			switch {
			case err == io.EOF:
				return
			case err == nil && l.Error != nil:
				err = decodeError(*l.Error)
			case err == nil && l.Value != nil:
				if !yield(*l.Value, nil) {
					return
				}
				continue
			}
			yield(none, err)
			return
		}
	}
}

// Error is an error that the daemon told. It unwraps to an *engine.Error of its kind and reason.
type Error struct {
	Told  wire.Error
	cause *engine.Error
}

// Error gives the daemon's sentence.
func (e *Error) Error() string { return e.Told.Message }

// Unwrap returns it in the engine's words.
func (e *Error) Unwrap() error {
	if e.cause == nil {
		return nil
	}
	return e.cause
}

func decodeError(w wire.Error) error {
	e := &Error{Told: w}
	for _, k := range engine.Kinds() {
		if k.Error() == w.Kind {
			e.cause = &engine.Error{Kind: k, Resource: engine.Resource(w.Resource), ID: w.ID, Reason: engine.Reason(w.Reason), Args: w.Args}
		}
	}
	return e
}
