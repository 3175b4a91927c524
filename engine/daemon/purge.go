package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/xcengine/xc/engine"
)

// Purge stops and removes everything that the daemon of a state directory made on this host, then the directory. It needs no
// database: everything is found by its mark. A daemon that runs on the directory is refused.
func Purge(ctx context.Context, cfg Config, open OpenFunc, log *slog.Logger) (err error) {
	if err := cfg.complete(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.StateDir, "owner")); errors.Is(err, fs.ErrNotExist) {
		return &engine.Error{Op: "purge", Kind: engine.NotFound, Resource: engine.ResourcePath, ID: cfg.StateDir, Err: errors.New("no state of a daemon is there")}
	}
	d := &Daemon{Config: cfg, log: log}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.hold(); err != nil {
		return err
	}
	b, err := open(ctx, HostConfig{Config: cfg, Owner: d.owner, Log: log})
	if err != nil {
		return err
	}
	if b.Close != nil {
		d.onClose("drivers", func(context.Context) error { return b.Close() })
	}
	if err := d.purge(ctx, b); err != nil {
		return err
	}
	return os.RemoveAll(cfg.StateDir)
}

// purge takes away what is in the kernel: containers, networks, mounts. Every step is tried whatever the others say.
func (d *Daemon) purge(ctx context.Context, b Backends) error {
	var errs []error
	dirs, err := os.ReadDir(d.dir("containers"))
	if !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, e := range dirs {
		dir := filepath.Join(d.dir("containers"), e.Name())
		errs = append(errs, b.Shims.Clean(ctx, dir), b.Runtime.RemoveSandbox(ctx, engine.ContainerID(e.Name()), dir))
	}
	boxes, err := b.Runtime.Sandboxes(ctx)
	errs = append(errs, err)
	for _, id := range boxes {
		errs = append(errs, b.Runtime.RemoveSandbox(ctx, id, filepath.Join(d.dir("containers"), string(id))))
	}
	_, err = b.Layers.Recover(ctx, nil, nil) // nothing is named: everything goes
	if s, ok := b.Layers.(outsider); ok && err == nil {
		err = s.Cleanup(ctx)
	}
	errs = append(errs, err, b.Plumber.Cleanup(ctx), b.Firewall.Cleanup(ctx))
	return errors.Join(errs...)
}

// outsider is a storage driver that has something outside the state directory.
type outsider interface {
	Cleanup(ctx context.Context) error
}
