package networks

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Backend is what the network routes need of the engine. ref is a name, id or unambiguous id prefix.
type Backend interface {
	Create(ctx context.Context, req engine.NetworkRequest) (id engine.NetworkID, warning string, err error)
	Inspect(ctx context.Context, ref string) (engine.NetworkDetail, error)
	List(ctx context.Context, q engine.NetworkQuery) ([]engine.NetworkDetail, error)
	Remove(ctx context.Context, ref string) error
	Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error)
	Connect(ctx context.Context, ref, container string, spec engine.EndpointSpec) error
	Disconnect(ctx context.Context, ref, container string, force bool) error
}
