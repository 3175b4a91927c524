package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func volumeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "volume", Short: "Volumes: files that outlive containers"}
	cmd.AddCommand(
		volumeCreateCommand(a), volumeListCommand(a), volumeShowCommand(a), volumeRemoveCommand(a),
		prunedCommand(a, pruning{what: "volumes without a name that no container uses", all: "volumes that no container uses"},
			"Remove volumes without a name that no container uses", true,
			func(ctx context.Context, what wire.Prune) (wire.Pruned, error) {
				return a.daemon().PruneVolumes(ctx, what)
			}),
	)
	return cmd
}

func (a *app) volumeList(ctx context.Context) ([]string, error) {
	all, err := a.daemon().Volumes(ctx, nil)
	var names []string
	for _, v := range all {
		names = append(names, v.Name)
	}
	return names, err
}

func (a *app) explainVolume(ctx context.Context, name string, err error) error {
	return a.explainMissing(ctx, engine.ResourceVolume, name, err, a.volumeList)
}

func volumeCreateCommand(a *app) *cobra.Command {
	var v wire.VolumeCreate
	var options, labels []string
	cmd := &cobra.Command{
		Use: "create [flags] [NAME [DRIVER]]", Short: "Make a volume", Args: cobra.MaximumNArgs(2),
		Long: `Make a volume, with a new name if none is given. DRIVER is directory (or local, as docker calls it), which is also meant without it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				v.Name = args[0]
			}
			if len(args) > 1 {
				if v.Driver != "" {
					return usageError{fmt.Errorf("the driver is named twice: by -d and at the end")}
				}
				v.Driver = args[1]
			}
			r := &reader{}
			v.Options, v.Labels = r.pairs("-o", options, false), r.pairs("--label", labels, true)
			if len(r.errs) > 0 {
				return usageError{r.errs[0]}
			}
			if strings.HasPrefix(v.Device, ".") {
				abs, err := filepath.Abs(v.Device)
				if err != nil {
					return err
				}
				v.Device = abs
			}
			var opened []*os.File
			if f, err := openFor(v.Device, true); err == nil {
				defer f.Close()
				opened = append(opened, f)
			}
			made, err := a.daemon().CreateVolume(cmd.Context(), v, opened...)
			if err != nil {
				return a.explainImage(cmd.Context(), v.Image, err)
			}
			return a.println(made.Name)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&v.Image, "image", "i", "", "image whose hints for the mount of -v are kept with the volume")
	f.StringVarP(&v.Mount, "volume", "v", "", "name of a mount that the image of -i declares")
	f.StringVarP(&v.Device, "source", "s", "", "directory of the host that the volume stands for")
	f.StringVarP(&v.Driver, "driver", "d", "", "the same as DRIVER")
	f.StringArrayVarP(&options, "opt", "o", nil, "KEY=VALUE of the driver, as docker volume create has them; may be repeated")
	f.StringArrayVar(&labels, "label", nil, "KEY=VALUE; may be repeated")
	return cmd
}

// Columns of volume list, by name.
var volumeColumns = map[string]func(wire.Volume) string{
	"NAME":       func(v wire.Volume) string { return v.Name },
	"DRIVER":     func(v wire.Volume) string { return v.Driver },
	"MOUNTPOINT": func(v wire.Volume) string { return v.Mountpoint },
	"CREATED":    func(v wire.Volume) string { return ago(v.Created) },
	"OPTIONS":    func(v wire.Volume) string { return strings.Join(pairs(v.Options), ",") },
	"LABELS":     func(v wire.Volume) string { return strings.Join(pairs(v.Labels), ",") },
}

const volumeDefault = "NAME,DRIVER,MOUNTPOINT,CREATED"

func volumeListCommand(a *app) *cobra.Command {
	return listed[wire.Volume]{
		what: "volumes", columns: volumeColumns, standard: volumeDefault,
		keys: []string{"name", "driver", "label", "dangling"}, values: "name, driver, label, dangling", short: "f",
		find: func(ctx context.Context, q url.Values) ([]wire.Volume, error) { return a.daemon().Volumes(ctx, q) },
		id:   "names", idOf: func(_ *listing, v wire.Volume) string { return v.Name },
	}.command(a, &listing{})
}

func volumeShowCommand(a *app) *cobra.Command {
	o := output{output: "json", short: "f"}
	cmd := &cobra.Command{
		Use: "show [flags] VOLUME...", Aliases: []string{"inspect"}, Short: "Tell everything of volumes", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completed(0, a.volumeList),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := lookUpEach(a, args, func(name string) (wire.Volume, error) {
				v, err := a.daemon().Volume(cmd.Context(), name)
				return v, a.explainVolume(cmd.Context(), name, err)
			})
			return printFound(a, &o, found, err)
		},
	}
	o.flags(cmd)
	return cmd
}

func volumeRemoveCommand(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "rm [flags] VOLUME...", Aliases: []string{"remove"}, Short: "Remove volumes that no container uses, with their files", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completed(0, a.volumeList),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.each(args, func(name string) error {
				return a.explainVolume(cmd.Context(), name, a.daemon().RemoveVolume(cmd.Context(), name, force))
			}, func(name string) error { return a.println(name) })
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "it is no error that there is none")
	return cmd
}
