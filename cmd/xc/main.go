// Xc is the native command of the container engine: for what Docker's has no word for.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/nativeapi/client"
	"github.com/xcengine/xc/engine/platform/doctor"
)

// version and commit are set by the build.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
)

const (
	defaultSocket = "/var/run/xc.sock"
	askTimeout    = 30 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is a wrong command line.
type usageError struct{ error }

// errReported is an error that was told already.
var errReported = errors.New("see above")

// run executes the command line and returns the exit code: 0, 2 for a wrong command line, 1 after any other error.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return 1
	}
	fmt.Fprintln(stderr, "xc:", err)
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}

func command() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use: "xc", Short: "Containers, for what Docker has no word for",
		Version: version, SilenceUsage: true, SilenceErrors: true,
	}
	cmd.SetVersionTemplate("xc {{.Version}} (" + commit + ")\n")
	cmd.PersistentFlags().StringVarP(&socket, "socket-path", "s", defaultSocket, "socket of the daemon")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	host := doctor.Host(sockets{})
	cmd.AddCommand(
		versionCommand(&socket), infoCommand(&socket), networkCommand(&socket), doctorCommand(host), setupCommand(host, doctor.NewApplier(sockets{})),
	)
	return cmd
}

func versionCommand(socket *string) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the versions of this program and of the daemon", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(cmd.OutOrStdout(), "xc   %s (%s)\n", version, commit)
			ctx, cancel := context.WithTimeout(cmd.Context(), askTimeout)
			defer cancel()
			v, err := client.New(*socket).Version(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "xcd  %s (%s), API %s, %s\n", v.Version, v.Commit, v.API, v.Platform)
			return nil
		},
	}
}

func infoCommand(socket *string) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "info", Short: "Show how the daemon and its host are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"text", "json"}, format) {
				return fmt.Errorf("-o %s: text or json", format)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), askTimeout)
			defer cancel()
			i, err := client.New(*socket).Info(ctx)
			if err != nil {
				return err
			}
			if format == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(i)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, row := range [][2]any{
				{"version", i.Version},
				{"state directory", i.StateDir},
				{"storage driver", i.StorageDriver},
				{"runtime", i.Runtime},
				{"system", i.OSType + "/" + i.Architecture + ", kernel " + i.Kernel},
				{"firewall", i.Firewall},
				{"containers", fmt.Sprintf("%d running, %d paused, %d stopped", i.Containers["running"], i.Containers["paused"], i.Containers["stopped"])},
				{"images", i.Images},
			} {
				fmt.Fprintf(w, "%v\t%v\n", row[0], row[1])
			}
			for _, warning := range i.Warnings {
				fmt.Fprintf(w, "warning\t%s\n", warning)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return cmd
}
