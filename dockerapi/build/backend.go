package build

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Backend is what the build routes need of the engine.
type Backend interface {
	PruneBuildCache(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error)
}
