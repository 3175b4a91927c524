package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func attachCommand(a *app) *cobra.Command {
	var how wire.Attach
	var noStdin, noProxy bool
	cmd := &cobra.Command{
		Use: "attach [flags] CONTAINER", Short: "Connect with the main process of a container", Args: cobra.ExactArgs(1), ValidArgsFunction: a.containerNames(1, running),
		Long: "Connect with the main process of a container that runs, until it ends or ctrl-p q is typed. The exit code is that of the process.",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := a.daemon().Container(ctx, args[0], false)
			if err != nil {
				return a.explain(ctx, args[0], err)
			}
			if c.State != "running" && c.State != "paused" {
				return fmt.Errorf("container %s does not run (xc start --attach starts it)", c.Name)
			}
			code, err := a.attached(ctx, session{
				ref: c.ID, tty: c.Process.TTY, stdin: c.Process.Stdin && !noStdin, proxy: !noProxy,
				move: func(ctx context.Context, s client.Streams) (int, error) {
					return a.daemon().Attach(ctx, c.ID, how, c.Process.TTY, s)
				},
			})
			return ended(code, err)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&noStdin, "no-stdin", false, "do not hand stdin over")
	f.BoolVar(&noProxy, "no-sig-proxy", false, "do not pass signals on")
	f.BoolVar(&how.Logs, "logs", false, "first what it wrote before")
	f.StringVar(&how.DetachKeys, "detach-keys", "", "keys that leave the terminal (default: "+client.DetachKeys+")")
	return cmd
}
