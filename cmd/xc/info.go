package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func infoCommand(a *app) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "info", Short: "Show how the daemon and its host are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.ask(cmd)
			defer cancel()
			i, err := a.daemon().Info(ctx)
			if err != nil {
				return err
			}
			return o.print(a.stdout, i, func(w io.Writer) error {
				tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, row := range [][2]any{
					{"version", i.Version},
					{"state directory", i.StateDir},
					{"storage driver", i.StorageDriver},
					{"runtime", i.Runtime},
					{"system", i.OSType + "/" + i.Architecture + ", kernel " + i.Kernel},
					{"firewall", i.Firewall},
					{"containers", fmt.Sprintf("%d running, %d paused, %d stopped", i.Containers["running"], i.Containers["paused"], i.Containers["stopped"])},
					{"images", i.Images},
				} {
					fmt.Fprintf(tw, "%v\t%v\n", row[0], row[1])
				}
				for _, warning := range i.Warnings {
					fmt.Fprintf(tw, "warning\t%s\n", warning)
				}
				return tw.Flush()
			})
		},
	}
	o.flags(cmd)
	return cmd
}
