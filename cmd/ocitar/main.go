// Ocitar reads and writes layers of OCI images: tar archives with whiteouts, compressed or not. See "ocitar --help".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/xcengine/xc/imageformat/layer"
)

// version and commit are set by the build.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes the command line and returns the exit code: 0, or 1 after an error.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := command()
	cmd.SetArgs(longForm(args))
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "ocitar:", err)
		return 1
	}
	return 0
}

// longForm turns the flag forms that tar's users write (-c, -xf FILE, -tf-) into the subcommands.
func longForm(args []string) []string {
	if len(args) == 0 || len(args[0]) < 2 || args[0][0] != '-' || args[0][1] == '-' {
		return args
	}
	names := map[byte]string{'c': "create", 't': "list", 'x': "extract"}
	name, ok := names[args[0][1]]
	if !ok {
		return args
	}
	rest := args[1:]
	if letters := args[0][2:]; letters != "" {
		rest = append([]string{"-" + letters}, rest...)
	}
	return append([]string{name}, rest...)
}

func command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ocitar", Short: "Create, list and extract layers of OCI images",
		Version: version, SilenceUsage: true, SilenceErrors: true,
	}
	cmd.PersistentFlags().CountP("verbose", "v", "accepted for the original's scripts; there is nothing more to tell")
	cmd.PersistentFlags().Bool("dry-run", false, "print the command and its arguments, and do nothing")
	cmd.SetVersionTemplate("ocitar {{.Version}} (" + commit + ")\n")
	for _, sub := range []*cobra.Command{createCommand(), listCommand(), extractCommand()} {
		cmd.AddCommand(unlessDry(sub))
	}
	return cmd
}

// unlessDry makes a command print what it was asked for when no more is wanted.
func unlessDry(cmd *cobra.Command) *cobra.Command {
	do := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if dry, err := cmd.Flags().GetBool("dry-run"); err != nil || !dry {
			return errors.Join(err, do(cmd, args))
		}
		words := []string{cmd.Name()}
		cmd.Flags().Visit(func(f *pflag.Flag) { words = append(words, "--"+f.Name+"="+f.Value.String()) })
		_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(append(words, args...), " "))
		return err
	}
	return cmd
}

// archive is the flags that name an archive and its compression.
type archive struct {
	file        string
	compression string
}

func (a *archive) define(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.file, "file", "f", "-", "the archive; - is stdin or stdout")
	cmd.Flags().StringVar(&a.compression, "compression", "auto", "auto, none, zstd or gzip; reading finds it out by itself")
}

// read opens the archive and its compression.
func (a *archive) read(cmd *cobra.Command) (plain io.ReadCloser, done func() error, err error) {
	in, done := cmd.InOrStdin(), func() error { return nil }
	if a.file != "-" {
		f, err := os.Open(a.file)
		if err != nil {
			return nil, nil, err
		}
		in, done = f, f.Close
	}
	plain, _, err = layer.Decompress(in)
	return plain, done, err
}

// as is the compression to write; auto writes none.
func (a *archive) as() (layer.Compression, error) {
	switch c := layer.Compression(strings.ToLower(a.compression)); c {
	case "auto":
		return layer.None, nil
	case layer.None, layer.Gzip, layer.Zstd:
		return c, nil
	}
	return "", fmt.Errorf("--compression %s: auto, none, zstd or gzip", a.compression)
}
