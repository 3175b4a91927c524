package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"

	"github.com/spf13/cobra"
)

// output is how a command prints what it found: -o text, -o json, or --format with a template of Go's text/template over the
// members that -o json shows, in Go's spelling. "--format json" is -o json, "--format table" is -o text.
type output struct {
	output, format string
	short          string // of --format
	tmpl           *template.Template
}

// flags adds the flags.
func (o *output) flags(cmd *cobra.Command) {
	if o.output == "" {
		o.output = "text"
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", o.output, "text or json")
	cmd.Flags().StringVarP(&o.format, "format", o.short, "", "json, or a template of Go's text/template for each, as in '{{.ID}} {{.Name}}'")
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("format") && !cmd.Flags().Changed("output") {
			o.output = "text" // whatever the command's default is
		}
		if err := o.complete(); err != nil {
			return usageError{err}
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

func (o *output) complete() (err error) {
	if o.output != "text" && o.output != "json" {
		return fmt.Errorf("-o %s: text or json", o.output)
	}
	switch o.format {
	case "":
		return nil
	case "json":
		o.output, o.format = "json", ""
		return nil
	case "table", "text":
		o.output, o.format = "text", ""
		return nil
	}
	if o.output == "json" {
		return errors.New("-o json and --format exclude each other")
	}
	o.tmpl, err = template.New("--format").Funcs(templateFuncs).Option("missingkey=error").Parse(o.format)
	return err
}

var templateFuncs = template.FuncMap{
	"json":  func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
	"join":  strings.Join,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
}

// asText reports whether the command's own form is wanted.
func (o *output) asText() bool { return o.output == "text" && o.tmpl == nil }

// print prints one thing; text prints it in the command's own form.
func (o *output) print(w io.Writer, v any, text func(w io.Writer) error) error {
	switch {
	case o.tmpl != nil:
		return o.line(w, v)
	case o.output == "json":
		return writeJSON(w, v)
	}
	return text(w)
}

// printAll prints several things: as one list of JSON, by the template one a line, or in the command's own form.
func printAll[T any](o *output, w io.Writer, all []T, text func(w io.Writer) error) error {
	if o.tmpl == nil {
		if all == nil {
			all = []T{}
		}
		return o.print(w, all, text)
	}
	for _, v := range all {
		if err := o.line(w, v); err != nil {
			return err
		}
	}
	return nil
}

// line prints one thing of a stream: a line of JSON, or by the template, or in the command's own form.
func (o *output) stream(w io.Writer, v any, text func(w io.Writer) error) error {
	switch {
	case o.tmpl != nil:
		return o.line(w, v)
	case o.output == "json":
		return json.NewEncoder(w).Encode(v)
	}
	return text(w)
}

func (o *output) line(w io.Writer, v any) error {
	var b bytes.Buffer
	if err := o.tmpl.Execute(&b, v); err != nil {
		return usageError{err}
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows in columns.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write prints the table; noHead leaves the column's names out.
func (t *table) write(w io.Writer, noHead bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := t.rows
	if !noHead {
		rows = append([][]string{t.head}, rows...)
	}
	for _, r := range rows {
		for i := range r {
			r[i] = oneLine(r[i])
		}
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(r, "\t"), "\t "))
	}
	return tw.Flush()
}

func (t *table) writeAll(w io.Writer) error  { return t.write(w, false) }
func (t *table) writeRows(w io.Writer) error { return t.write(w, true) }

// oneLine keeps a cell in its place, whatever is in it.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
