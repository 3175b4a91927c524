package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func redirectCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "rdr", Short: "Published ports of containers"}
	cmd.AddCommand(
		changePortsCommand(a, "add", "Publish further ports of a container", false, func(ctx context.Context, ref string, p []wire.Publish) error {
			return a.daemon().Publish(ctx, ref, p)
		}),
		changePortsCommand(a, "rm", "Do not publish ports of a container any more", true, func(ctx context.Context, ref string, p []wire.Publish) error {
			return a.daemon().Unpublish(ctx, ref, p)
		}),
		listPortsCommand(a), showRulesCommand(a),
	)
	return cmd
}

func changePortsCommand(a *app, use, short string, pattern bool, do func(context.Context, string, []wire.Publish) error) *cobra.Command {
	var specs []string
	cmd := &cobra.Command{
		Use: use + " -p [IF|][ADDR:][PORT[-PORT]:]PORT[/PROTO]... CONTAINER", Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: a.containerNames(1, everyContainer),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(specs) == 0 {
				return usageError{errors.New("no port is named: -p PORT:PORT")}
			}
			var r reader
			var all []wire.Publish
			for _, p := range each(&r, "--publish", specs, func(text string) ([]wire.Publish, error) { return parsePublish(text, pattern) }) {
				all = append(all, p...)
			}
			if err := errors.Join(r.errs...); err != nil {
				return usageError{err}
			}
			return a.explain(cmd.Context(), args[0], do(cmd.Context(), args[0], all))
		},
	}
	cmd.Flags().StringArrayVarP(&specs, "publish", "p", nil, "port; may be repeated")
	return cmd
}

func listPortsCommand(a *app) *cobra.Command {
	var o output
	var noHead bool
	cmd := &cobra.Command{
		Use: "list [flags] CONTAINER", Aliases: []string{"ls"}, Short: "List the published ports of a container", Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.containerNames(1, running),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.ask(cmd)
			defer cancel()
			c, err := a.daemon().Container(ctx, args[0], false)
			if err != nil {
				return a.explain(ctx, args[0], err)
			}
			return printAll(&o, a.stdout, c.Ports, func(w io.Writer) error {
				if !noHead {
					fmt.Fprintf(w, "%d redirection(s)\n", len(c.Ports))
				}
				for _, p := range ports(c) {
					fmt.Fprintln(w, p)
				}
				return nil
			})
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVarP(&noHead, "no-header", "H", false, "without their number")
	return cmd
}

// redirection is a port with its container.
type redirection struct {
	Container string `json:"container"`
	wire.Port
}

func showRulesCommand(a *app) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show-rules", Short: "List the published ports of all containers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.ask(cmd)
			defer cancel()
			found, err := a.daemon().Containers(ctx, running)
			if err != nil {
				return err
			}
			t := table{head: []string{"CONTAINER", "HOST", "PORT", "PROTOCOL"}}
			var all []redirection
			for _, c := range found {
				for _, p := range c.Ports {
					all = append(all, redirection{c.Name, p})
					t.add(c.Name, hostPort(p), fmt.Sprint(p.Port), p.Proto)
				}
			}
			return printAll(&o, a.stdout, all, t.writeAll)
		},
	}
	o.flags(cmd)
	return cmd
}
