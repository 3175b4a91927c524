package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Version asks for the daemon's version.
func (c *Client) Version(ctx context.Context) (v wire.Version, err error) {
	return v, c.call(ctx, http.MethodGet, path("version"), nil, nil, &v)
}

// Info asks how the daemon is.
func (c *Client) Info(ctx context.Context) (i wire.Info, err error) {
	return i, c.call(ctx, http.MethodGet, path("info"), nil, nil, &i)
}

// Events gives what happened and happens. Keys of the query: since, until (RFC 3339), type, action, container, image, network,
// volume, label; without until it goes on for ever.
func (c *Client) Events(ctx context.Context, query url.Values) iter.Seq2[wire.Event, error] {
	return lines[wire.Event](ctx, c, http.MethodGet, path("events"), query, nil)
}

// Purge removes images that have no name and are not used, and layers that nothing needs.
func (c *Client) Purge(ctx context.Context) (p wire.Purged, err error) {
	return p, c.call(ctx, http.MethodPost, path("purge"), nil, nil, &p)
}
