package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/daemon"
	"github.com/xcengine/xc/engine/platform"
)

// defaultPatience leaves rc.shutdown(8) the rest of its 90 seconds (rcshutdown_timeout).
const defaultPatience = time.Minute

// shutdownCommand ends containers when the host goes down. It is not what SIGTERM does: a daemon may end at any time, and its
// containers go on.
func shutdownCommand(o *options) *cobra.Command {
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "shutdown",
		Short: "Stop the containers that a daemon left running, for a shutdown of the host",
		Long: `Shutdown stops the containers that run on a state directory on which no daemon runs (any more): those that use another's network
before that one, each by its stop signal and, after its stop timeout, by SIGKILL. The next xcd on the directory starts those
again whose restart policy is always or unless-stopped. The rc.d script uses it when the host shuts down.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if patience < 0 {
				return usageError{fmt.Errorf("--timeout %v: less than nothing", patience)}
			}
			cfg, err := o.load(cmd, args)
			if err != nil {
				return err
			}
			return daemon.Shutdown(cmd.Context(), cfg, platform.Open, patience, logger(cmd, cfg))
		},
	}
	cmd.Flags().DurationVar(&patience, "timeout", defaultPatience, "time for all of them together; what then still runs gets SIGKILL")
	return cmd
}
