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
	// its digest must equal diffID or nothing of it stays. It is read ahead, and not any more when Apply returns.
	// Concurrent calls for one chain do the work once. Layers of one image may be applied out of order where Independent
	// says so.
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
	// ImageUsers returns the containers that are made of the image or mount it, running ones first.
	ImageUsers(ctx context.Context, id engine.ImageID) ([]engine.Container, error)
	// ForCommit returns a container for commit; when pause is asked for it stands still until resume is called.
	ForCommit(ctx context.Context, ref string, pause bool) (c engine.Container, resume func(), err error)
}

// ImageCounter is an optional ability of Containers: it counts the containers of every image at once, so that a list of
// images need not ask for each.
type ImageCounter interface {
	ImageCounts(ctx context.Context) (map[engine.ImageID]int, error)
}

// Events takes what happened, in order.
type Events interface {
	Publish(e engine.Event)
}

// Independent is an optional ability of Layers: a driver that says yes extracts a layer before its parent is there.
type Independent interface {
	Independent() bool
}

// Registry reaches registries. Manifests and documents come verified, blobs do not.
type Registry interface {
	Source
	Target
	Directory
}

// Source is the reading side of a registry. References are tags or digests; a repository that is not there or may not be
// seen is NotFound with ReasonPullDenied or ReasonNameUnknown, a tag that is not there NotFound with ReasonManifestUnknown.
// Small requests are retried below; an error of kind Unavailable may be worth another try later.
type Source interface {
	// Resolve tells what a reference names, without its body where the registry can.
	Resolve(ctx context.Context, r engine.Remote, ref string) (engine.RemoteManifest, error)
	Manifest(ctx context.Context, r engine.Remote, ref string) (engine.RemoteManifest, error)
	// Blob opens a blob of the given size (negative: not known) at an offset; the answer may begin before it.
	Blob(ctx context.Context, r engine.Remote, digest string, size, offset int64) (engine.RemoteBlob, error)
	Tags(ctx context.Context, r engine.Remote) ([]string, error)
}

// Target is the writing side of a registry.
type Target interface {
	HasBlob(ctx context.Context, r engine.Remote, digest string) (bool, error)
	// MountBlob asks for a blob of another repository of the same registry. False without an error: it did not.
	MountBlob(ctx context.Context, r engine.Remote, digest, from string) (bool, error)
	PutBlob(ctx context.Context, r engine.Remote, blob engine.BlobUpload) error
	PutManifest(ctx context.Context, r engine.Remote, ref, mediaType string, body []byte) error
}

// Directory is what a registry knows beyond single repositories.
type Directory interface {
	Search(ctx context.Context, term string, limit int, auth engine.Credentials) ([]engine.SearchResult, error)
	Login(ctx context.Context, c engine.Credentials) (token string, err error)
}

// Store keeps what is known of images across restarts. A change happens whole or not at all.
type Store interface {
	ImageState(ctx context.Context) (engine.ImageState, error)
	ChangeImages(ctx context.Context, change engine.ImageChange) error
}
