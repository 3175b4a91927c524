package builder

import (
	"context"
	"io"
	"time"

	"github.com/xcengine/xc/engine"
)

// Images keeps what steps begin with and make.
type Images interface {
	Lookup(ctx context.Context, ref string, platform *engine.Platform) (engine.Image, error)
	Pull(ctx context.Context, req engine.PullRequest, report engine.ProgressFunc) error
	Create(ctx context.Context, n engine.NewImage) (engine.ImageID, error)
	// Resume is Create for a step that an image's history tells: its layer is taken from there. It reports false when the
	// history does not go on from n.Parent by n.CreatedBy.
	Resume(ctx context.Context, n engine.NewImage, like engine.ImageID) (id engine.ImageID, ok bool, err error)
	Tag(ctx context.Context, ref, target string) error
	Keeper
}

// Keeper decides which images stay.
type Keeper interface {
	// Hold keeps an image from being removed until release is called.
	Hold(id engine.ImageID) (release func(), err error)
	// Keep makes an intermediate image one of the user's.
	Keep(ctx context.Context, id engine.ImageID) error
	// RemoveIntermediate removes an intermediate image, unless it is named, used, held or carries another: a Conflict.
	RemoveIntermediate(ctx context.Context, id engine.ImageID) (freed int64, err error)
	// Intermediate lists the intermediate images that have no name.
	Intermediate() []engine.ImageID
	// UniqueSize is what an image takes beyond its parent, in bytes.
	UniqueSize(id engine.ImageID) int64
}

// Containers runs commands.
type Containers interface {
	Create(ctx context.Context, req engine.CreateRequest) (engine.CreateResult, error)
	Attach(ctx context.Context, ref string, o engine.AttachOptions) (engine.AttachedStream, error)
	Start(ctx context.Context, ref string) error
	Wait(ctx context.Context, ref string, cond engine.WaitCondition) (<-chan engine.WaitResult, error)
	// Keep makes a Transient container one of the user's.
	Keep(ctx context.Context, ref string) error
	Remove(ctx context.Context, ref string, o engine.RemoveOptions) error
}

// Roots makes trees to write to and to read from. One that is left behind is removed at the daemon's next start.
type Roots interface {
	Create(ctx context.Context, id engine.ContainerID, top engine.LayerID, opts map[string]string) error
	Mount(ctx context.Context, id engine.ContainerID) (path string, err error)
	Remove(ctx context.Context, id engine.ContainerID) error
	// RootDiff gives the tar of what was changed in a root, a container's or one made here.
	RootDiff(ctx context.Context, id engine.ContainerID) (io.ReadCloser, error)
}

// Files extracts tars, of any compression, below a directory that nothing leads out of.
type Files interface {
	Write(ctx context.Context, root engine.MountedRoot, path string, tar io.Reader, o engine.ExtractOptions) error
}

// Web fetches what a URL names.
type Web interface {
	Get(ctx context.Context, url string) (Page, error)
}

// Page is what a URL gave. The caller closes it.
type Page struct {
	io.ReadCloser
	ContentType string
	Name        string    // that the server gave the file; may be empty
	Modified    time.Time // zero: the server did not say
	Size        int64     // negative: not known
}

// Store keeps the cache's entries.
type Store interface {
	BuildCache(ctx context.Context) ([]engine.BuildCacheEntry, error)
	ChangeBuildCache(ctx context.Context, put []engine.BuildCacheEntry, remove []string) error
}

// Events takes what happened.
type Events interface {
	Publish(e engine.Event)
}
