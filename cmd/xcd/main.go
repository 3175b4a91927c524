// Xcd is the container daemon: it serves the Docker Engine API and xc's own on unix sockets and runs containers. See
// "xcd --help".
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version and commit are set by the build.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
)

func main() {
	// Whoever reads the log may go first, as daemon(8) does when it is told to end: a write to it then fails, and ends nothing.
	// SIGPIPE is taken and not ignored, which programs that are started would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes the command line and returns the exit code: 0 after an orderly end, 2 for a wrong command line, 1 else.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "xcd:", err)
	if isUsage(err) {
		return 2
	}
	return 1
}
