package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// writeJailConfig prints a description as yaml or json.
func writeJailConfig(w io.Writer, j wire.JailConfig, form string) error {
	if form == "json" {
		return writeJSON(w, j)
	}
	raw, err := yaml.Marshal(j)
	if err != nil {
		return err
	}
	_, err = w.Write(raw)
	return err
}

func checkForm(form string) error {
	if form != "yaml" && form != "json" {
		return usageError{fmt.Errorf("-f %s: yaml or json", form)}
	}
	return nil
}

// readJailConfig reads a description of YAML, which JSON is too. A key that nobody knows is refused: it is a slip.
func (a *app) readJailConfig(name string) (j wire.JailConfig, err error) {
	f, err := a.input(name)
	if err != nil {
		return j, err
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return j, err
	}
	fail := func(err error) (wire.JailConfig, error) {
		return j, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "))
	}
	doc, err := yaml.YAMLToJSONStrict(raw)
	if err != nil {
		return fail(err)
	}
	if !bytes.HasPrefix(doc, []byte("{")) {
		return fail(errors.New("there must be keys and values, as xc template writes"))
	}
	if err := json.Unmarshal(doc, &j); err != nil {
		return fail(err)
	}
	if err := unknownKeys("", keysOf(j.Extra), wire.JailConfig{}); err != nil {
		return fail(err)
	}
	for name, e := range j.Envs {
		err = errors.Join(err, unknownKeys("envs."+name+".", keysOf(e.Extra), e))
	}
	for name, e := range j.EntryPoints {
		err = errors.Join(err, unknownKeys("entry_points."+name+".", keysOf(e.Extra), e))
	}
	for name, m := range j.Mounts {
		err = errors.Join(err, unknownKeys("mounts."+name+".", keysOf(m.Extra), m))
	}
	if err != nil {
		return fail(err)
	}
	return j, nil
}

func keysOf[M ~map[string]V, V any](m M) []string { return sortedKeys(map[string]V(m)) }

// unknownKeys is an error for keys that are none of those which like has, with those that they may be meant for.
func unknownKeys(where string, keys []string, like any) error {
	if len(keys) == 0 {
		return nil
	}
	raw, err := json.Marshal(like)
	if err != nil {
		return err
	}
	known := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &known); err != nil {
		return err
	}
	for _, key := range keys {
		delete(known, key)
	}
	var errs []error
	for _, key := range keys {
		errs = append(errs, meant(fmt.Errorf("there is no key %s%s", where, key), key, sortedKeys(known)))
	}
	return errors.Join(errs...)
}

func getConfigCommand(a *app) *cobra.Command {
	form := "yaml"
	cmd := &cobra.Command{
		Use: "get-config [flags] IMAGE", Short: "Show an image's description, as set-config takes it", Args: cobra.ExactArgs(1), ValidArgsFunction: a.imageNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkForm(form); err != nil {
				return err
			}
			ctx, cancel := a.ask(cmd)
			defer cancel()
			j, err := a.daemon().ImageConfig(ctx, args[0])
			if err != nil {
				return a.explainImage(ctx, args[0], err)
			}
			return writeJailConfig(a.stdout, j, form)
		},
	}
	cmd.Flags().StringVarP(&form, "format", "f", form, "yaml or json")
	return cmd
}

func setConfigCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "set-config IMAGE FILE|-", Short: "Replace an image's description", Args: cobra.ExactArgs(2), ValidArgsFunction: a.imageNames(1),
		Long: `Replace an image's description by that in FILE, YAML or JSON. The name then means a new image with the same layers, whose id is printed;
containers of the old one go on as they are.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := a.readJailConfig(args[1])
			if err != nil {
				return err
			}
			made, err := a.daemon().SetImageConfig(cmd.Context(), args[0], j)
			if err != nil {
				return a.explainImage(cmd.Context(), args[0], err)
			}
			return a.println(made.ID)
		},
	}
}

func templateCommand(a *app) *cobra.Command {
	form, force := "json", false
	cmd := &cobra.Command{
		Use: "template [flags] FILE|-", Short: "Write an empty description of an image, to be filled in", Args: cobra.ExactArgs(1),
		Long: "Write a description with every key at its default, for xc image set-config and import. No daemon is needed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("format") && (strings.HasSuffix(args[0], ".yaml") || strings.HasSuffix(args[0], ".yml")) {
				form = "yaml"
			}
			if err := checkForm(form); err != nil {
				return err
			}
			var b bytes.Buffer
			if err := writeJailConfig(&b, wire.JailConfig{}, form); err != nil {
				return err
			}
			if args[0] == "-" {
				_, err := b.WriteTo(a.stdout)
				return err
			}
			if !force {
				if _, err := os.Lstat(args[0]); err == nil {
					return fmt.Errorf("%s is there already: --force replaces it", args[0])
				}
			}
			return writeFile(args[0], &b)
		},
	}
	cmd.Flags().StringVarP(&form, "format", "f", form, "yaml or json; otherwise as the file's name ends")
	cmd.Flags().BoolVar(&force, "force", false, "replace what is there")
	return cmd
}
