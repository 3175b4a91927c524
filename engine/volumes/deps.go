package volumes

import (
	"context"

	"github.com/xcengine/xc/engine"
)

// Store keeps volumes across restarts of the daemon. Each call is one transaction.
type Store interface {
	PutVolume(ctx context.Context, v engine.VolumeRecord) error
	DeleteVolume(ctx context.Context, name string) error
	Volumes(ctx context.Context) ([]engine.VolumeRecord, error)
}

// Containers tells who uses volumes.
type Containers interface {
	// VolumeUsers returns the containers, running or not, that have the volume among their mounts.
	VolumeUsers(ctx context.Context, name string) ([]engine.Container, error)
}

// Mounter mounts what a volume's options name.
type Mounter interface {
	// Mount mounts a device at an existing directory, in the terms of mount(8): fsType "none" with the option "bind" is a
	// directory of the host. Secrets in the options do not appear in errors.
	Mount(ctx context.Context, fsType, device, options, target string) error
	// Unmount takes away what is mounted at a directory. It is no error when nothing is.
	Unmount(ctx context.Context, target string) error
	Mounted(ctx context.Context, target string) (bool, error)
}

// Events takes what happened, in order.
type Events interface {
	Publish(e engine.Event)
}
