package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/imageformat/layer"
)

// whiteouts of the OCI image specification 1.1, "Representing Changes".
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

func listCommand() *cobra.Command {
	var a archive
	cmd := &cobra.Command{
		Use: "list", Short: "Show what a layer adds (+) and removes (-), a path a line; DIR/* is everything below DIR", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plain, done, err := a.read(cmd)
			if err != nil {
				return err
			}
			return errors.Join(list(plain, cmd.OutOrStdout()), plain.Close(), done())
		},
	}
	a.define(cmd)
	return cmd
}

func list(r io.Reader, w io.Writer) error {
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		dir, name := path.Split(strings.TrimSuffix(h.Name, "/"))
		line := "+\t" + h.Name
		switch hidden, is := strings.CutPrefix(name, whiteoutPrefix); {
		case name == whiteoutOpaque:
			line = "-\t" + dir + "*"
		case is:
			line = "-\t" + dir + hidden
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
}

func extractCommand() *cobra.Command {
	var a archive
	var dir string
	var inputDigest bool
	cmd := &cobra.Command{
		Use: "extract", Short: "Apply a layer to a directory and print its diff id", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			counted := newDigester(cmd.InOrStdin())
			cmd.SetIn(counted)
			plain, done, err := a.read(cmd)
			if err != nil {
				return err
			}
			applied, err := layer.Apply(cmd.Context(), dir, plain, layer.ApplyOptions{})
			if err = errors.Join(err, plain.Close(), done()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), applied.DiffID)
			if inputDigest {
				return printInputDigest(cmd, a.file, counted)
			}
			return nil
		},
	}
	a.define(cmd)
	cmd.Flags().StringVarP(&dir, "directory", "C", ".", "the directory that the layer is applied to")
	cmd.Flags().BoolVar(&inputDigest, "print-input-digest", false, "print the digest of the archive itself, too")
	return cmd
}
