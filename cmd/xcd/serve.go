package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/nativeapi"
	"github.com/xcengine/xc/engine/nativeapi/wire"
	"github.com/xcengine/xc/engine/platform"
	"github.com/xcengine/xc/engine/platform/hostfile"
	"github.com/xcengine/xc/engine/platform/peercred"
	"github.com/xcengine/xc/translate"
)

// serve runs the daemon until ctx ends. The sockets are taken first: a second daemon fails before it touches anything.
func serve(ctx context.Context, cfg daemon.Config, log *slog.Logger) (err error) {
	policy, err := accessPolicy(cfg.Access)
	if err != nil {
		return err
	}
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			err = errors.Join(err, closed(l.Close()))
		}
	}()
	if listeners, err = listen(ctx, cfg); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if len(cfg.Access) > 0 {
		mode = 0o666 // who connects is known by uid, and the policy decides
	}
	l, err := listenUnix(ctx, cfg.SocketPath, "", mode)
	if err != nil {
		return err
	}
	listeners = append(listeners, l)
	d, err := daemon.Open(ctx, cfg, platform.Open, daemon.Build{Version: version, Commit: commit, StartFailure: translate.StartFailure}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()

	further, err := openChannels(ctx, cfg.StateDir, log)
	if err != nil {
		return err
	}
	api, err := dockerAPI(ctx, d, log)
	if err != nil {
		return err
	}
	native := nativeapi.New(nativeapi.Config{
		Services: nativeapi.Services{
			System: d, Containers: d.Containers, Execs: d.Containers, Images: d.Images, Networks: d.Networks, Host: d.Platform(),
			Memberships: d.Containers, Volumes: d.Volumes, Builder: d.Builder, Registries: d.Registries,
		},
		Listen:  func(ctx context.Context, path string) (net.Listener, error) { return further.listen(ctx, path, mode) },
		PeerUID: peercred.UID, Policy: policy, Inert: hostfile.Inert, Log: log,
		Version: wire.Version{Version: version, Commit: commit, API: "v1", Platform: d.Platform().String()},
	})
	serving, stop := errgroup.WithContext(ctx)
	for _, l := range listeners[:len(listeners)-1] {
		serving.Go(func() error { return api.Serve(stop, l) })
	}
	serving.Go(func() error { return native.Serve(stop, listeners[len(listeners)-1]) })
	log.InfoContext(ctx, "ready", "docker", cfg.Hosts, "state", cfg.StateDir, "driver", d.Layers.Driver())
	return serving.Wait()
}

// closed drops the error of closing what was closed already.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// purgeHost removes everything that a state directory's daemon left on the host.
func purgeHost(ctx context.Context, cfg daemon.Config, log *slog.Logger) error {
	return daemon.Purge(ctx, cfg, platform.Open, log)
}
