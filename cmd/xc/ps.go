package main

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// psColumns are the columns of ps, by name.
var psColumns = map[string]func(wire.Container) string{
	"ID":      func(c wire.Container) string { return engine.ContainerID(c.ID).Short() },
	"NAME":    func(c wire.Container) string { return c.Name },
	"IMAGE":   func(c wire.Container) string { return c.Image },
	"MAIN":    func(c wire.Container) string { return strings.Join(c.Process.Args, " ") },
	"STATUS":  status,
	"STATE":   func(c wire.Container) string { return c.State },
	"CREATED": func(c wire.Container) string { return ago(c.Created) },
	"IPS":     func(c wire.Container) string { return strings.Join(addresses(c), ",") },
	"PORTS":   func(c wire.Container) string { return strings.Join(ports(c), ", ") },
	"OS":      func(c wire.Container) string { os, _, _ := strings.Cut(c.Platform, "/"); return osName(os) },
	"SIZE":    sizeColumn,
	"LABELS":  func(c wire.Container) string { return strings.Join(pairs(c.Labels), ",") },
	"PID":     func(c wire.Container) string { return positive(c.Pid) },
	"ROOT":    func(c wire.Container) string { return c.Storage["MergedDir"] },
	"JID": func(c wire.Container) string {
		if c.Jail == nil {
			return "-"
		}
		return strconv.Itoa(c.Jail.JID)
	},
	"VNET":  func(c wire.Container) string { return strconv.FormatBool(c.Jail != nil && c.Jail.VNET) },
	"ALLOW": func(c wire.Container) string { return strings.Join(allowed(c), ",") },
}

// psDefault are the original's columns, and what has become of the container.
const psDefault = "JID,ID,IMAGE,MAIN,IPS,NAME,OS,STATUS"

func psCommand(a *app) *cobra.Command {
	var o output
	var all, quiet, noHead, noTrunc, sizes bool
	var last int
	var filters []string
	cmd := &cobra.Command{
		Use: "ps [flags] [COLUMN,...]", Aliases: []string{"list", "ls"}, Short: "List containers", Args: cobra.MaximumNArgs(1),
		Long: "List the containers that run; with --all every one.\n\nCOLUMN is one of " + strings.Join(columnsOf(psColumns), ", ") + ",\nin any case; " + psDefault + " unless it is said.",
		RunE: func(cmd *cobra.Command, args []string) error {
			columns, err := parseColumns(append(args, psDefault)[0], columnsOf(psColumns))
			if err != nil {
				return usageError{err}
			}
			q, err := filterQuery(filters, "id", "name", "image", "state", "label", "volume", "network", "health", "exited", "before", "since")
			if err != nil {
				return usageError{err}
			}
			if last > 0 {
				q.Set("limit", strconv.Itoa(last))
			}
			setFlag(q, "all", all)
			setFlag(q, "size", sizes || slices.Contains(columns, "SIZE"))
			ctx, cancel := a.ask(cmd)
			defer cancel()
			found, err := a.daemon().Containers(ctx, q)
			if err != nil {
				return err
			}
			return printAll(&o, a.stdout, found, func(w io.Writer) error {
				if quiet {
					return printIDs(w, found, noTrunc)
				}
				if sizes && !slices.Contains(columns, "SIZE") {
					columns = append(columns, "SIZE")
				}
				return psTable(columns, found, noTrunc).write(w, noHead)
			})
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "also those that do not run")
	f.BoolVarP(&quiet, "quiet", "q", false, "ids alone")
	f.BoolVarP(&noHead, "no-header", "H", false, "without the columns' names")
	f.BoolVar(&noTrunc, "no-trunc", false, "do not shorten anything")
	f.BoolVar(&sizes, "size", false, "measure how much each has written")
	f.IntVarP(&last, "last", "n", 0, "the newest N, also those that do not run")
	f.StringArrayVarP(&filters, "filter", "f", nil, "KEY=VALUE of id, name, image, state, label, volume, network, health, exited, before, since; may be repeated")
	return cmd
}

func printIDs(w io.Writer, all []wire.Container, whole bool) error {
	for _, c := range all {
		id := engine.ContainerID(c.ID).Short()
		if whole {
			id = c.ID
		}
		if _, err := fmt.Fprintln(w, id); err != nil {
			return err
		}
	}
	return nil
}

// mainWidth is how much of a command line is shown.
const mainWidth = 40

func psTable(columns []string, all []wire.Container, whole bool) *table {
	t := &table{head: slices.Clone(columns)}
	for _, c := range all {
		var row []string
		for _, name := range columns {
			cell := psColumns[name](c)
			switch {
			case whole && name == "ID":
				cell = c.ID
			case !whole && name == "MAIN":
				if len([]rune(cell)) > mainWidth {
					cell = clip(cell, mainWidth-1) + "…"
				}
			}
			row = append(row, cell)
		}
		t.add(row...)
	}
	return t
}

// filterQuery makes a query of KEY=VALUE filters.
func filterQuery(filters []string, known ...string) (url.Values, error) {
	q := url.Values{}
	for _, f := range filters {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			return nil, fmt.Errorf("filter %q: must be KEY=VALUE", f)
		}
		switch key { // as docker has them
		case "status":
			key = "state"
		case "ancestor":
			key = "image"
		}
		if !slices.Contains(known, key) {
			return nil, meant(fmt.Errorf("there is no filter %q", key), key, known)
		}
		q.Add(key, value)
	}
	return q, nil
}

func setFlag(q url.Values, key string, on bool) {
	if on {
		q.Set(key, "1")
	}
}
