package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func networkCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "network", Short: "Networks: on the administrator's interfaces, and the engine's own bridges"}
	cmd.AddCommand(
		networkCreateCommand(a), networkListCommand(a), networkShowCommand(a), networkRemoveCommand(a), networkPruneCommand(a),
		networkConnectCommand(a), networkDisconnectCommand(a), networkTagCommand(a), networkCommitTagCommand(a), networkReloadCommand(a),
	)
	return cmd
}

func (a *app) networkList(ctx context.Context) ([]string, error) {
	all, err := a.daemon().Networks(ctx, nil)
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	return names, err
}

// explainNetwork adds to an error of a network that is not there the names that may be meant, likewise of a container.
func (a *app) explainNetwork(ctx context.Context, ref, container string, err error) error {
	if !notFound(err, engine.ResourceNetwork) {
		return a.explain(ctx, container, err)
	}
	return a.explainMissing(ctx, engine.ResourceNetwork, ref, err, a.networkList)
}

func networkCreateCommand(a *app) *cobra.Command {
	var n wire.NetworkCreate
	var subnets, ranges, gateways, reserved, options, labels []string
	cmd := &cobra.Command{
		Use: "create [flags] NAME [SUBNET [START [END]]]", Short: "Make a network", Args: cobra.RangeArgs(1, 4),
		Long: `Make a network whose containers get addresses of SUBNET, from START to END.

With --bridge, --alias or --default-router it is one on interfaces that the administrator made, of which nothing is changed: containers
with a network stack of their own are joined to the bridge, those that share the host's have their addresses on the alias interface.
Without them the engine makes a bridge of its own.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			n.Name = args[0]
			if n.Subnets, err = subnetFlags(args[1:], subnets, ranges, gateways, reserved); err != nil {
				return usageError{err}
			}
			r := &reader{}
			n.Options, n.Labels = r.pairs("--opt", options, false), r.pairs("--label", labels, true)
			if len(r.errs) > 0 {
				return usageError{r.errs[0]}
			}
			made, err := a.daemon().CreateNetwork(cmd.Context(), n)
			if err != nil {
				return err
			}
			if made.Warning != "" {
				a.warn(made.Warning)
			}
			return a.println(made.ID)
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.Bridge, "bridge", "", "interface that network stacks of containers' own are joined to")
	f.StringVar(&n.Alias, "alias", "", "interface that carries the addresses of the others")
	f.StringArrayVar(&n.DefaultRouters, "default-router", nil, "default router of network stacks of their own, one of each IP version")
	f.StringVarP(&n.Driver, "driver", "d", "", "xc or bridge; otherwise xc with one of the three before, else bridge")
	f.StringArrayVar(&subnets, "subnet", nil, "further subnet in CIDR form; may be repeated")
	f.StringArrayVar(&ranges, "ip-range", nil, "what is handed out of a subnet, in CIDR form; may be repeated")
	f.StringArrayVar(&gateways, "gateway", nil, "gateway of a subnet; may be repeated")
	f.StringArrayVar(&reserved, "aux-address", nil, "NAME=ADDRESS that is not handed out; may be repeated")
	f.BoolVar(&n.Internal, "internal", false, "nothing leads out of it")
	f.BoolVar(&n.IPv6, "ipv6", false, "with addresses of IPv6")
	f.StringArrayVarP(&options, "opt", "o", nil, "KEY=VALUE of the driver; may be repeated")
	f.StringArrayVarP(&labels, "label", "l", nil, "KEY=VALUE; may be repeated")
	return cmd
}

// subnetFlags puts what belongs to a subnet with it.
func subnetFlags(words, more, ranges, gateways, reserved []string) (all []wire.Subnet, err error) {
	var prefixes []netip.Prefix
	add := func(s wire.Subnet) error {
		p, err := netip.ParsePrefix(s.Subnet)
		if err != nil {
			return &syntaxError{s.Subnet, 0, fmt.Sprintf("%q is not a subnet: ADDRESS/BITS, as in 192.168.17.0/24", s.Subnet)}
		}
		all, prefixes = append(all, s), append(prefixes, p)
		return nil
	}
	if len(words) > 0 {
		words = append(words, "", "")
		if err := add(wire.Subnet{Subnet: words[0], Start: words[1], End: words[2]}); err != nil {
			return nil, err
		}
	}
	for _, s := range more {
		if err := add(wire.Subnet{Subnet: s}); err != nil {
			return nil, err
		}
	}
	of := func(flag, text, addr string) (*wire.Subnet, error) {
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, &syntaxError{text, 0, fmt.Sprintf("%q is not an address", addr)})
		}
		for i, p := range prefixes {
			if p.Contains(a) {
				return &all[i], nil
			}
		}
		return nil, fmt.Errorf("%s %s: no subnet of the network has it", flag, text)
	}
	for _, text := range ranges {
		addr, _, _ := strings.Cut(text, "/")
		s, err := of("--ip-range", text, addr)
		if err != nil {
			return nil, err
		}
		s.Range = text
	}
	for _, text := range gateways {
		s, err := of("--gateway", text, text)
		if err != nil {
			return nil, err
		}
		s.Gateway = text
	}
	for _, text := range reserved {
		name, addr, err := pair(text)
		if err != nil {
			return nil, fmt.Errorf("--aux-address: %w", err)
		}
		s, err := of("--aux-address", text, addr)
		if err != nil {
			return nil, err
		}
		if s.Aux == nil {
			s.Aux = map[string]string{}
		}
		s.Aux[name] = addr
	}
	return all, nil
}

// Columns of network list, by name. L2IFACE and L3IFACE are the original's names.
var networkColumns = map[string]func(wire.Network) string{
	"ID":         func(n wire.Network) string { return engine.ContainerID(n.ID).Short() },
	"NAME":       func(n wire.Network) string { return n.Name },
	"DRIVER":     func(n wire.Network) string { return n.Driver },
	"L2IFACE":    func(n wire.Network) string { return n.Bridge },
	"L3IFACE":    func(n wire.Network) string { return n.Alias },
	"ROUTER":     func(n wire.Network) string { return n.Router },
	"SUBNET":     func(n wire.Network) string { return joined(n.Subnets, func(s wire.Subnet) string { return s.Subnet }) },
	"START":      func(n wire.Network) string { return joined(n.Subnets, func(s wire.Subnet) string { return s.Start }) },
	"END":        func(n wire.Network) string { return joined(n.Subnets, func(s wire.Subnet) string { return s.End }) },
	"GATEWAY":    func(n wire.Network) string { return joined(n.Subnets, func(s wire.Subnet) string { return s.Gateway }) },
	"CONTAINERS": func(n wire.Network) string { return strconv.Itoa(len(n.Attached)) },
	"CREATED":    func(n wire.Network) string { return ago(n.Created) },
	"LABELS":     func(n wire.Network) string { return strings.Join(pairs(n.Labels), ",") },
}

const networkDefault = "NAME,DRIVER,L2IFACE,L3IFACE,SUBNET,CONTAINERS"

func joined[T any](all []T, text func(T) string) string {
	var words []string
	for _, v := range all {
		if s := text(v); s != "" {
			words = append(words, s)
		}
	}
	return strings.Join(words, ",")
}

func networkListCommand(a *app) *cobra.Command {
	var l listing
	cmd := listed[wire.Network]{
		what: "networks", columns: networkColumns, standard: networkDefault,
		keys: []string{"id", "name", "driver", "label", "type", "dangling"}, values: "id, name, driver, label, type (builtin, custom), dangling",
		find: func(ctx context.Context, q url.Values) ([]wire.Network, error) { return a.daemon().Networks(ctx, q) },
		id:   "ids", idOf: func(l *listing, n wire.Network) string { return l.short(n.ID, engine.ContainerID(n.ID).Short()) },
	}.command(a, &l)
	cmd.Flags().StringVarP(&l.columns, "fields", "f", "", "the same as --columns")
	return cmd
}

func networkShowCommand(a *app) *cobra.Command {
	o := output{output: "json", short: "f"}
	cmd := &cobra.Command{
		Use: "show [flags] NETWORK...", Aliases: []string{"inspect"}, Short: "Tell everything of networks", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completed(0, a.networkList),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := lookUpEach(a, args, func(ref string) (wire.Network, error) {
				n, err := a.daemon().Network(cmd.Context(), ref)
				return n, a.explainNetwork(cmd.Context(), ref, "", err)
			})
			return printFound(a, &o, found, err)
		},
	}
	o.flags(cmd)
	return cmd
}

func networkRemoveCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rm NETWORK...", Aliases: []string{"remove"}, Short: "Remove networks that no container is in", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completed(0, a.networkList),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.each(args, func(ref string) error {
				return a.explainNetwork(cmd.Context(), ref, "", a.daemon().RemoveNetwork(cmd.Context(), ref))
			}, func(ref string) error { return a.println(ref) })
		},
	}
}

// prunedCommand is a prune that answers what it removed by name.
func prunedCommand(a *app, p pruning, short string, withAll bool, do func(context.Context, wire.Prune) (wire.Pruned, error)) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "prune [flags]", Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			what, err := p.ask(a)
			if err != nil {
				return err
			}
			gone, err := do(cmd.Context(), what)
			if err != nil {
				return err
			}
			return o.print(a.stdout, gone, func(w io.Writer) error {
				if err := printEach(w, gone.Deleted, func(name string) string { return name }); err != nil || gone.Reclaimed == 0 {
					return err
				}
				_, err := fmt.Fprintf(w, "%s freed\n", bytesText(gone.Reclaimed))
				return err
			})
		},
	}
	o.flags(cmd)
	p.flags(cmd, withAll)
	return cmd
}

func networkPruneCommand(a *app) *cobra.Command {
	return prunedCommand(a, pruning{what: "networks that no running container is in"}, "Remove every network that no running container is in", false,
		func(ctx context.Context, what wire.Prune) (wire.Pruned, error) {
			return a.daemon().PruneNetworks(ctx, what)
		})
}

// networkAndContainer completes a network and then a container.
func (a *app) networkAndContainer(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completed(1, a.networkList)(cmd, args, word)
	}
	return a.containerNames(2, everyContainer)(cmd, args, word)
}

func networkConnectCommand(a *app) *cobra.Command {
	var how wire.Connect
	var ip string
	cmd := &cobra.Command{
		Use: "connect [flags] NETWORK[|ADDRESS] CONTAINER", Short: "Put a container into a network, at once if it runs", Args: cobra.ExactArgs(2),
		ValidArgsFunction: a.networkAndContainer,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := parseNetwork(args[0])
			if err != nil {
				return usageError{err}
			}
			if how.IPv4 = ip; ip == "" {
				how.IPv4 = withoutBits(j.IPv4)
			}
			if how.IPv6 == "" {
				how.IPv6 = withoutBits(j.IPv6)
			}
			how.Container = args[1]
			return a.explainNetwork(cmd.Context(), j.Network, args[1], a.daemon().ConnectNetwork(cmd.Context(), j.Network, how))
		},
	}
	f := cmd.Flags()
	f.StringVar(&ip, "ip", "", "address of IPv4")
	f.StringVar(&how.IPv6, "ip6", "", "address of IPv6")
	f.StringArrayVar(&how.Aliases, "alias", nil, "further name of the container in the network; may be repeated")
	return cmd
}

func withoutBits(addr string) string {
	addr, _, _ = strings.Cut(addr, "/")
	return addr
}

func networkDisconnectCommand(a *app) *cobra.Command {
	var how wire.Disconnect
	cmd := &cobra.Command{
		Use: "disconnect [flags] NETWORK CONTAINER", Short: "Take a container out of a network", Args: cobra.ExactArgs(2), ValidArgsFunction: a.networkAndContainer,
		RunE: func(cmd *cobra.Command, args []string) error {
			how.Container = args[1]
			return a.explainNetwork(cmd.Context(), args[0], args[1], a.daemon().DisconnectNetwork(cmd.Context(), args[0], how))
		},
	}
	cmd.Flags().BoolVarP(&how.Force, "force", "f", false, "also when it cannot be told to the container")
	return cmd
}

func networkTagCommand(a *app) *cobra.Command {
	var how wire.NetworkTag
	cmd := &cobra.Command{
		Use: "tag [flags] NETWORK CONTAINER", Short: "Have a container and others name each other in /etc/hosts", Args: cobra.ExactArgs(2),
		Long:              "Put a container of a network into the network's group, whose members name each other in their /etc/hosts.",
		ValidArgsFunction: a.networkAndContainer,
		RunE: func(cmd *cobra.Command, args []string) error {
			how.Container = args[1]
			return a.explainNetwork(cmd.Context(), args[0], args[1], a.daemon().TagNetwork(cmd.Context(), args[0], how))
		},
	}
	cmd.Flags().BoolVar(&how.Later, "no-commit", false, "write the files with commit-tag, or when a member comes or goes")
	return cmd
}

func networkCommitTagCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "commit-tag NETWORK", Short: "Write the /etc/hosts of a network's group now", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completed(1, a.networkList),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explainNetwork(cmd.Context(), args[0], "", a.daemon().CommitNetworkTag(cmd.Context(), args[0]))
		},
	}
}

func networkReloadCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Make the kernel have every interface and rule again, after somebody removed them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.daemon().ReloadNetworks(cmd.Context()) },
	}
}
