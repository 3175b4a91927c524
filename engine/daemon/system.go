package daemon

import (
	"context"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/logs"
)

// Info describes the daemon and its host.
func (d *Daemon) Info(ctx context.Context) (engine.Info, error) {
	host, err := os.Hostname()
	if err != nil {
		return engine.Info{}, err
	}
	n := d.Containers.Counts()
	c := d.backends.Runtime.Capabilities()
	return engine.Info{
		ID: string(d.owner), Name: host, Capabilities: c,
		Containers: n[engine.StateCreated] + n[engine.StateRunning] + n[engine.StatePaused] + n[engine.StateRestarting] + n[engine.StateExited] + n[engine.StateDead] + n[engine.StateRemoving],
		Running:    n[engine.StateRunning] + n[engine.StateRestarting], Paused: n[engine.StatePaused],
		Stopped: n[engine.StateCreated] + n[engine.StateExited] + n[engine.StateDead] + n[engine.StateRemoving],
		Images:  d.Images.Count(), Driver: d.Layers.Driver(), DriverStatus: d.Layers.DriverStatus(), StateDir: d.Config.StateDir,
		Version: d.Build.Version, Commit: d.Build.Commit, SystemTime: time.Now(), LogDriver: d.Config.LogDriver,
		LogDrivers: logs.Drivers(), NetworkDrivers: []string{"bridge", "host", "null"}, VolumeDrivers: []string{"local"},
		Labels: d.Config.Labels, Insecure: d.Config.Insecure, Mirrors: d.Config.Mirrors,
		HTTPProxy: d.Config.HTTPProxy, HTTPSProxy: d.Config.HTTPSProxy, NoProxy: d.Config.NoProxy,
		Goroutines: runtime.NumGoroutine(), Descriptors: descriptors(), EventListeners: d.Events.Listeners(), Debug: d.Config.Debug,
		Warnings:     slices.Concat(d.Networks.Warnings(ctx), c.Warnings, d.Config.warnings()),
		AddressPools: d.Networks.AddressPools(), FirewallBackend: d.backends.FirewallName,
	}, nil
}

// descriptors counts this process's open files; 0 where the system does not tell.
func descriptors() int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// Subscribe gives events, past and to come.
func (d *Daemon) Subscribe(ctx context.Context, q engine.EventQuery) ([]engine.Event, <-chan engine.Event, func(), error) {
	return d.Events.Subscribe(ctx, q)
}

// DiskUsage says what images, containers and volumes take on disk.
func (d *Daemon) DiskUsage(ctx context.Context) (engine.DiskUsage, error) {
	var u engine.DiskUsage
	var err error
	if u.LayersSize, u.Images, err = d.Images.Usage(ctx); err != nil {
		return u, err
	}
	if u.Containers, err = d.Containers.List(ctx, engine.ContainerQuery{All: true, Size: true}); err != nil {
		return u, err
	}
	if u.Volumes, err = d.Volumes.Usage(ctx); err != nil {
		return u, err
	}
	u.BuildCache, err = d.Builder.Records(ctx)
	return u, err
}
