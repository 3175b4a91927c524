package main

import (
	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func networkCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "network", Short: "Networks on interfaces of the administrator's"}
	cmd.AddCommand(networkCreateCommand(a), networkReloadCommand(a))
	return cmd
}

func networkCreateCommand(a *app) *cobra.Command {
	var n wire.NetworkCreate
	cmd := &cobra.Command{
		Use: "create [flags] NAME SUBNET...", Short: "Make a network of addresses on interfaces that exist", Args: cobra.MinimumNArgs(2),
		Long: "Make a network whose containers get addresses of SUBNET. Those with a network stack of their own are joined to the\n" +
			"bridge, those that share the host's have their addresses on the alias interface. Nothing of the interfaces is changed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			n.Name, n.Subnets = args[0], args[1:]
			made, err := a.daemon().CreateNetwork(cmd.Context(), n)
			if err != nil {
				return err
			}
			return a.println(made.ID)
		},
	}
	cmd.Flags().StringVar(&n.Bridge, "bridge", "", "interface that private network stacks are bridged to")
	cmd.Flags().StringVar(&n.Alias, "alias", "", "interface that carries the addresses of shared network stacks")
	cmd.Flags().StringArrayVar(&n.DefaultRouters, "default-router", nil, "default router of private network stacks, one of each IP version")
	return cmd
}

func networkReloadCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Make the kernel have every interface and rule again, after somebody removed them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.daemon().ReloadNetworks(cmd.Context()) },
	}
}
