package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

func patchCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "patch IMAGE PATCH... [-- PATCH...]", Short: "Change parts of an image's description", Args: cobra.MinimumNArgs(2),
		Long: `Change parts of an image's description. The name then means a new image with the same layers, whose id is printed. Of several changes,
which "--" separates, all are made or none. PATCH is one of

` + patchHelp() + `
  xc image patch web:1 add-env --required -d "of the database" PASSWORD -- mod-allow raw_sockets -mlock`,
		DisableFlagParsing: true, ValidArgsFunction: a.imageNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, arg := range args[:1] {
				if arg == "-h" || arg == "--help" {
					return cmd.Help()
				}
			}
			changes, err := parsePatches(args[1:])
			if err != nil {
				return err
			}
			made, err := a.daemon().PatchImage(cmd.Context(), args[0], changes)
			if err != nil {
				return a.explainImage(cmd.Context(), args[0], err)
			}
			return a.println(made.ID)
		},
	}
	// Whoever asks for help has no image to name.
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
			return nil
		}
		return check(cmd, args)
	}
	return cmd
}

// patchHelp lists the changes.
func patchHelp() string {
	var b strings.Builder
	root := patches(new([]wire.ImagePatch))
	for _, sub := range root.Commands() {
		fmt.Fprintf(&b, "  %s\n      %s\n%s", sub.UseLine(), sub.Short, sub.LocalFlags().FlagUsages())
	}
	return b.String()
}

// parsePatches reads changes that "--" separates. Words that begin with a minus belong to the change's command.
func parsePatches(words []string) (all []wire.ImagePatch, err error) {
	for len(words) > 0 {
		n := len(words)
		for i, w := range words {
			if w == "--" {
				n = i
				break
			}
		}
		if n > 0 {
			one, err := parsePatch(words[:n])
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		words = words[min(n+1, len(words)):]
	}
	return all, nil
}

func parsePatch(words []string) (all []wire.ImagePatch, err error) {
	root := patches(&all)
	root.SetArgs(words)
	if err := root.Execute(); err != nil {
		if !errors.As(err, new(usageError)) {
			err = usageError{err}
		}
		return nil, err
	}
	if len(all) == 0 {
		return nil, usageError{fmt.Errorf("%s: nothing is changed (xc image patch --help lists the changes)", strings.Join(words, " "))}
	}
	return all, nil
}

// patches are the changes as commands, which add what they read to a list.
func patches(to *[]wire.ImagePatch) *cobra.Command {
	root := &cobra.Command{
		Use: "patch", SilenceErrors: true, SilenceUsage: true, DisableSuggestions: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			var names []string
			for _, sub := range cmd.Commands() {
				names = append(names, sub.Name())
			}
			return usageError{meant(fmt.Errorf("there is no change %q (xc image patch --help lists them)", args[0]), args[0], names)}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%s: %w", cmd.Name(), flagError(cmd, err))}
	})
	root.SetHelpCommand(&cobra.Command{Hidden: true})
	add := func(p wire.ImagePatch) error { *to = append(*to, p); return nil }
	root.AddCommand(
		addEnvPatch(add), addExecPatch(add), defaultEntryPatch(add), addVolumePatch(add), mountPatch(add, "fdescfs", "/dev/fd"),
		mountPatch(add, "procfs", "/proc"), allowPatch(add), sysvPatch(add), devicePatch(add), portPatch(add),
	)
	tidy(root)
	return root
}

type adder func(wire.ImagePatch) error

func addEnvPatch(add adder) *cobra.Command {
	var p wire.PatchEnv
	cmd := &cobra.Command{
		Use: "add-env [flags] KEY[=DEFAULT]", Short: "a variable that the image reads", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			key, value, has := strings.Cut(args[0], "=")
			if p.Name = key; has {
				p.Default = &value
			}
			return add(wire.ImagePatch{AddEnv: &p})
		},
	}
	cmd.Flags().BoolVar(&p.Required, "required", false, "it must be set")
	cmd.Flags().StringVarP(&p.Description, "description", "d", "", "what it is for")
	return cmd
}

