package main

import (
	"github.com/spf13/cobra"
)

func topCommand(a *app) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "top [flags] CONTAINER [PS_ARG...]", Short: "List the processes of a container", Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.containerNames(1, running),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.ask(cmd)
			defer cancel()
			found, err := a.daemon().Processes(ctx, args[0], args[1:])
			if err != nil {
				return a.explain(ctx, args[0], err)
			}
			t := table{head: found.Titles, rows: found.Rows}
			return o.print(a.stdout, found, t.writeAll)
		},
	}
	o.flags(cmd)
	cmd.Flags().SetInterspersed(false)
	return cmd
}

func diffCommand(a *app) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "diff [flags] CONTAINER", Short: "List how the files of a container differ from its image", Args: cobra.ExactArgs(1), ValidArgsFunction: a.containerNames(1, everyContainer),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.daemon().Changes(cmd.Context(), args[0])
			if err != nil {
				return a.explain(cmd.Context(), args[0], err)
			}
			t := table{}
			for _, ch := range found {
				t.add(map[string]string{"added": "A", "modified": "C", "deleted": "D"}[ch.Kind], ch.Path)
			}
			return printAll(&o, a.stdout, found, t.writeRows)
		},
	}
	o.flags(cmd)
	return cmd
}
