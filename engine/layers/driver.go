package layers

import (
	"context"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat/layer"
)

// Driver keeps layers and roots in one kind of storage, below a directory or dataset of its own. It does what it is told:
// which layers exist, who uses them and in what order things happen is Service's business. Calls for one layer or root never
// overlap; calls for different ones do. Whatever unmakes something succeeds when there is nothing.
type Driver interface {
	// Name is what docker info shows as the storage driver.
	Name() string
	// Status is what docker info shows below the name: names and values, in order.
	Status() [][2]string
	Traits() Traits
	// Recover makes the storage agree with the records at start: it removes everything of this daemon's that is not
	// named, stages included, and returns what is named but not there.
	Recover(ctx context.Context, layers []engine.LayerID, roots []engine.ContainerID) (Lost, error)
	LayerStore
	RootStore
}

// Traits say what a driver does differently.
type Traits struct {
	// Independent: a layer can be extracted before its parent. Deletions are then kept as overlayfs' marks, and LayerDirs
	// tells where layers are.
	Independent bool
	// Durable: a committed layer survives a crash of the machine.
	Durable bool
	// Quota: RootSpec.Size is honoured. A root with a size is not asked of other drivers.
	Quota bool
}

// Lost names what was recorded and is not there any more.
type Lost struct {
	Layers []engine.LayerID
	Roots  []engine.ContainerID
}

// Chain is a layer and all that it stands on, topmost first.
type Chain []engine.LayerID

// LayerStore makes and removes layers.
type LayerStore interface {
	// Stage makes a directory that a layer is extracted to. Unless the driver is Independent, it holds the parent's files.
	Stage(ctx context.Context, id, parent engine.LayerID) (Stage, error)
	// Commit makes the stage the layer, whole or not at all, in the place of what may be left of an earlier one.
	Commit(ctx context.Context, s Stage) error
	// Abort removes a stage, committed or not.
	Abort(ctx context.Context, s Stage) error
	RemoveLayer(ctx context.Context, id engine.LayerID) error
	// LayerChanges opens what the chain's top changes of the rest. release must be called when it is not read any more.
	LayerChanges(ctx context.Context, c Chain) (changes layer.Changes, release func(), err error)
	// LayerDirs are the directories of a chain's layers; only of drivers that are Independent.
	LayerDirs(c Chain) []string
	// Describe is what inspect shows as GraphDriver.Data of an image.
	Describe(c Chain) map[string]string
}

// Stage is a layer that is being made.
type Stage struct {
	ID, Parent engine.LayerID
	Dir        string // where it is extracted to
}

// RootSpec is a container's root.
type RootSpec struct {
	ID    engine.ContainerID
	Chain Chain // empty: nothing below
	Size  int64 // bytes that the container may write; 0 is without bound
}

// RootStore makes, mounts and removes roots.
type RootStore interface {
	// CreateRoot makes a root, whole or not at all as MountRoot sees it. It succeeds when there is one.
	CreateRoot(ctx context.Context, r RootSpec) error
	// MountRoot makes the root usable at the returned path; what the kernel says decides whether it is already.
	MountRoot(ctx context.Context, r RootSpec) (path string, err error)
	UnmountRoot(ctx context.Context, id engine.ContainerID) error
	// RemoveRoot unmounts and removes a root, also a half-made one.
	RemoveRoot(ctx context.Context, id engine.ContainerID) error
	// RootUsage is what the container wrote, in bytes.
	RootUsage(ctx context.Context, r RootSpec) (int64, error)
	// RootChanges opens what the container changed, mounted or not; release as for LayerChanges.
	RootChanges(ctx context.Context, r RootSpec) (changes layer.Changes, release func(), err error)
	// DescribeRoot is what inspect shows as GraphDriver.Data of a container.
	DescribeRoot(r RootSpec) map[string]string
}