func addExecPatch(add adder) *cobra.Command {
	p := wire.PatchExec{}
	var env []string
	cmd := &cobra.Command{
		Use: "add-exec -n NAME [flags] PROGRAM [ARG...]", Short: "an entry point; what the user gives replaces ARG", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if p.Name == "" {
				return usageError{errors.New("add-exec: the entry point has no name: -n NAME")}
			}
			p.Program, p.Args = args[0], args[1:]
			for _, e := range env {
				key, value, has := strings.Cut(e, "=")
				if !has {
					p.RequireEnv = append(p.RequireEnv, key)
					continue
				}
				if p.Env == nil {
					p.Env = map[string]string{}
				}
				p.Env[key] = value
			}
			return add(wire.ImagePatch{AddExec: &p})
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&p.Name, "name", "n", "", "its name")
	f.StringArrayVarP(&env, "env", "e", nil, "K=V of its environment; K alone must be set by the user; may be repeated")
	f.StringArrayVar(&p.RequireEnv, "require-env", nil, "variable that must be set; may be repeated")
	f.StringVarP(&p.User, "user", "u", "", "name or number")
	f.StringVarP(&p.Group, "group", "g", "", "name or number")
	f.StringVarP(&p.WorkDir, "work-dir", "w", "", "working directory")
	return cmd
}

func defaultEntryPatch(add adder) *cobra.Command {
	return &cobra.Command{
		Use: "default-entry-point NAME", Short: "which entry point runs when none is named", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return add(wire.ImagePatch{DefaultEntryPoint: args[0]}) },
	}
}

func addVolumePatch(add adder) *cobra.Command {
	var p wire.PatchVolume
	var hints []string
	cmd := &cobra.Command{
		Use: "add-volume [flags] MOUNT_POINT", Short: "a mount that the image wants", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p.MountPoint = args[0]
			for _, h := range hints {
				key, value, err := pair(h)
				if err != nil {
					return usageError{fmt.Errorf("--hint: %w", err)}
				}
				if p.Hints == nil {
					p.Hints = map[string]string{}
				}
				p.Hints[key] = value
			}
			return add(wire.ImagePatch{AddVolume: &p})
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.Name, "name", "", "its name; otherwise the mount point")
	f.StringVarP(&p.Description, "description", "d", "", "what it is for")
	f.StringArrayVar(&hints, "hint", nil, "K=V for whoever makes the volume, as zfs.recordsize=16k; may be repeated")
	f.BoolVar(&p.ReadOnly, "read-only", false, "it is not written to")
	f.BoolVar(&p.Required, "required", false, "it must be given")
	return cmd
}

func mountPatch(add adder, kind, at string) *cobra.Command {
	return &cobra.Command{
		Use: "mount-" + kind, Short: "have " + kind + " on " + at, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return add(wire.ImagePatch{Mount: &wire.PatchMount{Type: kind, Path: at}})
		},
	}
}

func allowPatch(add adder) *cobra.Command {
	return &cobra.Command{
		Use: "mod-allow [-]PARAM...", Short: "ask for allow.PARAM of the jail, with a minus no longer", DisableFlagParsing: true, Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return add(wire.ImagePatch{Allow: args}) },
	}
}

func sysvPatch(add adder) *cobra.Command {
	var list []string
	cmd := &cobra.Command{
		Use: "sysv-ipc --enable shm,-msg,sem", Short: "System V IPC of the jail's own, with a minus none", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if len(list) == 0 {
				return usageError{errors.New("sysv-ipc: --enable is missing")}
			}
			return add(wire.ImagePatch{SysV: list})
		},
	}
	cmd.Flags().StringSliceVar(&list, "enable", nil, "of shm, msg and sem")
	return cmd
}

func devicePatch(add adder) *cobra.Command {
	return &cobra.Command{
		Use: "add-device RULE...", Short: "a devfs(8) rule, to which whoever runs the image must consent", DisableFlagParsing: true, Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return add(wire.ImagePatch{Device: strings.Join(args, " ")})
		},
	}
}

func portPatch(add adder) *cobra.Command {
	var p wire.PatchPort
	cmd := &cobra.Command{
		Use: "add-port [flags] PORT[-PORT][/PROTOCOL]", Short: "a port that the image serves", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p.Port = args[0]
			return add(wire.ImagePatch{Port: &p})
		},
	}
	cmd.Flags().StringVarP(&p.Description, "description", "d", "", "what it is for")
	return cmd
}
