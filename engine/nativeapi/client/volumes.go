package client

import (
	"context"
	"net/http"
	"net/url"
	"os"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// CreateVolume makes a volume. A user other than root shows by the opened directory that it may have a volume of it.
func (c *Client) CreateVolume(ctx context.Context, v wire.VolumeCreate, opened ...*os.File) (made wire.Volume, err error) {
	ctx, v.Opened = passing(ctx, opened)
	return made, c.call(ctx, http.MethodPost, path("volumes"), nil, v, &made)
}

// Volumes lists volumes. Keys of the query: name, driver, label, dangling.
func (c *Client) Volumes(ctx context.Context, query url.Values) (all []wire.Volume, err error) {
	return all, c.call(ctx, http.MethodGet, path("volumes"), query, nil, &all)
}

// Volume tells everything of a volume.
func (c *Client) Volume(ctx context.Context, name string) (one wire.Volume, err error) {
	return one, c.call(ctx, http.MethodGet, path("volumes", name), nil, nil, &one)
}

// RemoveVolume removes a volume that no container uses; force makes it no error that there is none.
func (c *Client) RemoveVolume(ctx context.Context, name string, force bool) error {
	return c.call(ctx, http.MethodDelete, path("volumes", name), flags("force", force), nil, nil)
}

// PruneVolumes removes volumes that no container uses: those without a name of their user's, with All every one.
func (c *Client) PruneVolumes(ctx context.Context, what wire.Prune) (gone wire.Pruned, err error) {
	return gone, c.call(ctx, http.MethodPost, path("volumes", "prune"), nil, what, &gone)
}
