package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/archive"
	"github.com/xcengine/xc/engine/builder"
	"github.com/xcengine/xc/engine/db"
	"github.com/xcengine/xc/engine/events"
	"github.com/xcengine/xc/engine/images"
	"github.com/xcengine/xc/engine/layers"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/registry"
	"github.com/xcengine/xc/engine/volumes"
)

// closeTimeout bounds the writing of what is not on disk yet at the daemon's end.
const closeTimeout = 15 * time.Second

// certsDir is where Docker's administrators put registries' certificates.
const certsDir = "/etc/docker/certs.d"

// Build says what this program is.
type Build struct {
	Version, Commit string
	// StartFailure says in a sentence why a start failed, for the container's record; nil: the error's own text.
	StartFailure func(error) string
}

// Daemon is the joined services. Its exported members are what the APIs serve.
type Daemon struct {
	Config     Config
	Build      Build
	Containers *lifecycle.Service
	Images     *images.Service
	Layers     *layers.Store
	Networks   *networks.Service
	Volumes    *volumes.Service
	Registries *registry.Client
	Builder    *builder.Service
	Events     *events.Log

	backends Backends
	owner    engine.Owner
	log      *slog.Logger
	closers  []closer
	holding  bool // nothing is started by policy, and nothing collected
}

type closer struct {
	name string
	do   func(context.Context) error
}

// Open brings the services up and recovers what an earlier daemon left. After an error nothing of it is held.
func Open(ctx context.Context, cfg Config, open OpenFunc, build Build, log *slog.Logger) (*Daemon, error) {
	d := &Daemon{Config: cfg, Build: build, log: log}
	if err := d.start(ctx, open); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Daemon) onClose(name string, do func(context.Context) error) {
	d.closers = append(d.closers, closer{name, do})
}

func (d *Daemon) start(ctx context.Context, open OpenFunc) error {
	if err := d.Config.complete(); err != nil {
		return err
	}
	if err := d.hold(); err != nil {
		return err
	}
	store, err := db.Open(ctx, d.Config.DatabaseStore)
	if err != nil {
		return err
	}
	d.onClose("database", func(context.Context) error { return store.Close() })
	host := HostConfig{Config: d.Config, Owner: d.owner, Log: d.log}
	d.backends, err = open(ctx, host)
	if errors.Is(err, syscall.ENOSPC) && store.Yield() {
		d.backends, err = open(ctx, host) // so that what fills the disk can be removed
	}
	if err != nil {
		return err
	}
	if d.backends.Close != nil {
		d.onClose("drivers", func(context.Context) error { return d.backends.Close() })
	}
	return d.join(ctx, store)
}

// hold takes the state directory for this process and reads its mark.
func (d *Daemon) hold() error {
	lock, err := lockState(d.Config.StateDir)
	if err != nil {
		return err
	}
	d.onClose("state directory", func(context.Context) error { return lock.Close() })
	d.owner, err = owner(d.Config.StateDir)
	return err
}

// join makes the services and recovers them, those first that others stand on.
func (d *Daemon) join(ctx context.Context, store *db.DB) error {
	var err error
	if d.Events, err = events.Open(ctx, store, d.log); err != nil {
		return err
	}
	d.onClose("events", d.Events.Close)
	using := &users{}
	if d.Layers, err = layers.New(ctx, layers.Config{Driver: d.backends.Layers, Dir: d.dir("layers"), Log: d.log}); err != nil {
		return err
	}
	d.onClose("layers", func(context.Context) error { return d.Layers.Close() })
	if err := d.openImages(store, using); err != nil {
		return err
	}
	if err := d.openNetworks(ctx, store, using); err != nil {
		return err
	}
	d.Volumes, err = volumes.Open(ctx, volumes.Config{
		Dir: d.dir("volumes"), Store: store, Containers: using, Mounter: d.backends.Mounter, Events: d.Events, Log: d.log,
	})
	if err != nil {
		return err
	}
	d.Containers = lifecycle.New(lifecycle.Config{
		Dir: d.dir("containers"), StateDir: d.Config.StateDir, Runtime: d.backends.Runtime, Shims: d.backends.Shims, Roots: d.Layers.Roots(), Images: d.Images, Layers: d.Layers.Layers(),
		Networks: d.Networks, Volumes: d.Volumes, LogReader: logReader{}, Files: archive.Files{}, Store: store, Events: d.Events,
		Log: d.log, Platform: d.backends.Native, DefaultInit: d.Config.Init, Hold: d.holding, Explain: d.Build.StartFailure,
		DefaultLog: engine.LogSpec{Driver: d.Config.LogDriver, Options: d.Config.LogOpts},
		Failpoint:  failpoint(os.Getenv("XC_FAILPOINT")),
	})
	using.containers = d.Containers
	if err := d.Images.Restore(ctx); err != nil {
		d.log.ErrorContext(ctx, "layers that were lost are not all back", "error", err)
	}
	d.onClose("containers", func(context.Context) error { d.Containers.Close(); return nil })
	if err := d.Containers.Recover(ctx); err != nil {
		return err
	}
	d.Builder, err = builder.New(ctx, builder.Config{
		Dir: d.dir("builder"), Host: d.backends.Native, Images: d.Images, Containers: d.Containers, Roots: buildRoots{d.Layers.Roots(), d.Layers.Layers()},
		Files: archive.Files{}, Web: newWeb("xc/"+d.Build.Version, d.Config.proxy()), Store: store, Events: d.Events, Log: d.log,
		Failpoint: failpoint(os.Getenv("XC_FAILPOINT")),
	})
	if err != nil {
		return err
	}
	if d.holding {
		return nil
	}
	if _, err := d.Builder.Collect(ctx); err != nil {
		d.log.WarnContext(ctx, "collect steps of builds", "error", err)
	}
	if n, err := d.Images.Collect(ctx); err != nil {
		d.log.WarnContext(ctx, "collect unused layers", "error", err)
	} else if n > 0 {
		d.log.InfoContext(ctx, "unused layers removed", "bytes", n)
	}
	return nil
}

