package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/client"
)

func logsCommand(a *app) *cobra.Command {
	q := client.LogQuery{Tail: -1}
	var since, until, tail string
	cmd := &cobra.Command{
		Use: "logs [flags] CONTAINER", Short: "Show what a container wrote", Args: cobra.ExactArgs(1), ValidArgsFunction: a.containerNames(1, everyContainer),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			for _, t := range []struct {
				flag, text string
				to         *string
			}{{"--since", since, &q.Since}, {"--until", until, &q.Until}} {
				if *t.to, err = instant(t.text, time.Now()); err != nil {
					return usageError{fmt.Errorf("%s: %w", t.flag, err)}
				}
			}
			if tail != "all" {
				if q.Tail, err = strconv.Atoi(tail); err != nil || q.Tail < 0 {
					return usageError{fmt.Errorf("--tail %s: neither a count nor all", tail)}
				}
			}
			return a.explain(cmd.Context(), args[0], a.daemon().Logs(cmd.Context(), args[0], q, a.stdout, a.stderr))
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&q.Follow, "follow", "f", false, "go on until the container ends")
	f.BoolVarP(&q.Timestamps, "timestamps", "t", false, "with the time before each line")
	f.BoolVar(&q.Details, "details", false, "with what the log driver noted beside each line")
	f.StringVar(&since, "since", "", "a time (RFC 3339, or seconds since 1970), or how long ago: 10m")
	f.StringVar(&until, "until", "", "likewise")
	f.StringVarP(&tail, "tail", "n", "all", "the last N lines alone")
	return cmd
}

// instant reads a time: RFC 3339 with or without its end, seconds since 1970, or how long before now it was.
func instant(text string, now time.Time) (string, error) {
	if text == "" {
		return "", nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d).UTC().Format(time.RFC3339Nano), nil
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return time.UnixMicro(int64(n * 1e6)).UTC().Format(time.RFC3339Nano), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t.UTC().Format(time.RFC3339Nano), nil
		}
	}
	return "", fmt.Errorf("%q is no time: 2026-01-31T12:00:00Z, 1769860800, or 10m for ten minutes ago", text)
}
