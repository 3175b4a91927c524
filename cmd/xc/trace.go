package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/platform/freebsd/dtrace"
)

func traceCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "trace CONTAINER [-- DWATCH_ARG...]", Short: "Trace a container with dwatch(1)", Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.containerNames(1, running),
		Long: `Trace a container with dwatch(1), on FreeBSD. What follows "--" are its arguments, beside -j with the number of the container's
jail; without any it is asked for all system calls (-F syscall).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash == 0 || dash < 0 && len(args) > 1 || dash > 1 {
				return usageError{errors.New(`arguments for dwatch stand behind "--", and before that one container: xc trace CONTAINER -- ARG...`)}
			}
			c, err := a.daemon().Container(cmd.Context(), args[0], false)
			if err != nil {
				return a.explain(cmd.Context(), args[0], err)
			}
			switch {
			case c.State != "running" && c.State != "paused":
				return fmt.Errorf("container %s does not run", c.Name)
			case c.Jail == nil:
				return errors.New("tracing needs dwatch(1), which FreeBSD has, and a container that is a jail")
			}
			argv := dtrace.Dwatch(c.Jail.JID, args[1:])
			if _, err := os.Stat(argv[0]); err != nil {
				return fmt.Errorf("tracing needs dwatch(1): %w (kldload dtraceall loads what it needs of the kernel)", err)
			}
			dwatch := exec.CommandContext(cmd.Context(), argv[0], argv[1:]...)
			dwatch.Stdin, dwatch.Stdout, dwatch.Stderr = a.stdin, a.stdout, a.stderr
			dwatch.Cancel = func() error { return dwatch.Process.Signal(os.Interrupt) }
			err = dwatch.Run()
			var ended *exec.ExitError
			if errors.As(err, &ended) && ended.ExitCode() > 0 {
				return exitCode(ended.ExitCode())
			}
			return interrupted(cmd.Context(), err)
		},
	}
}
