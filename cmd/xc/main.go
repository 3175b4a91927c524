// Xc is the native command of the container engine: what Docker's has a word for, and what it has none for. One file holds one
// command; command.go lists them, app.go has what they share, output.go how they print.
package main

import (
	"context"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
