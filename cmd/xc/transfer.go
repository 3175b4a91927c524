package main

import (
	"errors"
	"io"
	"iter"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// follow shows how far something has come, and returns the last result that was told. Quiet shows nothing.
func (a *app) follow(steps iter.Seq2[wire.Progress, error], quiet bool) (result string, err error) {
	p := newProgress(a.stdout)
	defer p.done()
	for step, err := range steps {
		if err != nil {
			return result, err
		}
		if step.Result != "" {
			result = step.Result
			continue
		}
		if !quiet {
			p.report(step)
		}
	}
	return result, nil
}

func pullCommand(a *app) *cobra.Command {
	var what wire.Pull
	var quiet bool
	cmd := &cobra.Command{
		Use: "pull [flags] IMAGE [NAME]", Short: "Fetch an image from a registry", Args: cobra.RangeArgs(1, 2),
		Long: `Fetch an image: [REGISTRY/]REPOSITORY[:TAG][@DIGEST]. Without a registry it is the default one of the registries file, Docker Hub if that
says nothing. NAME is one more name that it gets here.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			what.Ref = args[0]
			if what.All && len(args) > 1 {
				return usageError{errors.New("all tags cannot have one name")}
			}
			if _, err := a.follow(a.daemon().PullImage(cmd.Context(), what), quiet); err != nil {
				return err
			}
			if len(args) > 1 {
				// By its id, as the name may have images of several platforms.
				i, err := a.daemon().Image(cmd.Context(), args[0], what.Platform)
				if err == nil {
					err = a.daemon().TagImage(cmd.Context(), i.ID, args[1])
				}
				if err != nil {
					return err
				}
			}
			if quiet {
				return a.println(args[len(args)-1])
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&what.All, "all-tags", "a", false, "every tag of the repository")
	f.BoolVarP(&quiet, "quiet", "q", false, "show nothing but the name")
	f.StringVar(&what.Platform, "platform", "", "OS[/ARCHITECTURE[/VARIANT]]; otherwise what suits this host best")
	return cmd
}

func pushCommand(a *app) *cobra.Command {
	var what wire.Push
	var quiet bool
	cmd := &cobra.Command{
		Use: "push [flags] IMAGE [NAME]", Short: "Send an image to a registry", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: a.imageNames(1),
		Long: `Send an image to the registry that its name says. NAME is the name that it gets there in place of its own; here nothing is renamed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			what.Ref = args[0]
			if len(args) > 1 {
				what.Target = args[1]
			}
			digest, err := a.follow(a.daemon().PushImage(cmd.Context(), what), quiet)
			if err != nil {
				return a.explainImage(cmd.Context(), args[0], err)
			}
			if quiet {
				return a.println(digest)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&what.All, "all-tags", "a", false, "every tag of the repository")
	f.BoolVarP(&quiet, "quiet", "q", false, "show nothing but the digest")
	f.BoolVar(&what.Insecure, "insecure", false, "accept a registry of plain HTTP, or with a certificate that nobody vouches for")
	f.BoolVar(&what.MergeIndex, "merge", false, "put the image into the index that the name has at the registry, in the place of its platform")
	f.StringVar(&what.Platform, "platform", "", "OS[/ARCHITECTURE[/VARIANT]], where the image has several")
	return cmd
}

// input opens a file, or stdin for "-".
func (a *app) input(name string) (io.ReadCloser, error) {
	if name == "-" {
		if terminal(a.stdin) != nil {
			return nil, errors.New("stdin is a terminal: name a file, or send one by a pipe")
		}
		return io.NopCloser(a.stdin), nil
	}
	return os.Open(name)
}

func saveCommand(a *app) *cobra.Command {
	var what wire.Save
	var to string
	cmd := &cobra.Command{
		Use: "save [flags] IMAGE...", Short: "Write images into an archive that load and docker load read", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.imageNames(0),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if to == "" && terminal(a.stdout) != nil {
				return usageError{errors.New("an archive is not for a terminal: -o FILE, or send stdout elsewhere")}
			}
			what.Refs = args
			content, err := a.daemon().SaveImages(cmd.Context(), what)
			if err != nil {
				return a.explainImage(cmd.Context(), args[0], err)
			}
			defer content.Close()
			if to == "" {
				_, err = io.Copy(a.stdout, content)
				return err
			}
			return writeFile(to, content)
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "file to write, in place of stdout")
	platformFlag(cmd, &what.Platform)
	return cmd
}

// writeFile writes a file whole or not at all.
func writeFile(name string, content io.Reader) (err error) {
	if fi, err := os.Stat(name); err == nil && !fi.Mode().IsRegular() { // a pipe or a device
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	}
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}

func loadCommand(a *app) *cobra.Command {
	var from, platform string
	var quiet bool
	cmd := &cobra.Command{
		Use: "load [flags] [FILE]", Short: "Take images out of an archive: of save, docker save, or an OCI layout", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0 && from != "":
				return usageError{errors.New("the file is named twice: by -i and at the end")}
			case len(args) > 0:
				from = args[0]
			case from == "":
				from = "-"
			}
			content, err := a.input(from)
			if err != nil {
				return err
			}
			defer content.Close()
			_, err = a.follow(a.daemon().LoadImages(cmd.Context(), content, platform), quiet)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&from, "input", "i", "", "file to read, in place of stdin; of any compression")
	f.BoolVarP(&quiet, "quiet", "q", false, "show nothing")
	f.StringVar(&platform, "platform", "", "the images of OS[/ARCHITECTURE[/VARIANT]] alone")
	return cmd
}

func searchCommand(a *app) *cobra.Command {
	var o output
	var limit int
	var noHead, noTrunc bool
	cmd := &cobra.Command{
		Use: "search [flags] TERM", Short: "Look for images at a registry", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.daemon().SearchImages(cmd.Context(), args[0], limit)
			if err != nil {
				return err
			}
			return printAll(&o, a.stdout, found, func(w io.Writer) error {
				t := &table{head: []string{"NAME", "DESCRIPTION", "STARS", "OFFICIAL"}}
				for _, h := range found {
					text := oneLine(h.Description)
					if r := []rune(text); !noTrunc && len(r) > mainWidth {
						text = clip(text, mainWidth-1) + "…"
					}
					t.add(h.Name, text, strconv.Itoa(h.Stars), map[bool]string{true: "yes"}[h.Official])
				}
				return t.write(w, noHead)
			})
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.IntVar(&limit, "limit", 25, "at most so many, up to 100")
	f.BoolVarP(&noHead, "no-header", "H", false, "without the columns' names")
	f.BoolVar(&noTrunc, "no-trunc", false, "do not shorten anything")
	return cmd
}

func importCommand(a *app) *cobra.Command {
	var what wire.Import
	var config string
	cmd := &cobra.Command{
		Use: "import [flags] FILE|- IMAGE [-- PATCH... [-- PATCH...]]", Short: "Make an image of a root's tar",
		Long: `Make an image of one layer of a tar, of any compression. PATCH are commands of "xc image patch", without the image:

  xc image import base.txz freebsd:14.2 -- mod-allow raw_sockets -- add-env --required PASSWORD`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			at := cmd.ArgsLenAtDash()
			if at < 0 {
				at = len(args)
			}
			if at != 2 {
				return usageError{errors.New("a file and the name of the image stand before the first --, and nothing else")}
			}
			what.Ref = args[1]
			if what.Patch, err = parsePatches(args[at:]); err != nil {
				return err
			}
			if config != "" {
				j, err := a.readJailConfig(config)
				if err != nil {
					return err
				}
				what.Config = &j
			}
			root, err := a.input(args[0])
			if err != nil {
				return err
			}
			defer root.Close()
			made, err := a.daemon().ImportImage(cmd.Context(), what, root)
			if err != nil {
				return err
			}
			return a.println(made.ID)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&config, "config", "f", "", "file with the image's description, YAML or JSON, as xc template writes")
	f.StringArrayVarP(&what.Changes, "change", "c", nil, "instruction of a Dockerfile for the image's configuration; may be repeated")
	f.StringVarP(&what.Message, "message", "m", "", "what it is for")
	f.StringVar(&what.Platform, "platform", "", "OS[/ARCHITECTURE[/VARIANT]] of the root; otherwise this host's")
	return cmd
}
