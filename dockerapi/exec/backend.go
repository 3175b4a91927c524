package exec

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Backend is what the exec routes need of the engine.
type Backend interface {
	CreateExec(ctx context.Context, ref string, spec engine.ExecSpec) (engine.ExecID, error)
	InspectExec(ctx context.Context, id engine.ExecID) (engine.Exec, error)
	// StartExec with Detach starts the process and returns a nil stream. Otherwise the process is started by the
	// stream's Run, so that nothing it writes is missed.
	StartExec(ctx context.Context, id engine.ExecID, o engine.ExecStart) (engine.AttachedStream, error)
	ResizeExec(ctx context.Context, id engine.ExecID, rows, cols uint16) error
}
