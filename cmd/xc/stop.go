package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func stopCommand(a *app) *cobra.Command {
	return endingCommand(a, "stop", "End containers, gently first", func(ctx context.Context, ref string, how wire.Stop) error {
		return a.daemon().StopContainer(ctx, ref, how)
	})
}

func restartCommand(a *app) *cobra.Command {
	return endingCommand(a, "restart", "End containers and start them again", func(ctx context.Context, ref string, how wire.Stop) error {
		return a.daemon().RestartContainer(ctx, ref, how)
	})
}

func endingCommand(a *app, use, short string, do func(ctx context.Context, ref string, how wire.Stop) error) *cobra.Command {
	var signal string
	var timeout int
	var cmd *cobra.Command
	cmd = simpleCommand(a, use+" [flags]", short, running, func(ctx context.Context, ref string) error {
		how := wire.Stop{Signal: signal}
		if cmd.Flags().Changed("timeout") {
			how.Timeout = &timeout
		}
		return do(ctx, ref, how)
	})
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if timeout < -1 {
			return usageError{fmt.Errorf("--timeout %d: a number of seconds, or -1 to wait for ever", timeout)}
		}
		return nil
	}
	cmd.Flags().IntVarP(&timeout, "timeout", "t", 0, "seconds before it is killed; -1 waits for ever (default: the container's own)")
	cmd.Flags().StringVar(&signal, "signal", "", "signal to begin with (default: the container's own)")
	return cmd
}

func killCommand(a *app) *cobra.Command {
	var signal string
	cmd := simpleCommand(a, "kill [flags]", "Kill containers, or send them another signal", running, func(ctx context.Context, ref string) error {
		return a.daemon().KillContainer(ctx, ref, signal)
	})
	cmd.Flags().StringVarP(&signal, "signal", "s", "KILL", "name or number")
	return cmd
}

func pauseCommand(a *app) *cobra.Command {
	return simpleCommand(a, "pause", "Stop the processes of containers where they are", running, func(ctx context.Context, ref string) error {
		return a.daemon().PauseContainer(ctx, ref)
	})
}

func unpauseCommand(a *app) *cobra.Command {
	return simpleCommand(a, "unpause", "Let the processes of paused containers go on", running, func(ctx context.Context, ref string) error {
		return a.daemon().UnpauseContainer(ctx, ref)
	})
}
