package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// flagsAfterImage also reads the flags that stand between IMAGE and ENTRY_POINT. What follows ENTRY_POINT is the program's, and so is
// what follows "--".
func flagsAfterImage(cmd *cobra.Command, args []string) ([]string, error) {
	image, rest := args[0], args[1:]
	if cmd.ArgsLenAtDash() == 0 { // "-- IMAGE …"
		return args, nil
	}
	f := cmd.Flags()
	if err := f.Parse(rest); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil, cmd.Help()
		}
		return nil, usageError{flagError(cmd, err)}
	}
	return append([]string{image}, f.Args()...), nil
}

func runCommand(a *app) *cobra.Command {
	var w wish
	var o runOptions
	cmd := &cobra.Command{
		Use: "run [flags] IMAGE [flags] [ENTRY_POINT [ARG...]]", Short: "Make a container and run it", Args: cobra.MinimumNArgs(1),
		Long: `Make a container of IMAGE and run it. ENTRY_POINT is the name of one of the image's entry points, else a program; without it the
image's default is run. Flags may also stand between IMAGE and ENTRY_POINT; what follows ENTRY_POINT are its arguments.

On a terminal, the container gets one too and is attached to it: ctrl-p q leaves it. At its end the container is removed, unless
--rm=false, --no-clean or --restart is given. The exit code is that of the program; 126 and 127 say that it cannot be executed, or found.

Without --network the container has no network.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := flagsAfterImage(cmd, args)
			if err != nil {
				return err
			}
			c, err := w.request(args)
			if err == nil {
				err = o.check(cmd, &c)
			}
			if err != nil {
				return usageError{err}
			}
			return a.runContainer(cmd, c, o)
		},
	}
	f := cmd.Flags()
	w.flags(f)
	f.BoolVarP(&o.detach, "detach", "d", false, "print its id, and do not wait for it")
	f.BoolVarP(&o.interactive, "interactive", "i", false, "hand stdin over")
	f.VarP(&o.tty, "tty", "t", "give it a terminal (default: where there is one)")
	f.Lookup("tty").NoOptDefVal = "true"
	f.BoolVar(&o.noClean, "no-clean", false, "keep the container at its end, and what it has in the kernel, to be looked at")
	f.Var(&o.remove, "rm", "remove the container at its end (default: unless --no-clean or --restart is given)")
	f.Lookup("rm").NoOptDefVal = "true"
	f.BoolVar(&o.link, "link", false, "kill the container when this program ends")
	o.createOptions.flags(f)
	f.StringVar(&o.keys, "detach-keys", "", "keys that leave the terminal (default: "+client.DetachKeys+")")
	f.BoolVar(&o.noProxy, "no-sig-proxy", false, "do not pass signals on")
	f.StringVar(&o.cidFile, "cidfile", "", "file that gets the id")
	return cmd
}

// runOptions are the flags of run alone.
type runOptions struct {
	createOptions
	detach, interactive, noClean, link, noProxy bool
	tty, remove                                 optional
	keys, cidFile                               string
}

// check completes the wish and refuses what contradicts itself.
func (o *runOptions) check(cmd *cobra.Command, c *wire.ContainerCreate) error {
	restarts := c.Restart.Policy != "" && c.Restart.Policy != "no"
	switch {
	case o.detach && o.link:
		return errors.New("--detach and --link exclude each other")
	case o.noClean && o.remove.value != nil && *o.remove.value:
		return errors.New("--no-clean and --rm exclude each other")
	case restarts && o.remove.value != nil && *o.remove.value:
		return errors.New("--restart and --rm exclude each other")
	}
	c.AutoRemove = !o.noClean && !restarts
	if o.noClean {
		c.Labels[engine.LabelNoClean] = "true"
	}
	if o.remove.value != nil {
		c.AutoRemove = *o.remove.value
	}
	in, out := terminal(cmd.InOrStdin()), terminal(cmd.OutOrStdout())
	c.TTY = in != nil && out != nil && !o.detach && !o.interactive
	if o.tty.value != nil {
		c.TTY = *o.tty.value
	}
	c.Stdin = o.interactive || c.TTY
	c.Once = c.Stdin && !o.detach
	if c.TTY {
		c.Size = size(out)
		if term := os.Getenv("TERM"); term != "" && !hasEnv(c.Env, "TERM") {
			c.Env = append(c.Env, "TERM="+term)
		}
	}
	return nil
}

func hasEnv(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}

// createOptions are how the daemon is asked for a container.
type createOptions struct {
	yes  bool
	pull string // missing, always, never
}

func (o *createOptions) flags(f *pflag.FlagSet) {
	f.BoolVarP(&o.yes, "yes", "y", false, "give the container what its image asks for beyond the usual, without a question")
	f.StringVar(&o.pull, "pull", "missing", "whether the image is fetched of its registry: missing, always or never")
}

// createPulled makes a container of an image, which is fetched of its registry where it is missing.
func (a *app) createPulled(ctx context.Context, c wire.ContainerCreate, opened []*os.File, pull string) (wire.Created, error) {
	if !slices.Contains([]string{"missing", "always", "never"}, pull) {
		return wire.Created{}, usageError{fmt.Errorf("--pull %s: missing, always or never", pull)}
	}
	if pull != "always" {
		made, err := a.daemon().CreateContainer(ctx, c, opened...)
		if pull == "never" || !notFound(err, engine.ResourceImage) {
			return made, err
		}
	}
	p := newProgress(a.stderr)
	defer p.done()
	for l, err := range a.daemon().PullImage(ctx, wire.Pull{Ref: c.Image, Platform: c.Platform}) {
		if err != nil {
			return wire.Created{}, err
		}
		p.report(l)
	}
	return a.daemon().CreateContainer(ctx, c, opened...)
}

// create makes a container and tells what the daemon warns of. What its image asks for beyond the usual is asked of the user, unless
// yes is set.
func (a *app) create(ctx context.Context, c wire.ContainerCreate, o createOptions) (wire.Created, error) {
	opened := openAll(c)
	defer closeAll(opened)
	made, err := a.createPulled(ctx, c, opened, o.pull)
	var told *client.Error
	if errors.As(err, &told) && len(told.Told.Consents) > 0 {
		if !o.yes {
			fmt.Fprintf(a.stderr, "The image %s asks for:\n  %s\n", c.Image, strings.Join(told.Told.Consents, "\n  "))
			agreed, qerr := a.confirm("Shall the container have that?")
			if qerr != nil || !agreed {
				return made, errors.Join(err, qerr)
			}
		}
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		for _, label := range told.Told.Consents {
			name, value, _ := strings.Cut(label, "=")
			c.Labels[name] = value
		}
		made, err = a.daemon().CreateContainer(ctx, c, opened...)
	}
	for _, w := range made.Warnings {
		a.warn("warning: " + w)
	}
	return made, err
}

// runContainer makes a container, starts it, and stays with it unless it is detached.
func (a *app) runContainer(cmd *cobra.Command, c wire.ContainerCreate, o runOptions) error {
	ctx := cmd.Context()
	made, err := a.create(ctx, c, o.createOptions)
	if err != nil {
		return startError(err)
	}
	id := made.ID
	if o.cidFile != "" {
		if err := writeNew(o.cidFile, id); err != nil {
			return errors.Join(err, a.discard(ctx, id))
		}
	}
	if o.detach {
		if err := a.daemon().StartContainer(ctx, id); err != nil {
			return a.notStarted(ctx, c, id, err)
		}
		return a.println(id)
	}
	until := "next-exit"
	if c.AutoRemove {
		until = "removed"
	}
	started := false
	code, err := a.attached(ctx, session{
		ref: id, tty: c.TTY, stdin: c.Stdin, proxy: !o.noProxy,
		before: func() error {
			if err := a.daemon().StartContainer(ctx, id); err != nil {
				return err
			}
			started = true
			if o.link {
				go a.hold(ctx, id)
			}
			return nil
		},
		move: func(ctx context.Context, s client.Streams) (int, error) {
			return a.daemon().Attach(ctx, id, wire.Attach{DetachKeys: o.keys, Until: until}, c.TTY, s)
		},
	})
	if err != nil && !started {
		return a.notStarted(ctx, c, id, err)
	}
	return ended(code, err)
}

// notStarted removes what was made for a start that failed, unless it shall stay.
func (a *app) notStarted(ctx context.Context, c wire.ContainerCreate, id string, err error) error {
	if c.AutoRemove {
		err = errors.Join(startError(err), a.discard(ctx, id))
	}
	return startError(err)
}

// discard removes a container that nobody shall find. That it has gone already is no error.
func (a *app) discard(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	err := a.daemon().RemoveContainer(ctx, id, true, true)
	if notFound(err, engine.ResourceContainer) || engine.HasReason(err, engine.ReasonRemoving) {
		return nil
	}
	return err
}

// ended makes an exit of a program's end.
func ended(code int, err error) error {
	switch {
	case errors.Is(err, client.ErrDetached):
		return nil
	case err != nil:
		return startError(err)
	case code != 0:
		return exitCode(code)
	}
	return nil
}

// The exit codes of shells for programs that cannot be run.
const (
	exitDenied   = 126
	exitNotThere = 127
)

// codedError is an error with an exit code of its own.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

// startError gives an error of a program that cannot be run the exit code that shells have for it.
func startError(err error) error {
	switch {
	case errors.As(err, new(codedError)):
		return err
	case engine.HasReason(err, engine.ReasonExecNotFound):
		return codedError{err, exitNotThere}
	case engine.HasReason(err, engine.ReasonExecDenied), engine.HasReason(err, engine.ReasonExecIsDir):
		return codedError{err, exitDenied}
	}
	return err
}

// writeNew writes a file that must not be there yet.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// confirm asks a question on the terminal that answers y or n; without one it is answered by no.
func (a *app) confirm(question string) (bool, error) {
	if terminal(a.stdin) == nil {
		return false, nil
	}
	fmt.Fprint(a.stderr, question, " (y/n) ")
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
