package layers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/xcengine/xc/engine"
)

// Candidate is a driver that a platform has. Open tries whether it works here; an error says why not.
type Candidate struct {
	Name string
	Open func(ctx context.Context) (Driver, error)
}

// Choose opens the wanted driver, or without a wish the first candidate that works: a platform lists zfs first, whose Open
// fails unless a dataset is configured, then what its kernel can stack, then copy, which works everywhere.
func Choose(ctx context.Context, log *slog.Logger, wanted string, candidates ...Candidate) (Driver, error) {
	var failed []error
	for _, c := range candidates {
		if wanted != "" && c.Name != wanted {
			continue
		}
		d, err := c.Open(ctx)
		if err == nil {
			return d, nil
		}
		log.Info("storage driver is not usable here", "driver", c.Name, "reason", err)
		failed = append(failed, fmt.Errorf("%s: %w", c.Name, err))
	}
	if wanted != "" && len(failed) == 0 {
		return nil, &engine.Error{
			Op: "open storage", Kind: engine.Invalid, Reason: engine.ReasonDriverUnknown, Args: []string{wanted},
			Err: fmt.Errorf("there is no storage driver %q on this platform", wanted),
		}
	}
	return nil, &engine.Error{Op: "open storage", Kind: engine.Unavailable, Err: errors.Join(failed...)}
}
