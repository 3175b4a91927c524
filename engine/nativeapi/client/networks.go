package client

import (
	"context"

	"github.com/xcengine/xc/engine/nativeapi"
)

// NetworkCreate is what CreateNetwork asks for.
type NetworkCreate = nativeapi.NetworkCreate

// CreateNetwork makes a network on interfaces that the administrator made.
func (c *Client) CreateNetwork(ctx context.Context, n NetworkCreate) (nativeapi.NetworkCreated, error) {
	return post[nativeapi.NetworkCreated](ctx, c, "/v1/networks", n)
}

// ReloadNetworks makes the kernel have every network and rule again, after somebody removed them.
func (c *Client) ReloadNetworks(ctx context.Context) error {
	_, err := post[nativeapi.Done](ctx, c, "/v1/networks/reload", nil)
	return err
}
