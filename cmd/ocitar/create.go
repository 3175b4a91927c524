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
	var toStderr, ofSnapshots bool
	var opts layer.TarOptions
	cmd := &cobra.Command{
		Use: "create", Short: "Make a layer of a directory, or of what it changes of another, and print its diff id and its digest",
		Args: func(cmd *cobra.Command, args []string) error {
			if ofSnapshots {
				return cobra.ExactArgs(2)(cmd, args)
			}
			return cobra.NoArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			as, err := a.as()
			if err != nil {
				return err
			}
			if ofSnapshots {
				if base, dir, err = snapshots(cmd.Context(), args[0], args[1]); err != nil {
					return err
				}
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
			diffID, blob, err := writeLayer(cmd, out, as, layer.TreeChanges(base, dir, layer.TreeHints{}), opts)
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
	cmd.Flags().BoolVar(&ofSnapshots, "zfs-diff", false, "only what changed between two snapshots of a ZFS dataset, which are the arguments")
	cmd.Flags().StringArrayVar(&opts.Remove, "remove", nil, "a path that the layer removes; may be repeated")
	cmd.Flags().BoolVar(&opts.NoWhiteouts, "no-oci", false, "do not write what is removed")
	cmd.Flags().Bool("no-ext", false, "do not write the original's own header, which is never written")
	cmd.Flags().BoolVar(&toStderr, "write-to-stderr", false, "print the digests to stderr, as is always done when the archive goes to stdout")
	return cmd
}

// writeLayer writes the layer and returns the digests of the plain tar and of what was written.
func writeLayer(cmd *cobra.Command, out io.Writer, as layer.Compression, changes layer.Changes, opts layer.TarOptions) (diffID, blob digest.Digest, err error) {
	stored, plain := digest.Canonical.Digester(), digest.Canonical.Digester()
	packed, err := layer.Compress(io.MultiWriter(out, stored.Hash()), as)
	if err != nil {
		return "", "", err
	}
	err = opts.WriteTar(cmd.Context(), io.MultiWriter(packed, plain.Hash()), changes)
	if err = errors.Join(err, packed.Close()); err != nil {
		return "", "", err
	}
	return plain.Digest(), stored.Digest(), nil
}
