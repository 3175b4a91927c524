package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/client"
)

// askAgain is how soon a daemon that does not answer yet is asked again: nothing tells when a socket that is not there is.
const askAgain = 50 * time.Millisecond

// readyCommand waits for a daemon that was just started, so that what a script does next finds it.
func readyCommand(o *options) *cobra.Command {
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Wait until the daemon answers",
		Long: `Ready waits until the daemon that serves this configuration's --socket answers: it has then taken up what an earlier one left.
The rc.d script uses it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if patience <= 0 {
				return usageError{fmt.Errorf("--timeout %v: it must be more than nothing", patience)}
			}
			cfg, err := o.load(cmd, args)
			if err != nil {
				return err
			}
			return awaitDaemon(cmd.Context(), cfg.SocketPath, patience)
		},
	}
	cmd.Flags().DurationVar(&patience, "timeout", 30*time.Second, "how long it is waited for")
	return cmd
}

func awaitDaemon(ctx context.Context, socket string, patience time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	c := client.New(socket)
	var last error // why it did not answer, which is not that the time is over
	for {
		_, err := c.Version(limited)
		switch {
		case err == nil:
			return nil
		case limited.Err() == nil || last == nil:
			last = err
		}
		select {
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the daemon does not answer on %s within %v: %w", socket, patience, last)
		case <-tick.C:
		}
	}
}
