package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func purgeCommand(a *app) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "purge", Short: "Remove images that have no name and no container, and layers that nothing needs", Args: cobra.NoArgs,
		Long: `Remove images that have no name and no container, and layers that nothing needs. Named images, containers and volumes stay. (xcd
purge, of the daemon, removes everything.)`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.daemon().Purge(cmd.Context())
			if err != nil {
				return err
			}
			return o.print(a.stdout, p, func(w io.Writer) error {
				for _, id := range p.Removed {
					fmt.Fprintln(w, id)
				}
				_, err := fmt.Fprintf(w, "%s freed\n", bytesText(p.Freed))
				return err
			})
		},
	}
	o.flags(cmd)
	return cmd
}
