package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the manual page of xc anew")

// The manual page is made of the commands, so that it says what they do.
func TestManualPage(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "man", "xc.8")
	want := manual(command(newApp(nil, nil, nil)))
	if *update {
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/man/xc.8 says something else than the commands: go test ./cmd/xc -run TestManualPage -update")
	}
}

const manualHead = `.\" Made of the commands by the test TestManualPage in cmd/xc; change those.
.Dd $Mdocdate$
.Dt XC 8
.Os
.Sh NAME
.Nm xc
.Nd containers, on FreeBSD and Linux
.Sh SYNOPSIS
.Nm
.Op Fl s Ar socket
.Op Fl d
.Ar command
.Op Ar argument ...
.Sh DESCRIPTION
.Nm
asks
.Xr xcd 8 ,
the container daemon, over a socket of its own: for what the docker command has a word for, and for what it has none for.
The options
.Fl s
and
.Fl d
stand before the command.
`

const manualTail = `.Sh ENVIRONMENT
.Bl -tag -width XC_SOCKET
.It Ev XC_SOCKET
The socket where
.Fl s
does not name one.
.It Ev NO_COLOR
Nothing is coloured when it is set.
.El
.Sh FILES
.Bl -tag -width /usr/local/etc/xc.conf
.It Pa /var/run/xc.sock
The daemon's socket.
.It Pa /usr/local/etc/xc.conf
The daemon's configuration,
.Xr xc.conf 5 .
.El
.Sh EXIT STATUS
0 when all went well, 1 after an error, 2 for a wrong command line, 130 after ctrl-c; commands that run a program exit with its code, 126 when
it may not be executed, 127 when it is not there.
.Sh SEE ALSO
.Xr jail 8 ,
.Xr pf.conf 5 ,
.Xr xc.conf 5 ,
.Xr xcd 8 ,
.Xr zfs 8
`

func manual(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString(manualHead)
	manualFlags(&b, root.LocalFlags())
	for _, g := range groups {
		fmt.Fprintf(&b, ".Sh %s\n", strings.ToUpper(strings.TrimSuffix(g.Title, ":")))
		for _, cmd := range root.Commands() {
			if cmd.GroupID == g.ID && !cmd.Hidden {
				manualCommand(&b, cmd)
			}
		}
	}
	b.WriteString(manualTail)
	return b.Bytes()
}

func manualCommand(b *bytes.Buffer, cmd *cobra.Command) {
	if subs := cmd.Commands(); len(subs) > 0 {
		for _, sub := range subs {
			if !sub.Hidden && (sub.Run != nil || sub.RunE != nil) {
				manualCommand(b, sub)
			}
		}
		return
	}
	use := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "xc ")+strings.TrimPrefix(cmd.Use, cmd.Name()), "xc ")
	fmt.Fprintf(b, ".Ss %s\n", roff(use))
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(b, "Also: %s.\n", roff(strings.Join(cmd.Aliases, ", ")))
	}
	text := cmd.Short + "."
	if cmd.Long != "" {
		text = cmd.Long
	}
	literal := false
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if indented := strings.HasPrefix(line, " "); indented != literal {
			literal = indented
			b.WriteString(map[bool]string{true: ".Bd -literal\n", false: ".Ed\n"}[literal])
		}
		if strings.TrimSpace(line) == "" {
			if literal {
				b.WriteString("\n")
			} else {
				b.WriteString(".Pp\n")
			}
			continue
		}
		b.WriteString(roff(line) + "\n")
	}
	if literal {
		b.WriteString(".Ed\n")
	}
	manualFlags(b, cmd.LocalFlags())
}

func manualFlags(b *bytes.Buffer, set *pflag.FlagSet) {
	var all []*pflag.Flag
	set.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" && f.Name != "version" {
			all = append(all, f)
		}
	})
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(x, y *pflag.Flag) int { return strings.Compare(x.Name, y.Name) })
	b.WriteString(".Bl -tag -width indent\n")
	for _, f := range all {
		b.WriteString(".It ")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "Fl %s , ", f.Shorthand)
		}
		fmt.Fprintf(b, "Fl -%s", f.Name)
		if f.NoOptDefVal == "" {
			b.WriteString(" Ar value")
		}
		fmt.Fprintf(b, "\n%s\n", roff(f.Usage))
	}
	b.WriteString(".El\n")
}

// roff writes text that says nothing to roff.
func roff(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
