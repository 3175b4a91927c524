package platform

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/internal/undo"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/layers/copy"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/platform/freebsd/ifconfig"
	"github.com/xcengine/xc/engine/platform/freebsd/jailer"
	"github.com/xcengine/xc/engine/platform/freebsd/pf"
	"github.com/xcengine/xc/engine/platform/freebsd/volmount"
	"github.com/xcengine/xc/engine/platform/freebsd/zfs"
	"github.com/xcengine/xc/engine/shim"
	"github.com/xcengine/xc/engine/volumes"
)

var (
	_ lifecycle.Runtime         = (*jailer.Runtime)(nil)
	_ lifecycle.CopiedFiles     = (*jailer.Runtime)(nil)
	_ lifecycle.SocketForwarder = (*jailer.Runtime)(nil)
	_ networks.Plumber          = (*ifconfig.Plumber)(nil)
	_ networks.Firewall         = (*pf.Firewall)(nil)
	_ volumes.Mounter           = volmount.Mounter{}
)

// storageDrivers are tried in this order.
func storageDrivers(cfg daemon.HostConfig) []layers.Candidate {
	dir := filepath.Join(cfg.StateDir, "layers")
	return []layers.Candidate{
		{Name: "zfs", Open: func(ctx context.Context) (layers.Driver, error) {
			return zfs.Open(ctx, zfs.Config{
				Images: cfg.ImageDataset, Containers: cfg.ContainerDataset, Dir: filepath.Join(dir, "zfs"), Owner: cfg.Owner, Run: runner.Host{},
			})
		}},
		{Name: "copy", Open: func(ctx context.Context) (layers.Driver, error) { return copy.Open(ctx, filepath.Join(dir, "copy")) }},
	}
}

// wantedDriver is zfs where a dataset is configured: what is in it is not lost because its pool comes late, as it would be to a
// daemon that makes do with copies meanwhile.
func wantedDriver(cfg daemon.HostConfig) string {
	if cfg.StorageDriver == "" && cfg.ImageDataset != "" {
		return zfs.Name
	}
	return cfg.StorageDriver
}

// Open opens FreeBSD's drivers: jails, ZFS, bridges and epairs, pf.
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
	run, err := jailer.New(jailer.Config{
		StateDir: cfg.StateDir, DevfsFirst: cfg.DevfsIDOffset, DevfsForce: cfg.ForceDevfsRuleset, Run: runner.Host{}, Log: cfg.Log,
	})
	if err != nil {
		return b, err
	}
	plumber, err := ifconfig.New(ifconfig.Config{Owner: cfg.Owner, StateDir: cfg.StateDir, Helper: shimProgram})
	if err != nil {
		return b, err
	}
	undone.Push("sockets", func(context.Context) error { return plumber.Close() })
	storage, err := layers.Choose(ctx, cfg.Log, wantedDriver(cfg), storageDrivers(cfg)...)
	if err != nil {
		return b, err
	}
	firewall := pf.New(pf.Config{Owner: cfg.Owner, External: cfg.ExtIfs, Run: runner.Host{}})
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() { firewall.Watch(watching, cfg.Log) })
	undone.Push("watch over the packet filter", func(context.Context) error { stop(); watch.Wait(); return nil })
	return daemon.Backends{
		Native:  engine.Platform{OS: "freebsd", Architecture: runtime.GOARCH},
		Runtime: run, Shims: shims{shim.NewClient(shimProgram, cfg.Log)}, Layers: storage, Plumber: plumber,
		Firewall: firewall, Mounter: volmount.Mounter{}, FirewallName: "pf",
		Close: func() error { return undone.Run(context.Background()) },
	}, nil
}
