package client

import (
	"context"
	"net/http"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// CreateNetwork makes a network on interfaces that the administrator made.
func (c *Client) CreateNetwork(ctx context.Context, n wire.NetworkCreate) (made wire.NetworkCreated, err error) {
	return made, c.call(ctx, http.MethodPost, path("networks"), nil, n, &made)
}

// ReloadNetworks makes the kernel have every interface and rule of the networks again.
func (c *Client) ReloadNetworks(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, path("networks", "reload"), nil, nil, nil)
}
