package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func inspectCommand(a *app) *cobra.Command {
	o := output{output: "json", short: "f"}
	var sizes bool
	cmd := &cobra.Command{
		Use: "inspect [flags] CONTAINER...", Short: "Tell everything of containers, for programs", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.containerNames(0, everyContainer),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.lookUp(cmd, args, sizes)
			return printFound(a, &o, found, err)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&sizes, "size", false, "measure how much it has written")
	return cmd
}

// lookUp finds several containers, and tells of those that are not there.
func (a *app) lookUp(cmd *cobra.Command, refs []string, sizes bool) (found []wire.Container, err error) {
	return lookUpEach(a, refs, func(ref string) (wire.Container, error) {
		c, err := a.daemon().Container(cmd.Context(), ref, sizes)
		return c, a.explain(cmd.Context(), ref, err)
	})
}

func showCommand(a *app) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show [flags] CONTAINER...", Short: "Tell of containers, for people", Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.containerNames(0, everyContainer),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.lookUp(cmd, args, false)
			if perr := printAll(&o, a.stdout, found, func(w io.Writer) error {
				for i, c := range found {
					if i > 0 {
						fmt.Fprintln(w)
					}
					if err := show(w, c); err != nil {
						return err
					}
				}
				return nil
			}); perr != nil {
				return perr
			}
			return err
		},
	}
	o.flags(cmd)
	return cmd
}

// show describes a container. What there is nothing to say of is left out.
func show(w io.Writer, c wire.Container) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				fmt.Fprintf(tw, "%s\t%s\n", name, oneLine(v))
				name = ""
			}
		}
	}
	row("name", c.Name)
	row("id", c.ID)
	row("status", status(c))
	row("error", c.Error)
	row("image", c.Image+" ("+c.Platform+")")
	row("command", strings.Join(c.Process.Args, " "))
	row("user", c.Process.User)
	row("working directory", c.Process.WorkDir)
	row("hostname", c.Hostname)
	row("created", c.Created.Local().Format(time.DateTime))
	if c.Started != nil {
		row("started", c.Started.Local().Format(time.DateTime))
	}
	if c.Finished != nil && c.State != "running" {
		row("ended", c.Finished.Local().Format(time.DateTime))
	}
	if c.Pid > 0 {
		row("pid", positive(c.Pid))
	}
	if j := c.Jail; j != nil {
		row("jail", fmt.Sprintf("%s, number %d, vnet %v", j.Name, j.JID, j.VNET))
	}
	row("root", c.Storage["MergedDir"], c.Storage["Mountpoint"])
	if len(c.Networks) == 0 {
		row("network", c.NetworkMode)
	}
	row("networks", append(addresses(c), unattached(c)...)...)
	row("ports", ports(c)...)
	var all []string
	for _, m := range c.Mounts {
		text := fmt.Sprintf("%s %s on %s", m.Kind, m.Name+map[bool]string{true: m.Source}[m.Name == ""], m.Target)
		if m.ReadOnly {
			text += ", read-only"
		}
		all = append(all, text)
	}
	row("mounts", all...)
	row("labels", pairs(c.Labels)...)
	if c.Restart.Policy != "no" {
		row("restart", c.Restart.Policy)
	}
	if c.AutoRemove {
		row("at its end", "it is removed")
	}
	return tw.Flush()
}

// unattached are the networks in which the container has no address now.
func unattached(c wire.Container) (all []string) {
	for _, e := range c.Networks {
		if e.IPv4 == "" && e.IPv6 == "" {
			all = append(all, "("+e.Network+")")
		}
	}
	return all
}
