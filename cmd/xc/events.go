package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func eventsCommand(a *app) *cobra.Command {
	var o output
	var since, until string
	var filters []string
	cmd := &cobra.Command{
		Use: "events [flags]", Short: "Show what happens", Args: cobra.NoArgs,
		Long: "Show what happens, until ctrl-c; with --since also what happened, with --until no longer than that.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := filterQuery(filters, "type", "action", "container", "image", "network", "volume", "label")
			if err != nil {
				return usageError{err}
			}
			for key, text := range map[string]string{"since": since, "until": until} {
				at, err := instant(text, time.Now())
				if err != nil {
					return usageError{fmt.Errorf("--%s: %w", key, err)}
				}
				if at != "" {
					q.Set(key, at)
				}
			}
			for e, err := range a.daemon().Events(cmd.Context(), q) {
				if err != nil {
					return interrupted(cmd.Context(), err)
				}
				if err := o.stream(a.stdout, e, func(w io.Writer) error { return printEvent(w, e) }); err != nil {
					return err
				}
			}
			return nil
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "a time (RFC 3339, or seconds since 1970), or how long ago: 10m")
	f.StringVar(&until, "until", "", "likewise")
	f.StringArrayVarP(&filters, "filter", "f", nil, "KEY=VALUE of type, action, container, image, network, volume, label; may be repeated")
	return cmd
}

// interrupted drops the error of something that has no end but the user's.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func printEvent(w io.Writer, e wire.Event) error {
	text := fmt.Sprintf("%s %s %s %s", e.Time.Local().Format(time.RFC3339Nano), e.Type, e.Action, e.ID)
	if len(e.Attributes) > 0 {
		text += " (" + strings.Join(pairs(e.Attributes), ", ") + ")"
	}
	_, err := fmt.Fprintln(w, oneLine(text))
	return err
}
