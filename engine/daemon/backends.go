package daemon

import (
	"context"
	"log/slog"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/volumes"
)

// Backends is what a platform supplies.
type Backends struct {
	Native   engine.Platform // what images run here without emulation
	Runtime  lifecycle.Runtime
	Shims    lifecycle.Shims
	Layers   layers.Driver
	Plumber  networks.Plumber
	Firewall networks.Firewall
	Mounter  volumes.Mounter
	// FirewallName is what info shows: "nftables", "pf".
	FirewallName string
	// Close gives back what the drivers hold; it may be nil.
	Close func() error
}

// HostConfig is what a platform needs to open its drivers.
type HostConfig struct {
	Config
	Owner engine.Owner
	Log   *slog.Logger
}

// OpenFunc opens a platform's drivers. An error says what is missing on the host and what to do.
type OpenFunc func(ctx context.Context, cfg HostConfig) (Backends, error)
