package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// versions is what -o json shows.
type versions struct {
	Client program       `json:"client"`
	Daemon *wire.Version `json:"daemon,omitempty"`
}

type program struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
}

func versionCommand(a *app) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "version", Short: "Show the versions of this program and of the daemon", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions{Client: program{version, commit}}
			ctx, cancel := a.ask(cmd)
			defer cancel()
			daemon, err := a.daemon().Version(ctx)
			if err == nil {
				v.Daemon = &daemon
			}
			// What is known of this program is told in any case.
			if perr := o.print(a.stdout, v, v.text); perr != nil {
				return perr
			}
			return err
		},
	}
	o.flags(cmd)
	return cmd
}

func (v versions) text(w io.Writer) error {
	fmt.Fprintf(w, "xc   %s (%s)\n", v.Client.Version, v.Client.Commit)
	if d := v.Daemon; d != nil {
		fmt.Fprintf(w, "xcd  %s (%s), API %s, %s\n", d.Version, d.Commit, d.API, d.Platform)
	}
	return nil
}
