package platform

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/internal/undo"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/layers/copy"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/platform/linux/netlink"
	"github.com/xcengine/xc/engine/platform/linux/nft"
	"github.com/xcengine/xc/engine/platform/linux/oci"
	"github.com/xcengine/xc/engine/platform/linux/overlay"
	"github.com/xcengine/xc/engine/platform/linux/volmount"
	"github.com/xcengine/xc/engine/shim"
	"github.com/xcengine/xc/engine/volumes"
)

var (
	_ lifecycle.Runtime    = (*oci.Runtime)(nil)
	_ lifecycle.OOMWatcher = (*oci.Runtime)(nil)
	_ networks.Plumber     = (*netlink.Plumber)(nil)
	_ networks.UDPSharer   = (*netlink.Plumber)(nil)
	_ networks.Firewall    = (*nft.Firewall)(nil)
	_ volumes.Mounter      = volmount.Mounter{}
)

// storageDrivers are tried in this order.
func storageDrivers(cfg daemon.HostConfig) []layers.Candidate {
	dir := filepath.Join(cfg.StateDir, "layers")
	return []layers.Candidate{
		{Name: "overlay", Open: func(ctx context.Context) (layers.Driver, error) {
			return overlay.Open(ctx, filepath.Join(dir, "overlay"))
		}},
		{Name: "copy", Open: func(ctx context.Context) (layers.Driver, error) { return copy.Open(ctx, filepath.Join(dir, "copy")) }},
	}
}

// Open opens Linux' drivers: an OCI runtime, overlayfs, netlink, nftables.
func Open(ctx context.Context, cfg daemon.HostConfig) (b daemon.Backends, err error) {
	var undone undo.Stack
	defer func() {
		if err != nil {
			err = errors.Join(err, undone.Run(ctx))
		}
	}()
	shimProgram, err := shimPath(cfg.Config)
	if err != nil {
		return b, err
	}
	run, err := oci.New(ctx, oci.Config{Runtime: cfg.Runtime, StateDir: cfg.StateDir, Owner: cfg.Owner, InitPath: shimProgram, Log: cfg.Log})
	if err != nil {
		return b, err
	}
	undone.Push("runtime", func(context.Context) error { return run.Close() })
	plumber, err := netlink.New(cfg.Owner, cfg.StateDir, cfg.Log)
	if err != nil {
		return b, err
	}
	undone.Push("netlink", func(context.Context) error { plumber.Close(); return nil })
	storage, err := layers.Choose(ctx, cfg.Log, cfg.StorageDriver, storageDrivers(cfg)...)
	if err != nil {
		return b, err
	}
	firewall := nft.New(cfg.Owner, cfg.Log)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() { firewall.Watch(watching, cfg.Log) })
	undone.Push("watch over the packet filter", func(context.Context) error { stop(); watch.Wait(); return nil })
	return daemon.Backends{
		Native:  engine.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Runtime: run, Shims: shims{shim.NewClient(shimProgram, cfg.Log)}, Layers: storage, Plumber: plumber,
		Firewall: firewall, Mounter: volmount.Mounter{}, FirewallName: "nftables",
		Close: func() error { return undone.Run(context.Background()) },
	}, nil
}