func (d *Daemon) openImages(store *db.DB, using *users) error {
	client, err := registry.New(registry.Config{
		CredentialsFile: d.Config.Registries, Mirrors: d.Config.Mirrors, Insecure: d.Config.Insecure,
		Proxy: d.Config.proxy(), CertsDir: certsDir, UserAgent: "xc/" + d.Build.Version, Log: d.log,
	})
	if err != nil {
		return err
	}
	d.Registries = client
	d.Images, err = images.New(images.Config{
		Dir: d.Config.LayersDir, Host: d.backends.Native, Store: store, Layers: d.Layers.Layers(), Containers: using, Events: d.Events,
		Registry: client, Version: d.Build.Version, MaxDownloads: d.Config.MaxDownloads, MaxUploads: d.Config.MaxUploads, Log: d.log,
	})
	if err != nil {
		return err
	}
	d.onClose("images", func(context.Context) error { d.Images.Close(); return nil })
	return nil
}

func (d *Daemon) openNetworks(ctx context.Context, store *db.DB, using *users) error {
	var bridge netip.Prefix
	if s := d.Config.DefaultBridge.Subnet; s != "" {
		var err error
		if bridge, err = netip.ParsePrefix(s); err != nil {
			return &engine.Error{Op: "configure", Kind: engine.Invalid, Resource: engine.ResourceNetwork, ID: s, Err: err}
		}
	}
	var err error
	d.Networks, err = networks.New(ctx, networks.Config{
		Owner: d.owner, Store: store, Plumber: d.backends.Plumber, Firewall: d.backends.Firewall, Containers: using, Events: d.Events, Log: d.log,
		DefaultAddr: bridge, DefaultMTU: d.Config.DefaultBridge.MTU,
		HasInterface: func(name string) bool { _, err := net.InterfaceByName(name); return err == nil },
		Failpoint:    failpoint(os.Getenv("XC_FAILPOINT")),
	})
	if err != nil {
		return err
	}
	d.onClose("networks", d.Networks.Close)
	return nil
}

func (d *Daemon) dir(name string) string { return filepath.Join(d.Config.StateDir, name) }

// Close ends the services, last first. Containers run on; when none does, what the networks have in the kernel is taken away
// too, to be made again at the next start.
func (d *Daemon) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	idle := d.Containers != nil && d.idle()
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		if err := d.closers[i].do(ctx); err != nil {
			errs = append(errs, &engine.Error{Op: "close " + d.closers[i].name, Err: err})
		}
		if idle && d.closers[i].name == "networks" {
			errs = append(errs, d.backends.Plumber.Cleanup(ctx), d.backends.Firewall.Cleanup(ctx))
		}
	}
	d.closers = nil
	return errors.Join(errs...)
}

// idle reports whether no container runs or is about to.
func (d *Daemon) idle() bool {
	n := d.Containers.Counts()
	return n[engine.StateRunning]+n[engine.StatePaused]+n[engine.StateRestarting] == 0
}

// failpoint gives a function that kills this process, as kill -9 does, at the step that is named. Tests of recovery set it.
func failpoint(at string) func(step string) {
	if at == "" {
		return nil
	}
	return func(step string) {
		if strings.EqualFold(step, at) {
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = p.Kill()
			}
			if err != nil {
				panic(err)
			}
			select {}
		}
	}
}

// Platform is what images run here without emulation.
func (d *Daemon) Platform() engine.Platform { return d.backends.Native }
