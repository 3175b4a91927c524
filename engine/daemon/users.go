package daemon

import (
	"context"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
)

// users tells images, networks and volumes who uses them. The containers exist after those services, so the reference is
// filled when they do, before any request is served.
type users struct{ containers *lifecycle.Service }

func (u *users) ImageUsers(ctx context.Context, id engine.ImageID) ([]engine.Container, error) {
	return u.containers.ImageUsers(ctx, id)
}

// ImageCounts tells for every image that is used how many containers are made of it.
func (u *users) ImageCounts(ctx context.Context) (map[engine.ImageID]int, error) {
	return u.containers.ImageCounts(ctx)
}

func (u *users) NetworkUsers(ctx context.Context, id engine.NetworkID) ([]engine.AttachedEndpoint, error) {
	return u.containers.NetworkUsers(ctx, id)
}

func (u *users) VolumeUsers(ctx context.Context, name string) ([]engine.Container, error) {
	return u.containers.VolumeUsers(ctx, name)
}

func (u *users) ForCommit(ctx context.Context, ref string, pause bool) (engine.Container, func(), error) {
	return u.containers.ForCommit(ctx, ref, pause)
}
