package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func imageCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "Images: list, look into, change, move and remove them"}
	cmd.AddCommand(
		imageListCommand(a), imageShowCommand(a), imageDescribeCommand(a), imageHistoryCommand(a), imageTagCommand(a), imageRemoveCommand(a),
		imagePruneCommand(a), getConfigCommand(a), setConfigCommand(a), patchCommand(a), importCommand(a), saveCommand(a), loadCommand(a),
		searchCommand(a), pullCommand(a), pushCommand(a), buildCommand(a),
	)
	return cmd
}

// hiddenImageCommands are those that users of docker look for at the top.
func hiddenImageCommands(a *app) []*cobra.Command {
	all := []*cobra.Command{
		renamed(imageListCommand(a), "images"), renamed(imageRemoveCommand(a), "rmi"), imageTagCommand(a), imageHistoryCommand(a),
		importCommand(a), saveCommand(a), loadCommand(a), searchCommand(a),
	}
	for _, cmd := range all {
		cmd.Hidden = true
	}
	return all
}

// renamed gives a command another name.
func renamed(cmd *cobra.Command, name string) *cobra.Command {
	cmd.Use, cmd.Aliases = name+strings.TrimPrefix(cmd.Use, cmd.Name()), nil
	return cmd
}

// imageNames completes names of images in a shell: with max above 0 of at most so many arguments.
func (a *app) imageNames(max int) cobra.CompletionFunc {
	return a.completed(max, a.imageTags)
}

func (a *app) imageTags(ctx context.Context) ([]string, error) {
	all, err := a.daemon().Images(ctx, nil)
	var names []string
	for _, i := range all {
		names = append(names, i.Tags...)
	}
	return names, err
}

