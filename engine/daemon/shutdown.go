package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Shutdown ends the containers that run on a state directory, as for a shutdown of the host; see lifecycle.Shutdown. It is for
// when no daemon runs: one that does is refused. Where no daemon ever ran there is nothing to do. The time that it takes to find
// the containers is part of patience, but for a second that each is left to end in.
func Shutdown(ctx context.Context, cfg Config, open OpenFunc, patience time.Duration, log *slog.Logger) (err error) {
	if err := cfg.complete(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.StateDir, "owner")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	deadline := time.Now().Add(patience)
	d := &Daemon{Config: cfg, log: log, holding: true}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.start(ctx, open); err != nil {
		return err
	}
	return d.Containers.Shutdown(ctx, max(time.Until(deadline), time.Second))
}
