package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// listing is how a list is shown as a table.
type listing struct {
	columns         string
	noHead, noTrunc bool
}

func (l *listing) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&l.columns, "columns", "c", "", "COLUMN,... in this order")
	f.BoolVarP(&l.noHead, "no-header", "H", false, "without the columns' names")
	f.BoolVar(&l.noTrunc, "no-trunc", false, "do not shorten anything")
}

func (l *listing) help(known []string, standard string) string {
	return "COLUMN is one of " + strings.Join(known, ", ") + ",\nin any case; " + standard + " unless it is said."
}

// parse reads the names of the columns.
func (l *listing) parse(known []string, standard string) (columns []string, err error) {
	return parseColumns(cmp.Or(l.columns, standard), known)
}

// parseColumns reads a list of columns' names, in any case.
func parseColumns(list string, known []string) (columns []string, err error) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToUpper(strings.TrimSpace(name))
		if !slices.Contains(known, name) {
			return nil, meant(fmt.Errorf("there is no column %q", name), name, known)
		}
		columns = append(columns, name)
	}
	return columns, nil
}

func (l *listing) write(w io.Writer, columns []string, rows [][]string) error {
	t := &table{head: slices.Clone(columns), rows: rows}
	return t.write(w, l.noHead)
}

// short gives an id whole or shortened.
func (l *listing) short(whole, shortened string) string {
	if l.noTrunc {
		return whole
	}
	return shortened
}

// rowsOf makes a row of each.
func rowsOf[T any](all []T, columns []string, cells map[string]func(T) string) [][]string {
	var rows [][]string
	for _, v := range all {
		var row []string
		for _, c := range columns {
			row = append(row, cells[c](v))
		}
		rows = append(rows, row)
	}
	return rows
}

func columnsOf[F any](m map[string]F) []string { return slices.Sorted(maps.Keys(m)) }

// printEach prints a line for each.
func printEach[T any](w io.Writer, all []T, text func(T) string) error {
	for _, v := range all {
		if _, err := fmt.Fprintln(w, text(v)); err != nil {
			return err
		}
	}
	return nil
}

// listed is what a list command lists, beside what all of them share.
type listed[T any] struct {
	what     string // in the plural
	columns  map[string]func(T) string
	standard string   // the columns that are shown unless others are said
	keys     []string // of filters
	values   string   // of filters, for people
	short    string   // of the flag --filter
	id       string   // what --quiet shows, in the plural
	find     func(ctx context.Context, q url.Values) ([]T, error)
	idOf     func(l *listing, v T) string
}

// command makes the command. l is its table's, for further flags.
func (s listed[T]) command(a *app, l *listing) *cobra.Command {
	var o output
	var quiet bool
	var filters []string
	cmd := &cobra.Command{
		Use: "list [flags]", Aliases: []string{"ls"}, Short: "List " + s.what, Args: cobra.NoArgs,
		Long: "List " + s.what + ".\n\n" + l.help(columnsOf(s.columns), s.standard),
		RunE: func(cmd *cobra.Command, _ []string) error {
			columns, err := l.parse(columnsOf(s.columns), s.standard)
			if err != nil {
				return usageError{err}
			}
			q, err := filterQuery(filters, s.keys...)
			if err != nil {
				return usageError{err}
			}
			ctx, cancel := a.ask(cmd)
			defer cancel()
			found, err := s.find(ctx, q)
			if err != nil {
				return err
			}
			return printAll(&o, a.stdout, found, func(w io.Writer) error {
				if quiet {
					return printEach(w, found, func(v T) string { return s.idOf(l, v) })
				}
				return l.write(w, columns, rowsOf(found, columns, s.columns))
			})
		},
	}
	o.flags(cmd)
	l.flags(cmd)
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, s.id+" alone")
	cmd.Flags().StringArrayVarP(&filters, "filter", s.short, nil, "KEY=VALUE of "+s.values+"; may be repeated")
	return cmd
}

// lookUpEach finds several things, and tells of those that are not there.
func lookUpEach[T any](a *app, refs []string, find func(ref string) (T, error)) (found []T, err error) {
	err = a.each(refs, func(ref string) error {
		v, err := find(ref)
		if err == nil {
			found = append(found, v)
		}
		return err
	}, nil)
	return found, err
}

// printFound prints what was found, as JSON unless told otherwise, and then answers err, which is of what was not.
func printFound[T any](a *app, o *output, found []T, err error) error {
	if perr := printAll(o, a.stdout, found, func(w io.Writer) error { return writeJSON(w, found) }); perr != nil {
		return perr
	}
	return err
}

// pruning is what the prune commands share.
type pruning struct {
	what, all string // what is removed, without and with --all
	wire.Prune
	filters []string
	force   bool
}

func (p *pruning) flags(cmd *cobra.Command, withAll bool) {
	f := cmd.Flags()
	if withAll {
		f.BoolVarP(&p.All, "all", "a", false, p.all)
	}
	f.BoolVarP(&p.force, "force", "f", false, "do not ask")
	f.StringArrayVar(&p.filters, "filter", nil, "KEY=VALUE of until (a time, or an age as in 24h), label, label! (a label that it must not have); may be repeated")
}

// errLeft is the answer no.
var errLeft = errors.New("nothing was removed")

// ask asks whether to go on, unless that was said.
func (p *pruning) ask(a *app) (wire.Prune, error) {
	for _, f := range p.filters {
		key, value, ok := strings.Cut(f, "=")
		switch {
		case !ok:
			return p.Prune, usageError{fmt.Errorf("filter %q: must be KEY=VALUE", f)}
		case key == "until":
			at, err := instant(value, time.Now())
			if err != nil {
				return p.Prune, usageError{err}
			}
			p.Until = at
		case key == "label":
			p.Labels = append(p.Labels, value)
		case key == "label!":
			p.Not = append(p.Not, value)
		default:
			return p.Prune, usageError{meant(fmt.Errorf("there is no filter %q", key), key, []string{"until", "label", "label!"})}
		}
	}
	what := p.what
	if p.All {
		what = p.all
	}
	if p.force {
		return p.Prune, nil
	}
	if terminal(a.stdin) == nil {
		return p.Prune, errors.New("nobody can be asked: --force removes without asking")
	}
	yes, err := a.confirm("This removes all " + what + ". Go on?")
	if err == nil && !yes {
		err = errLeft
	}
	return p.Prune, err
}
