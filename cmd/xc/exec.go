package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func execCommand(a *app) *cobra.Command {
	var x wire.Exec
	var env, envFiles []string
	var group string
	var detach bool
	var interactive optional
	cmd := &cobra.Command{
		Use: "exec [flags] CONTAINER PROGRAM [ARG...]", Short: "Run a further program in a container", Args: cobra.MinimumNArgs(2),
		Long: `Run a further program in a container that runs. Its stdin is this program's, unless --interactive=false or --detach is given. The
exit code is the program's; 126 and 127 say that it cannot be executed, or found.`,
		ValidArgsFunction: a.containerNames(1, running),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r reader
			x.Args, x.Env = args[1:], append(r.files("--env-file", envFiles, environment), each(&r, "--env", env, environment)...)
			if len(r.errs) > 0 {
				return usageError{r.errs[0]}
			}
			if group != "" {
				user, _, _ := strings.Cut(x.User, ":")
				if user == "" {
					user = "0"
				}
				x.User = user + ":" + group
			}
			ctx := cmd.Context()
			if detach {
				started, err := a.daemon().ExecDetached(ctx, args[0], x)
				if err != nil {
					return startError(a.explain(ctx, args[0], err))
				}
				return a.println(started.ID)
			}
			if x.TTY {
				x.Size = size(terminal(a.stdout))
				if term := os.Getenv("TERM"); term != "" && !hasEnv(x.Env, "TERM") {
					x.Env = append(x.Env, "TERM="+term)
				}
			}
			code, err := a.attached(ctx, session{
				ref: args[0], tty: x.TTY, stdin: interactive.value == nil || *interactive.value,
				move: func(ctx context.Context, s client.Streams) (int, error) { return a.daemon().Exec(ctx, args[0], x, s) },
			})
			return ended(code, a.explain(ctx, args[0], err))
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.BoolVarP(&detach, "detach", "d", false, "print its id, and do not wait for it")
	f.VarP(&interactive, "interactive", "i", "hand stdin over")
	f.Lookup("interactive").NoOptDefVal = "true"
	f.BoolVarP(&x.TTY, "tty", "t", false, "give it a terminal")
	f.StringVarP(&x.User, "user", "u", "", "user, or USER:GROUP, by names or numbers of the container's")
	f.StringVarP(&group, "group", "g", "", "group")
	f.StringVarP(&x.WorkDir, "workdir", "w", "", "working directory")
	f.StringArrayVarP(&env, "env", "e", nil, "NAME=VALUE, or NAME for this environment's value")
	f.StringArrayVar(&envFiles, "env-file", nil, "file of such lines")
	f.StringVar(&x.DetachKeys, "detach-keys", "", "keys that leave the terminal (default: "+client.DetachKeys+")")
	f.BoolVar(&x.Privileged, "privileged", false, "do not keep it apart from the host")
	return cmd
}
