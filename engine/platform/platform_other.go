//go:build !linux && !freebsd

package platform

import (
	"context"
	"errors"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/daemon"
)

// Open says that containers run on FreeBSD and Linux alone.
func Open(context.Context, daemon.HostConfig) (daemon.Backends, error) {
	return daemon.Backends{}, &engine.Error{Op: "start", Kind: engine.NotImplemented, Err: errors.New("xcd runs on FreeBSD and Linux")}
}
