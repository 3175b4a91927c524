package build

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Backend is what the build routes need of the engine.
type Backend interface {
	// Build makes an image; what it tells comes through report, from one goroutine at a time. The context is read to its end
	// before anything is told.
	Build(ctx context.Context, req engine.BuildRequest, report engine.BuildFunc) (engine.ImageID, error)
	Cancel(ctx context.Context, id string) error
	Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error)
}
