package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// CreateNetwork makes a network.
func (c *Client) CreateNetwork(ctx context.Context, n wire.NetworkCreate) (made wire.NetworkCreated, err error) {
	return made, c.call(ctx, http.MethodPost, path("networks"), nil, n, &made)
}

// Networks lists networks. Keys of the query: id, name, driver, label, type, dangling.
func (c *Client) Networks(ctx context.Context, query url.Values) (all []wire.Network, err error) {
	return all, c.call(ctx, http.MethodGet, path("networks"), query, nil, &all)
}

// Network tells everything of a network; ref is its name, id or a prefix of the id.
func (c *Client) Network(ctx context.Context, ref string) (one wire.Network, err error) {
	return one, c.call(ctx, http.MethodGet, path("networks", ref), nil, nil, &one)
}

// RemoveNetwork removes a network that no container is in.
func (c *Client) RemoveNetwork(ctx context.Context, ref string) error {
	return c.call(ctx, http.MethodDelete, path("networks", ref), nil, nil, nil)
}

// PruneNetworks removes every network that no container is in, but the engine's own.
func (c *Client) PruneNetworks(ctx context.Context, what wire.Prune) (gone wire.Pruned, err error) {
	return gone, c.call(ctx, http.MethodPost, path("networks", "prune"), nil, what, &gone)
}

// ReloadNetworks makes the kernel have every interface and rule of the networks again.
func (c *Client) ReloadNetworks(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, path("networks", "reload"), nil, nil, nil)
}

// ConnectNetwork gives a container a place in a network, at once if it runs.
func (c *Client) ConnectNetwork(ctx context.Context, ref string, how wire.Connect) error {
	return c.call(ctx, http.MethodPost, path("networks", ref, "connect"), nil, how, nil)
}

// DisconnectNetwork takes a container out of a network.
func (c *Client) DisconnectNetwork(ctx context.Context, ref string, how wire.Disconnect) error {
	return c.call(ctx, http.MethodPost, path("networks", ref, "disconnect"), nil, how, nil)
}

// TagNetwork has a container join the group of those that name each other in their hosts files.
func (c *Client) TagNetwork(ctx context.Context, ref string, how wire.NetworkTag) error {
	return c.call(ctx, http.MethodPost, path("networks", ref, "tag"), nil, how, nil)
}

// CommitNetworkTag writes the hosts files of a network's group now.
func (c *Client) CommitNetworkTag(ctx context.Context, ref string) error {
	return c.call(ctx, http.MethodPost, path("networks", ref, "commit-tag"), nil, nil, nil)
}

// Channels lists the further sockets of the API.
func (c *Client) Channels(ctx context.Context) (all []wire.Channel, err error) {
	return all, c.call(ctx, http.MethodGet, path("channels"), nil, nil, &all)
}

// CreateChannel has the daemon listen on a further socket until it ends.
func (c *Client) CreateChannel(ctx context.Context, socket string) error {
	return c.call(ctx, http.MethodPost, path("channels"), nil, wire.Channel{Path: socket}, nil)
}

// RemoveChannel ends one.
func (c *Client) RemoveChannel(ctx context.Context, socket string) error {
	return c.call(ctx, http.MethodDelete, path("channels"), nil, wire.Channel{Path: socket}, nil)
}
