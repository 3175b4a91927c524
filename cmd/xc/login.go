package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// hub is what no server means.
const hub = "Docker Hub"

func loginCommand(a *app) *cobra.Command {
	var l wire.Login
	var stdin bool
	cmd := &cobra.Command{
		Use: "login -u USER [flags] [SERVER]", Short: "Have the daemon use a name and password at a registry", Args: cobra.MaximumNArgs(1),
		Long: `Have the daemon use a user's name and password at a registry, Docker Hub if none is named. The registry is asked first; then they are
kept in the registries file, which root alone reads. Without -p and --password-stdin the password is asked for on the terminal.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			name := hub
			if len(args) > 0 {
				l.Server, name = args[0], args[0]
			}
			switch {
			case l.Username == "":
				return usageError{errors.New("the user's name is missing: -u USER")}
			case l.Password != "" && stdin:
				return usageError{errors.New("--password and --password-stdin exclude each other")}
			case l.Password == "":
				if l.Password, err = a.password(stdin); err != nil {
					return err
				}
			}
			if err := a.daemon().Login(cmd.Context(), l); err != nil {
				return err
			}
			return a.println("Logged in to " + name)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&l.Username, "username", "u", "", "name of the user")
	f.StringVarP(&l.Password, "password", "p", "", "password, which others can see in ps(1) meanwhile")
	f.BoolVar(&stdin, "password-stdin", false, "read the password from stdin")
	f.BoolVar(&l.Insecure, "insecure", false, "accept a registry of plain HTTP, or with a certificate that nobody vouches for, from now on")
	return cmd
}

// maxPassword bounds what is read for a password.
const maxPassword = 64 << 10

// password reads a password: from stdin as it is, or from the terminal, which does not show it.
func (a *app) password(stdin bool) (string, error) {
	if stdin {
		raw, err := io.ReadAll(io.LimitReader(a.stdin, maxPassword))
		if err == nil && len(raw) == 0 {
			err = errors.New("stdin is empty")
		}
		return strings.TrimRight(string(raw), "\r\n"), err
	}
	t := terminal(a.stdin)
	if t == nil {
		return "", usageError{errors.New("nobody can be asked for the password: -p PASSWORD or --password-stdin")}
	}
	fmt.Fprint(a.stderr, "Password: ")
	raw, err := term.ReadPassword(int(t.Fd()))
	fmt.Fprintln(a.stderr)
	return string(raw), err
}

func logoutCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "logout [SERVER]", Short: "Have the daemon forget a name and password", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			server, name := "", hub
			if len(args) > 0 {
				server, name = args[0], args[0]
			}
			if err := a.daemon().Logout(cmd.Context(), server); err != nil {
				return err
			}
			return a.println("Logged out of " + name)
		},
	}
}

func channelCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "channel", Short: "Further sockets on which the daemon listens for xc"}
	cmd.AddCommand(
		&cobra.Command{
			Use: "create PATH", Short: "Have the daemon listen on one more socket until it ends", Args: cobra.ExactArgs(1),
			Long: `Have the daemon listen on one more socket, such as one inside a container's root. Whoever may write to it can do what the daemon's own
socket lets them: root of a container is root there. What is at PATH is never replaced, but for a socket that nobody serves any more.`,
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.daemon().CreateChannel(cmd.Context(), args[0])
			},
		},
		&cobra.Command{
			Use: "list", Aliases: []string{"ls"}, Short: "List them", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				all, err := a.daemon().Channels(cmd.Context())
				if err != nil {
					return err
				}
				return printEach(a.stdout, all, func(c wire.Channel) string { return c.Path })
			},
		},
		&cobra.Command{
			Use: "rm PATH...", Aliases: []string{"remove"}, Short: "End them", Args: cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.each(args, func(p string) error { return a.daemon().RemoveChannel(cmd.Context(), p) }, nil)
			},
		},
	)
	return cmd
}
