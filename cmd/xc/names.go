package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine"
)

// containerNames completes names of containers in a shell: with max above 0 of at most so many arguments.
func (a *app) containerNames(max int, query url.Values) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if max > 0 && len(args) >= max {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, err := a.names(cmd.Context(), query)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) names(ctx context.Context, query url.Values) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	all, err := a.daemon().Containers(ctx, query)
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	return names, err
}

// Queries that containers are completed by.
var (
	everyContainer = url.Values{"all": {"1"}}
	running        = url.Values{}
)

// explain adds to an error of a container that is not there the names that may be meant.
func (a *app) explain(ctx context.Context, ref string, err error) error {
	return a.explainMissing(ctx, engine.ResourceContainer, ref, err, func(ctx context.Context) ([]string, error) { return a.names(ctx, everyContainer) })
}

// explainMissing adds to an error of something that is not there the names of its kind that may be meant.
func (a *app) explainMissing(ctx context.Context, kind engine.Resource, ref string, err error, list func(context.Context) ([]string, error)) error {
	if !notFound(err, kind) {
		return err
	}
	names, nerr := list(ctx)
	if nerr != nil {
		return err
	}
	return meant(err, ref, names)
}

// eachContainer does something with several containers and prints the name of each with which it went well.
func (a *app) eachContainer(ctx context.Context, refs []string, do func(ref string) error) error {
	return a.each(refs, func(ref string) error { return a.explain(ctx, ref, do(ref)) }, func(ref string) error { return a.println(ref) })
}

// simpleCommand does one thing with one or more containers.
func simpleCommand(a *app, use, short string, query url.Values, do func(ctx context.Context, ref string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " CONTAINER...", Short: short, Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.containerNames(0, query),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachContainer(cmd.Context(), args, func(ref string) error { return do(cmd.Context(), ref) })
		},
	}
}
