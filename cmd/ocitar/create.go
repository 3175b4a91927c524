package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/xcengine/xc/imageformat/layer"
)

func createCommand() *cobra.Command {
	var a archive
	var dir, base string
	var toStderr bool
	cmd := &cobra.Command{
		Use: "create", Short: "Make a layer of a directory, or of what it changes of another, and print its diff id and its digest", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			as, err := a.as()
			if err != nil {
				return err
			}
			out, report, done := cmd.OutOrStdout(), cmd.OutOrStdout(), func() error { return nil }
			if a.file != "-" {
				f, err := os.Create(a.file)
				if err != nil {
					return err
				}
				out, done = f, f.Close
			} else {
				report = cmd.ErrOrStderr()
			}
			if toStderr {
				report = cmd.ErrOrStderr()
			}
			diffID, blob, err := writeLayer(cmd, out, as, base, dir)
			if err = errors.Join(err, done()); err != nil {
				return err
			}
			fmt.Fprintf(report, "%s\n%s\n", diffID, blob)
			return nil
		},
	}
	a.define(cmd)
	cmd.Flags().StringVarP(&dir, "directory", "C", ".", "the directory")
	cmd.Flags().StringVar(&base, "base", "", "only what the directory changes of this one")
	cmd.Flags().BoolVar(&toStderr, "write-to-stderr", false, "print the digests to stderr, as is always done when the archive goes to stdout")
	return cmd
}

// writeLayer writes the layer and returns the digests of the plain tar and of what was written.
func writeLayer(cmd *cobra.Command, out io.Writer, as layer.Compression, base, dir string) (diffID, blob digest.Digest, err error) {
	stored, plain := digest.Canonical.Digester(), digest.Canonical.Digester()
	packed, err := layer.Compress(io.MultiWriter(out, stored.Hash()), as)
	if err != nil {
		return "", "", err
	}
	err = layer.WriteTar(cmd.Context(), io.MultiWriter(packed, plain.Hash()), layer.TreeChanges(base, dir, layer.TreeHints{}))
	if err = errors.Join(err, packed.Close()); err != nil {
		return "", "", err
	}
	return plain.Digest(), stored.Digest(), nil
}
