package main

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/xcengine/xc/dockerapi"
	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/images"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/translate"
)

// dockerAPI joins the Docker API to the daemon's services.
func dockerAPI(ctx context.Context, d *daemon.Daemon, log *slog.Logger) (*dockerapi.Server, error) {
	info, err := d.Info(ctx)
	if err != nil {
		return nil, err
	}
	c := info.Capabilities
	isolation, _, _ := strings.Cut(c.Runtime, " ") // "runc 1.1.5"
	return dockerapi.New(dockerapi.Config{
		Backends: dockerapi.Backends{
			Containers: d.Containers, Exec: d.Containers, Images: imageBackend{d.Images}, Networks: networkBackend{d.Networks, d.Containers},
			Volumes: d.Volumes, Build: d.Builder, System: d,
		},
		Host: translate.Host{
			OSType: c.OSType, Arch: runtime.GOARCH, Version: info.Version, CgroupVersion: c.CgroupVersion, NCPU: c.NCPU,
			Runtime: isolation, Runtimes: slices.Sorted(maps.Keys(c.Runtimes)), LogDriver: info.LogDriver, ContainersDir: filepath.Join(info.StateDir, "containers"),
			NetnsDir: filepath.Join(info.StateDir, "netns"),
		},
		Log: log, Now: time.Now,
	}), nil
}

// imageBackend is the images service; its Create is for builders, not for the API.
type imageBackend struct{ *images.Service }

// networkBackend is the networks with the moves of containers between them, which are the containers' own.
type networkBackend struct {
	*networks.Service
	containers *lifecycle.Service
}

func (b networkBackend) Connect(ctx context.Context, ref, container string, spec engine.EndpointSpec) error {
	return b.containers.Connect(ctx, ref, container, spec)
}

func (b networkBackend) Disconnect(ctx context.Context, ref, container string, force bool) error {
	return b.containers.Disconnect(ctx, ref, container, force)
}
