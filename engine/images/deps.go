package images

import (
	"context"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
)

// Layers keeps extracted layers, once per chain. What is not held by Hold or by a container root may be collected.
type Layers interface {
	Driver() string
	// Has reports whether the chain is extracted whole.
	Has(ctx context.Context, id engine.LayerID) (bool, error)
	// Apply extracts one layer upon parent and returns the new chain. diff is the uncompressed tar, read to its end;
	// its digest must equal diffID or nothing of it stays. Concurrent calls for one chain do the work once. Layers of
	// one image may be applied out of order where Independent says so.
	Apply(ctx context.Context, parent engine.LayerID, diffID digest.Digest, diff io.Reader) (engine.LayerID, int64, error)
	// Diff gives the uncompressed tar of one layer, byte for byte what was applied when the blob store has it, else one
	// made anew from the extracted layer.
	Diff(ctx context.Context, id engine.LayerID) (io.ReadCloser, error)
	// RootDiff gives the uncompressed tar of what a container changed against its layers.
	RootDiff(ctx context.Context, id engine.ContainerID) (io.ReadCloser, error)
	Size(ctx context.Context, id engine.LayerID) (int64, error)
	Remove(ctx context.Context, id engine.LayerID) error
	List(ctx context.Context) ([]engine.LayerID, error)
	// Describe is what inspect shows as GraphDriver.Data.
	Describe(ctx context.Context, id engine.LayerID) (map[string]string, error)
}

// Containers tells who uses images.
type Containers interface {
	// ImageUsers returns the containers made of the image, running ones first.
	ImageUsers(ctx context.Context, id engine.ImageID) ([]engine.Container, error)
	// ForCommit returns a container for commit; when pause is asked for it stands still until resume is called.
	ForCommit(ctx context.Context, ref string, pause bool) (c engine.Container, resume func(), err error)
}

// Events takes what happened, in order.
type Events interface {
	Publish(e engine.Event)
}