// completed completes arguments in a shell by what list finds.
func (a *app) completed(max int, list func(context.Context) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if max > 0 && len(args) >= max {
			return nil, cobra.ShellCompDirectiveDefault
		}
		ctx, cancel := a.ask(cmd)
		defer cancel()
		names, err := list(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(args, n) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// explainImage adds to an error of an image that is not there the names that may be meant.
func (a *app) explainImage(ctx context.Context, ref string, err error) error {
	return a.explainMissing(ctx, engine.ResourceImage, ref, err, a.imageTags)
}

// Columns of image list, by name.
var imageColumns = map[string]func(wire.Image, string) string{
	"REPOSITORY": func(_ wire.Image, name string) string { repo, _ := cutTag(name); return repo },
	"TAG":        func(_ wire.Image, name string) string { _, tag := cutTag(name); return tag },
	"IMAGE":      func(_ wire.Image, name string) string { return name },
	"ID":         func(i wire.Image, _ string) string { return engine.ImageID(i.ID).Short() },
	"DIGEST":     func(i wire.Image, _ string) string { return i.Digest },
	"CREATED":    func(i wire.Image, _ string) string { return agoOf(i.Created) },
	"SIZE":       func(i wire.Image, _ string) string { return bytesText(i.Size) },
	"OS":         func(i wire.Image, _ string) string { os, _, _ := strings.Cut(i.Platform, "/"); return osName(os) },
	"PLATFORM":   func(i wire.Image, _ string) string { return i.Platform },
	"CONTAINERS": func(i wire.Image, _ string) string { return count(i.Containers) },
	"SHARED": func(i wire.Image, _ string) string {
		if i.Shared == nil {
			return ""
		}
		return bytesText(*i.Shared)
	},
}

const imageDefault = "REPOSITORY,TAG,ID,PLATFORM,CREATED,SIZE"

// nameless is shown in place of a name that an image does not have.
const nameless = "<none>"

func cutTag(name string) (repository, tag string) {
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, nameless
}

func agoOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return ago(*t)
}

func count(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func imageListCommand(a *app) *cobra.Command {
	var o output
	var l listing
	var all, quiet, digests bool
	var filters []string
	cmd := &cobra.Command{
		Use: "list [flags] [PATTERN...]", Aliases: []string{"ls"}, Short: "List images",
		Long: "List images that have names or that no image was made of; with --all every one. PATTERN is a name, as in library/*:1*.\n\n" +
			l.help(columnsOf(imageColumns), imageDefault),
		ValidArgsFunction: a.imageNames(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			columns, err := l.parse(columnsOf(imageColumns), imageDefault)
			if err != nil {
				return usageError{err}
			}
			q, err := filterQuery(filters, "reference", "label", "without", "dangling", "before", "since", "until")
			if err != nil {
				return usageError{err}
			}
			for _, p := range args {
				q.Add("reference", p)
			}
			if digests && l.columns == "" {
				columns = slices.Insert(columns, 2, "DIGEST")
			}
			setFlag(q, "all", all)
			setFlag(q, "shared", slices.Contains(columns, "SHARED"))
			ctx, cancel := a.ask(cmd)
			defer cancel()
			found, err := a.daemon().Images(ctx, q)
			if err != nil {
				return err
			}
			return printAll(&o, a.stdout, found, func(w io.Writer) error {
				if quiet {
					return printEach(w, found, func(i wire.Image) string { return l.short(i.ID, engine.ImageID(i.ID).Short()) })
				}
				return l.write(w, columns, imageRows(found, columns, l.noTrunc))
			})
		},
	}
	o.flags(cmd)
	l.flags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "also those that only carry others")
	f.BoolVarP(&quiet, "quiet", "q", false, "ids alone")
	f.BoolVar(&digests, "digests", false, "the digests of their manifests too")
	f.StringArrayVarP(&filters, "filter", "f", nil, "KEY=VALUE of reference, label, without (a label), dangling, before, since, until; may be repeated")
	return cmd
}

// imageRows has a row for each name of each image.
func imageRows(found []wire.Image, columns []string, whole bool) (rows [][]string) {
	for _, i := range found {
		names := i.Tags
		if len(names) == 0 {
			names = []string{nameless}
			if len(i.Digests) > 0 {
				repo, _, _ := strings.Cut(i.Digests[0], "@")
				names = []string{repo}
			}
		}
		for _, name := range names {
			var row []string
			for _, c := range columns {
				cell := imageColumns[c](i, name)
				if whole && c == "ID" {
					cell = i.ID
				}
				row = append(row, cell)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// lookUpImages finds several images, and tells of those that are not there.
func (a *app) lookUpImages(cmd *cobra.Command, refs []string, platform string) (found []wire.Image, err error) {
	return lookUpEach(a, refs, func(ref string) (wire.Image, error) {
		i, err := a.daemon().Image(cmd.Context(), ref, platform)
		return i, a.explainImage(cmd.Context(), ref, err)
	})
}

func imageShowCommand(a *app) *cobra.Command {
	o := output{output: "json", short: "f"}
	var platform string
	cmd := &cobra.Command{
		Use: "show [flags] IMAGE...", Aliases: []string{"inspect"}, Short: "Tell everything of images, for programs", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.imageNames(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.lookUpImages(cmd, args, platform)
			return printFound(a, &o, found, err)
		},
	}
	o.flags(cmd)
	platformFlag(cmd, &platform)
	return cmd
}

func platformFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "platform", "", "OS[/ARCHITECTURE[/VARIANT]], where an image has several")
}

func imageHistoryCommand(a *app) *cobra.Command {
	var o output
	var platform string
	var noTrunc, quiet, noHead bool
	cmd := &cobra.Command{
		Use: "history [flags] IMAGE", Short: "List the steps of an image's making, the newest first", Args: cobra.ExactArgs(1), ValidArgsFunction: a.imageNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			steps, err := a.daemon().ImageHistory(cmd.Context(), args[0], platform)
			if err != nil {
				return a.explainImage(cmd.Context(), args[0], err)
			}
			return printAll(&o, a.stdout, steps, func(w io.Writer) error {
				t := &table{head: []string{"ID", "CREATED", "CREATED BY", "SIZE", "COMMENT"}}
				for _, s := range steps {
					id, by := s.ID, s.CreatedBy
					switch {
					case id == "":
						id = "<missing>"
					case !noTrunc:
						id = engine.ImageID(id).Short()
					}
					if r := []rune(by); !noTrunc && len(r) > mainWidth {
						by = clip(by, mainWidth-1) + "…"
					}
					if quiet {
						fmt.Fprintln(w, id)
						continue
					}
					t.add(id, agoOf(s.Created), by, bytesText(s.Size), s.Comment)
				}
				if quiet {
					return nil
				}
				return t.write(w, noHead)
			})
		},
	}
	o.flags(cmd)
	platformFlag(cmd, &platform)
	f := cmd.Flags()
	f.BoolVar(&noTrunc, "no-trunc", false, "do not shorten anything")
	f.BoolVarP(&quiet, "quiet", "q", false, "ids alone")
	f.BoolVarP(&noHead, "no-header", "H", false, "without the columns' names")
	return cmd
}

func imageTagCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "tag IMAGE NAME[:TAG]", Short: "Give an image one more name", Args: cobra.ExactArgs(2), ValidArgsFunction: a.imageNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explainImage(cmd.Context(), args[0], a.daemon().TagImage(cmd.Context(), args[0], args[1]))
		},
	}
}

