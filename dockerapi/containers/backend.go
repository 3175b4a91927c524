package containers

import (
	"context"
	"io"

	"github.com/xcengine/xc/engine"
)

// Backend is what the container routes need of the engine. ref is a name, id or unambiguous id prefix.
type Backend interface {
	stateBackend
	queryBackend
	streamBackend
	filesBackend
}

type stateBackend interface {
	Create(ctx context.Context, req engine.CreateRequest) (engine.CreateResult, error)
	Start(ctx context.Context, ref string) error
	Stop(ctx context.Context, ref string, o engine.StopOptions) error
	Restart(ctx context.Context, ref string, o engine.StopOptions) error
	Kill(ctx context.Context, ref string, sig engine.Signal) error
	Pause(ctx context.Context, ref string) error
	Unpause(ctx context.Context, ref string) error
	Rename(ctx context.Context, ref, name string) error
	Update(ctx context.Context, ref string, req engine.UpdateRequest) (warnings []string, err error)
	Remove(ctx context.Context, ref string, o engine.RemoveOptions) error
	Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error)
	// Wait is armed when it returns: an end that comes afterwards is not missed. The channel gets one result.
	Wait(ctx context.Context, ref string, cond engine.WaitCondition) (<-chan engine.WaitResult, error)
}

type queryBackend interface {
	Inspect(ctx context.Context, ref string) (engine.Container, error)
	Size(ctx context.Context, ref string) (engine.RootSize, error)
	List(ctx context.Context, q engine.ContainerQuery) ([]engine.ContainerSummary, error)
	Top(ctx context.Context, ref string, psArgs []string) (engine.ProcessTable, error)
	Changes(ctx context.Context, ref string) ([]engine.Change, error)
	// Stats calls each with a sample about every second until ctx ends or each fails; once takes a single one. A
	// container that does not run gives zero samples at the same pace.
	Stats(ctx context.Context, ref string, once bool, each func(engine.Container, engine.Stats) error) error
}

type streamBackend interface {
	Attach(ctx context.Context, ref string, o engine.AttachOptions) (engine.AttachedStream, error)
	Logs(ctx context.Context, ref string, q engine.LogQuery) (engine.LogStream, error)
	// Resize sets the terminal of the main process, rows before columns.
	Resize(ctx context.Context, ref string, rows, cols uint16) error
}

type filesBackend interface {
	StatPath(ctx context.Context, ref, path string) (engine.PathStat, error)
	// ReadArchive gives a tar stream of the path; the caller closes it.
	ReadArchive(ctx context.Context, ref, path string) (engine.Archive, error)
	WriteArchive(ctx context.Context, ref, path string, tar io.Reader, o engine.ExtractOptions) error
	Export(ctx context.Context, ref string) (io.ReadCloser, error)
}
