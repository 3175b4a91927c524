package system

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Backend is what the system routes need of the engine.
type Backend interface {
	Info(ctx context.Context) (engine.Info, error)
	// Subscribe returns the recorded events that match and, unless the query's end is past, a channel of those to come.
	// Between the two nothing is missed or doubled. stop ends it; the channel is closed when the subscriber falls too
	// far behind or the query's end is reached.
	Subscribe(ctx context.Context, q engine.EventQuery) (past []engine.Event, live <-chan engine.Event, stop func(), err error)
	DiskUsage(ctx context.Context) (engine.DiskUsage, error)
}
