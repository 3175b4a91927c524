package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// PullImage fetches an image from its registry, and tells how far it has come. Breaking off ends the pull, unless somebody else
// wants the same.
func (c *Client) PullImage(ctx context.Context, what wire.Pull) iter.Seq2[wire.Progress, error] {
	return lines[wire.Progress](ctx, c, http.MethodPost, path("images", "pull"), nil, what)
}
