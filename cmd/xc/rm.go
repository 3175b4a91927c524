package main

import (
	"context"

	"github.com/spf13/cobra"
)

func removeCommand(a *app) *cobra.Command {
	var force, volumes bool
	cmd := simpleCommand(a, "rm [flags]", "Remove containers", everyContainer, func(ctx context.Context, ref string) error {
		return a.daemon().RemoveContainer(ctx, ref, force, volumes)
	})
	cmd.Aliases = []string{"remove"}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "kill those that run")
	cmd.Flags().BoolVarP(&volumes, "volumes", "v", false, "remove their anonymous volumes too")
	return cmd
}

func renameCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rename CONTAINER NAME", Short: "Give a container another name", Args: cobra.ExactArgs(2), ValidArgsFunction: a.containerNames(1, everyContainer),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explain(cmd.Context(), args[0], a.daemon().RenameContainer(cmd.Context(), args[0], args[1]))
		},
	}
}
