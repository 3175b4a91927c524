package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// completionCommand writes what shells read to complete command lines.
func completionCommand(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Write a shell's completion of xc, with names of containers and images",
		Long: `Write a shell's completion of xc, with names of containers and images. For this user's next shells:

  xc completion bash >~/.local/share/bash-completion/completions/xc
  xc completion zsh >~/.zfunc/_xc          # a directory of $fpath
  xc completion fish >~/.config/fish/completions/xc.fish

The packages bring them for all users.`,
		Args: cobra.ExactArgs(1), ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return usageError{meant(fmt.Errorf("there is no completion for %q: bash, zsh, fish or powershell", args[0]), args[0], shells)}
		},
	}
}

// helpCommand tells of a command, or lists them.
func helpCommand(*app) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND...]", Short: "Tell of a command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if of, left, err := cmd.Root().Find(args); err == nil && len(left) == 0 {
				for _, sub := range of.Commands() {
					if sub.IsAvailableCommand() {
						names = append(names, sub.Name()+"\t"+sub.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			of := cmd.Root()
			for _, word := range args {
				next, left, err := of.Find([]string{word})
				if err != nil || next == of || len(left) > 0 {
					return unknownCommand(of, word)
				}
				of = next
			}
			of.InitDefaultHelpFlag()
			of.InitDefaultVersionFlag()
			return of.Help()
		},
	}
}
