package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/platform/doctor"
)

const defaultSocket = "/var/run/xc.sock"

// The exit codes of xc's own. Commands that run a program give its code.
const (
	exitError       = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells have it of a program that ctrl-c ended
)

// usageError is a wrong command line.
type usageError struct{ error }

// exitCode is the end of a program that a command ran. It says nothing: the program has spoken.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errReported is an error that was told already.
var errReported = errors.New("see above")

// groups are the headings under which the help lists the commands.
var groups = []*cobra.Group{
	{ID: "containers", Title: "Containers:"},
	{ID: "images", Title: "Images:"},
	{ID: "networks", Title: "Networks and volumes:"},
	{ID: "host", Title: "The daemon and its host:"},
}

// commands are all of them, by group.
var commands = map[string][]func(*app) *cobra.Command{
	"containers": {
		runCommand, createCommand, startCommand, stopCommand, restartCommand, killCommand, removeCommand, psCommand, showCommand, inspectCommand,
		logsCommand, execCommand, attachCommand, waitCommand, linkCommand, copyCommand, commitCommand, diffCommand, renameCommand,
		pauseCommand, unpauseCommand, topCommand, statsCommand, traceCommand,
	},
	"images":   {pullCommand, pushCommand, buildCommand, imageCommand, loginCommand, logoutCommand, templateCommand},
	"networks": {networkCommand, redirectCommand, volumeCommand},
	"host":     {versionCommand, infoCommand, eventsCommand, purgeCommand, channelCommand, completionCommand, helpCommand},
}

// command is the whole command tree.
func command(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "xc", Short: "Containers, on FreeBSD and Linux",
		Version: version, SilenceUsage: true, SilenceErrors: true, TraverseChildren: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetVersionTemplate("xc {{.Version}} (" + commit + ")\n")
	cmd.SetIn(a.stdin)
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stderr)
	// Not persistent: commands have an -s and a -d of their own.
	f := cmd.Flags()
	f.StringVarP(&a.socket, "socket-path", "s", a.socket, "socket of the daemon; before the command")
	f.BoolVarP(&a.dump, "dump-args", "d", false, "show how the command line is understood, and do nothing; before the command")
	cmd.PersistentPreRunE = func(cmd *cobra.Command, args []string) error { return a.begin(cmd, args) }
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{flagError(cmd, err)} })
	cmd.AddGroup(groups...)
	for _, g := range groups {
		for _, make := range commands[g.ID] {
			sub := make(a)
			sub.GroupID = g.ID
			cmd.AddCommand(sub)
			if sub.Name() == "help" {
				cmd.SetHelpCommand(sub)
			}
		}
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.AddCommand(hiddenImageCommands(a)...)
	host := func() doctor.Source {
		h := doctor.Host(sockets{})
		if a.socket != defaultSocket {
			h.Socket = a.socket
		}
		return h
	}
	for _, sub := range []*cobra.Command{doctorCommand(host), setupCommand(host, doctor.NewApplier(sockets{}))} {
		sub.GroupID = "host"
		cmd.AddCommand(sub)
	}
	tidy(cmd)
	return cmd
}

// tidy gives every command what all have: wrong arguments are errors of usage, and groups of commands say what they have.
func tidy(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		if check := sub.Args; check != nil {
			sub.Args = func(cmd *cobra.Command, args []string) error {
				err := check(cmd, args)
				if err != nil && !errors.As(err, new(usageError)) {
					err = usageError{fmt.Errorf("%w\nusage: %s", err, cmd.UseLine())}
				}
				return err
			}
		}
		if sub.HasSubCommands() && sub.RunE == nil {
			sub.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return unknownCommand(cmd, args[0])
				}
				return cmd.Help()
			}
			sub.Args = cobra.ArbitraryArgs
		}
		tidy(sub)
	}
}

// unknownCommand is a word that is no command, with those that it may be meant for.
func unknownCommand(cmd *cobra.Command, word string) error {
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), word)
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, append(sub.Aliases, sub.Name())...)
		}
	}
	err := meant(errors.New(text), word, names)
	if err.Error() == text {
		err = fmt.Errorf("%s (%s --help lists them)", text, cmd.CommandPath())
	}
	return usageError{err}
}

// run executes the command line and returns the exit code: 0, 2 for a wrong command line, 1 after any other error, or the code of
// the program that was run.
func run(ctx context.Context, a *app, args []string) int {
	cmd := command(a)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	var code exitCode
	var coded codedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errReported):
		return exitError
	}
	a.warn(describe(err))
	switch {
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &coded):
		return coded.code
	}
	return exitError
}
