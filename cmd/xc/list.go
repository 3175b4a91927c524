package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
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
