package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/platform/doctor"
)

// setupOptions are the flags of setup.
type setupOptions struct {
	yes, dryRun bool
	skip        []string
	doctor.Options
}

// setupCommand mends what doctor finds. It can be run again at any time.
func setupCommand(host func() doctor.Source, apply doctor.Applier) *cobra.Command {
	var o setupOptions
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Prepare this host for containers: show what would be done, ask, do it",
		Long: `Setup shows for each thing that "xc doctor" found and that can be mended what it would do: commands, and changes of files as a
diff. It asks before each, does it, and says what is left. A file keeps its old content beside it, under a name that ends in
.before-xc- and the time; a pf.conf is checked by pfctl before it takes the old one's place. What could cut you off from a host
that you administer over the network, and what is a matter of taste, is told and left to you.

The exit code is 0 when nothing is broken afterwards, 1 when something is or a step failed, 2 for a wrong command line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return setup{host(), apply, bufio.NewReader(cmd.InOrStdin()), cmd.OutOrStdout(), o}.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "do everything that is shown without asking")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be done, and do nothing")
	f.StringArrayVar(&o.skip, "skip", nil, "leave out the finding of this name, as shown; may be repeated")
	f.StringVar(&o.Pool, "pool", "", "ZFS pool for images and containers (default: the one that / is on, else the one with the most room)")
	f.StringArrayVar(&o.Users, "user", nil, "put this user in the group docker, which is as good as root; may be repeated")
	return cmd
}

// setup is one run.
type setup struct {
	host  doctor.Source
	apply doctor.Applier
	in    *bufio.Reader
	out   io.Writer
	setupOptions
}

func (s setup) run(ctx context.Context) error {
	plan := doctor.Examine(doctor.Gather(ctx, s.host), s.Options).Plan(s.skip)
	if !s.dryRun && len(plan) > 0 && !s.host.Root {
		return errors.New("only root can set a host up (--dry-run shows what would be done)")
	}
	reboot, err := s.mend(ctx, plan)
	if err != nil || s.dryRun {
		return err
	}
	after := doctor.Examine(doctor.Gather(ctx, s.host), s.Options)
	if len(plan) > 0 {
		fmt.Fprintln(s.out, "What is left:")
	}
	fmt.Fprint(s.out, after.Text(false))
	if reboot {
		fmt.Fprintln(s.out, "Some of it holds only after a reboot: shutdown -r now")
	}
	if after.Count(doctor.Broken) > 0 {
		return errReported
	}
	return nil
}

// mend goes through the plan. A step that fails ends its finding, not the others; what depends on it will fail and say so.
func (s setup) mend(ctx context.Context, plan []doctor.Finding) (reboot bool, err error) {
	all := s.yes
	var failed error
	for _, f := range plan {
		fmt.Fprint(s.out, f.Describe())
		if s.dryRun {
			fmt.Fprintln(s.out)
			continue
		}
		do := true
		if !all {
			if do, all, err = s.ask(); err != nil {
				return reboot, err
			}
		}
		if !do {
			fmt.Fprint(s.out, "  left as it is\n\n")
			continue
		}
		if err := s.do(ctx, f); err != nil {
			fmt.Fprintf(s.out, "  failed: %v\n\n", err)
			failed = errReported
			continue
		}
		fmt.Fprint(s.out, "  done\n\n")
		reboot = reboot || f.Reboot
	}
	return reboot, failed
}

func (s setup) do(ctx context.Context, f doctor.Finding) error {
	for _, step := range f.Steps {
		if err := s.apply.Do(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// errStopped is the answer q, or the end of the input.
var errStopped = errors.New("stopped; what was done stays, run this again for the rest")

// ask asks whether to do what was shown.
func (s setup) ask() (do, all bool, err error) {
	for {
		fmt.Fprint(s.out, "  do this? [y]es, [n]o, [a]ll from here, [q]uit: ")
		line, err := s.in.ReadString('\n')
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return true, false, nil
		case "a", "all":
			return true, true, nil
		case "n", "no":
			return false, false, nil
		case "q", "quit":
			return false, false, errStopped
		}
		if err != nil {
			fmt.Fprintln(s.out)
			return false, false, errors.Join(errStopped, errors.New("nobody answers: --yes does everything that is shown"))
		}
	}
}
