package images

import (
	"context"
	"io"

	"github.com/xcengine/xc/engine"
)

// Backend is what the image routes need of the engine. ref is a name, digest, id or unambiguous id prefix.
type Backend interface {
	transferBackend
	storeBackend
}

type transferBackend interface {
	// Pull reports an error before the first progress when the registry refuses: the client then gets a plain answer.
	Pull(ctx context.Context, req engine.PullRequest, report engine.ProgressFunc) error
	Push(ctx context.Context, req engine.PushRequest, report engine.ProgressFunc) error
	Load(ctx context.Context, tar io.Reader, platform *engine.Platform, report engine.ProgressFunc) error
	Save(ctx context.Context, refs []string, platform *engine.Platform, w io.Writer) error
	// CanSave reports what is wrong with the names before the first byte is written.
	CanSave(ctx context.Context, refs []string, platform *engine.Platform) error
	Import(ctx context.Context, req engine.ImportRequest, tar io.Reader) (engine.ImageID, error)
	Commit(ctx context.Context, req engine.CommitRequest) (engine.ImageID, error)
	Search(ctx context.Context, term string, limit int, auth engine.Credentials) ([]engine.SearchResult, error)
	Distribution(ctx context.Context, ref string, auth engine.Credentials) (engine.Distribution, error)
	// Login checks credentials against their registry and returns its identity token, if it gave one.
	Login(ctx context.Context, c engine.Credentials) (token string, err error)
}

type storeBackend interface {
	List(ctx context.Context, q engine.ImageQuery) ([]engine.ImageSummary, error)
	Inspect(ctx context.Context, ref string, platform *engine.Platform) (engine.Image, error)
	History(ctx context.Context, ref string, platform *engine.Platform) ([]engine.HistoryEntry, error)
	Tag(ctx context.Context, ref, target string) error
	Remove(ctx context.Context, ref string, how engine.ImageRemoval) ([]engine.ImageDeleted, error)
	Prune(ctx context.Context, q engine.PruneQuery) ([]engine.ImageDeleted, int64, error)
}
