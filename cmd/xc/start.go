package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func startCommand(a *app) *cobra.Command {
	var attach, interactive bool
	var keys string
	cmd := simpleCommand(a, "start [flags]", "Start containers that do not run", everyContainer, func(ctx context.Context, ref string) error {
		return a.daemon().StartContainer(ctx, ref)
	})
	cmd.Aliases = []string{"run-main"}
	cmd.Long = "Start containers that do not run. With --attach the exit code is that of the program."
	several := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !attach && !interactive {
			return several(cmd, args)
		}
		if len(args) > 1 {
			return usageError{errors.New("only one container can be attached to")}
		}
		return a.startAttached(cmd.Context(), args[0], interactive, keys)
	}
	cmd.Flags().BoolVarP(&attach, "attach", "a", false, "attach to what it writes, pass signals on, and give its exit code")
	cmd.Flags().BoolVarP(&interactive, "interactive", "i", false, "attach its stdin too")
	cmd.Flags().StringVar(&keys, "detach-keys", "", "keys that leave the terminal (default: "+client.DetachKeys+")")
	return cmd
}

func (a *app) startAttached(ctx context.Context, ref string, interactive bool, keys string) error {
	c, err := a.daemon().Container(ctx, ref, false)
	if err != nil {
		return a.explain(ctx, ref, err)
	}
	until := "next-exit"
	if c.AutoRemove {
		until = "removed"
	}
	code, err := a.attached(ctx, session{
		ref: c.ID, tty: c.Process.TTY, stdin: interactive && c.Process.Stdin, proxy: true,
		before: func() error { return a.daemon().StartContainer(ctx, c.ID) },
		move: func(ctx context.Context, s client.Streams) (int, error) {
			return a.daemon().Attach(ctx, c.ID, wire.Attach{DetachKeys: keys, Until: until}, c.Process.TTY, s)
		},
	})
	return ended(code, err)
}
