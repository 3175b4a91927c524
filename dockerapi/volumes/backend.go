package volumes

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Backend is what the volume routes need of the engine.
type Backend interface {
	Create(ctx context.Context, req engine.VolumeRequest) (engine.Volume, error)
	Inspect(ctx context.Context, name string) (engine.Volume, error)
	List(ctx context.Context, q engine.VolumeQuery) ([]engine.Volume, error)
	Remove(ctx context.Context, name string, force bool) error
	Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error)
}