func imageRemoveCommand(a *app) *cobra.Command {
	var o output
	var how client.ImageRemoval
	cmd := &cobra.Command{
		Use: "remove [flags] IMAGE...", Aliases: []string{"rm"}, Short: "Remove names of images, and with the last one the image", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.imageNames(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			var all []wire.ImageRemoved
			err := a.each(args, func(ref string) error {
				gone, err := a.daemon().RemoveImage(cmd.Context(), ref, how)
				if err != nil {
					return a.explainImage(cmd.Context(), ref, err)
				}
				all = append(all, gone...)
				return nil
			}, nil)
			if perr := printAll(&o, a.stdout, all, func(w io.Writer) error { return printRemoved(w, all) }); perr != nil {
				return perr
			}
			return err
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&how.Force, "force", "f", false, "also an image that has several names, or containers that have ended")
	f.BoolVar(&how.KeepParents, "no-prune", false, "keep those without a name that it was made of")
	f.StringArrayVar(&how.Platforms, "platform", nil, "OS[/ARCHITECTURE[/VARIANT]], may be repeated: take the name from the images of these alone")
	return cmd
}

func printRemoved(w io.Writer, all []wire.ImageRemoved) error {
	return printEach(w, all, func(r wire.ImageRemoved) string {
		if r.Untagged != "" {
			return "Untagged: " + r.Untagged
		}
		return "Deleted: " + r.Deleted
	})
}

func imagePruneCommand(a *app) *cobra.Command {
	var o output
	p := pruning{what: "images without a name that no container is made of", all: "images that no container is made of"}
	cmd := &cobra.Command{
		Use: "prune [flags]", Short: "Remove images that have no name and no container", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			what, err := p.ask(a)
			if err != nil {
				return err
			}
			gone, err := a.daemon().PruneImages(cmd.Context(), what)
			if err != nil {
				return err
			}
			return o.print(a.stdout, gone, func(w io.Writer) error {
				if err := printRemoved(w, gone.Images); err != nil {
					return err
				}
				_, err := fmt.Fprintf(w, "%s freed\n", bytesText(gone.Reclaimed))
				return err
			})
		},
	}
	o.flags(cmd)
	p.flags(cmd, true)
	return cmd
}

func imageDescribeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "describe IMAGE", Short: "Tell what an image needs to be told: variables, ports, volumes, entry points", Args: cobra.ExactArgs(1), ValidArgsFunction: a.imageNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.ask(cmd)
			defer cancel()
			j, err := a.daemon().ImageConfig(ctx, args[0])
			if err != nil {
				return a.explainImage(ctx, args[0], err)
			}
			return describeImage(a.stdout, j)
		},
	}
}

// describeImage prints what a JailConfig says to the image's users.
func describeImage(w io.Writer, j wire.JailConfig) error {
	section := func(title string, t *table) error {
		if len(t.rows) == 0 {
			return nil
		}
		fmt.Fprintln(w, title)
		for i := range t.rows {
			t.rows[i][0] = "  " + t.rows[i][0]
		}
		if len(t.head) > 0 {
			t.head[0] = "  " + t.head[0]
		}
		return t.write(w, len(t.head) == 0)
	}
	yes := map[bool]string{true: "yes", false: "no"}
	envs := &table{head: []string{"NAME", "REQUIRED", "DEFAULT", "DESCRIPTION"}}
	for _, name := range sortedKeys(j.Envs) {
		e := j.Envs[name]
		standard := ""
		if e.DefaultValue != nil {
			standard = *e.DefaultValue
		}
		envs.add(name, yes[e.Required], standard, e.Description)
	}
	portList := &table{}
	for _, p := range sortedKeys(j.Ports) {
		portList.add(p, j.Ports[p])
	}
	volumes := &table{head: []string{"NAME", "MOUNT POINT", "REQUIRED", "READ-ONLY", "HINTS", "DESCRIPTION"}}
	for _, name := range sortedKeys(j.Mounts) {
		m := j.Mounts[name]
		volumes.add(name, m.Destination, yes[m.Required], yes[m.ReadOnly], strings.Join(pairs(m.VolumeHints), ","), m.Description)
	}
	entries := &table{head: []string{"NAME", "PROGRAM", "DEFAULT ARGUMENTS", "NEEDS"}}
	for _, name := range sortedKeys(j.EntryPoints) {
		e := j.EntryPoints[name]
		if name == j.DefaultEntryPoint {
			name += " (default)"
		}
		entries.add(name, strings.Join(append([]string{e.Exec}, e.Args...), " "), strings.Join(e.DefaultArgs, " "), strings.Join(e.RequiredEnvs, ","))
	}
	asks := &table{}
	for _, rule := range j.DevfsRules {
		asks.add("device", rule)
	}
	for _, param := range j.Allow {
		asks.add("allow", param)
	}
	for _, s := range []struct {
		title string
		*table
	}{{"Environment:", envs}, {"Ports:", portList}, {"Volumes:", volumes}, {"Entry points:", entries}, {"Asks for:", asks}} {
		if err := section(s.title, s.table); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
