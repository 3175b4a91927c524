package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func waitCommand(a *app) *cobra.Command {
	var condition string
	cmd := &cobra.Command{
		Use: "wait [flags] CONTAINER...", Short: "Wait for the ends of containers and print their exit codes", Args: cobra.MinimumNArgs(1),
		Long:              "Wait for the ends of containers and print their exit codes. The exit code of xc wait is that of the last one.",
		ValidArgsFunction: a.containerNames(0, everyContainer),
		RunE: func(cmd *cobra.Command, args []string) error {
			code := 0
			err := a.each(args, func(ref string) error {
				w, err := a.daemon().WaitContainer(cmd.Context(), ref, condition, nil)
				if err == nil && w.Error != "" {
					err = errors.New(w.Error)
				}
				if err != nil {
					return a.explain(cmd.Context(), ref, err)
				}
				code = w.ExitCode
				return a.println(code)
			}, nil)
			if err == nil && code != 0 {
				return exitCode(code)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&condition, "condition", "not-running", "not-running, next-exit or removed")
	return cmd
}

func linkCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "link CONTAINER", Short: "Wait for a container's end; it is killed when this program ends before", Args: cobra.ExactArgs(1),
		Long: `Wait for a container's end. When this program ends before that, by whatever means, the container is killed. It outlives restarts
of the daemon.`,
		ValidArgsFunction: a.containerNames(1, running),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explain(cmd.Context(), args[0], a.hold(cmd.Context(), args[0]))
		},
	}
}
