package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func commitCommand(a *app) *cobra.Command {
	var how wire.Commit
	var name, tag string
	var noPause bool
	cmd := &cobra.Command{
		Use: "commit [flags] CONTAINER [IMAGE[:TAG]]", Short: "Make an image of a container's files", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: a.containerNames(1, everyContainer),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1 && name != "":
				return usageError{errors.New("the image is named twice: by --name and at the end")}
			case len(args) > 1:
				how.Ref = args[1]
			case name != "":
				how.Ref = name
			}
			if tag != "" {
				if name == "" {
					return usageError{errors.New("--tag goes with --name")}
				}
				how.Ref += ":" + tag
			}
			how.Pause = !noPause
			made, err := a.daemon().CommitContainer(cmd.Context(), args[0], how)
			if err != nil {
				return a.explain(cmd.Context(), args[0], err)
			}
			return a.println(made.ID)
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "name of the image")
	f.StringVar(&tag, "tag", "", "its tag")
	f.StringVarP(&how.Comment, "message", "m", "", "what it is for")
	f.StringVarP(&how.Author, "author", "a", "", "who made it")
	f.StringArrayVarP(&how.Changes, "change", "c", nil, "instruction of a Dockerfile for the image's configuration; may be repeated")
	f.BoolVar(&noPause, "no-pause", false, "let the container go on meanwhile")
	return cmd
}
