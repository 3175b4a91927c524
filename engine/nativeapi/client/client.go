// Package client speaks xc's native API.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"

	"github.com/xcengine/xc/engine/nativeapi"
)

// Client reaches one daemon. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// New returns a client of the daemon at a unix socket. It does not connect.
func New(socket string) *Client {
	var d net.Dialer
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
	}}}
}

// Version asks what the daemon is.
func (c *Client) Version(ctx context.Context) (nativeapi.Version, error) {
	return get[nativeapi.Version](ctx, c, "/v1/version")
}

// Info asks how the daemon and its host are.
func (c *Client) Info(ctx context.Context) (nativeapi.Info, error) {
	return get[nativeapi.Info](ctx, c, "/v1/info")
}

// get fetches and decodes an answer; one that is an error comes back as an engine.Error of its kind.
func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return ask[T](ctx, c, http.MethodGet, path, nil)
}

// post sends a body, nil for none.
func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return *new(T), err
		}
	}
	return ask[T](ctx, c, http.MethodPost, path, text)
}

func ask[T any](ctx context.Context, c *Client, method, path string, body []byte) (T, error) {
	var answer T
	req, err := http.NewRequestWithContext(ctx, method, "http://xc"+path, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer, fmt.Errorf("no daemon answers on %s (is xcd running?): %w", c.socket, err)
	}
	defer resp.Body.Close()
	d := json.NewDecoder(resp.Body)
	if resp.StatusCode != http.StatusOK {
		var e nativeapi.Error
		if err := d.Decode(&e); err != nil {
			return answer, fmt.Errorf("the daemon answered %s", resp.Status)
		}
		return answer, nativeapi.DecodeError(e)
	}
	return answer, d.Decode(&answer)
}
