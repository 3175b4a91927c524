// Xc is the native command of the container engine: what Docker's has a word for, and what it has none for. One file holds one
// command; command.go lists them, app.go has what they share, output.go how they print.
package main

import (
	"context"
	"os"
)

// version and commit are set by the build.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
)

func main() {
	var s signals
	ctx, stop := s.watch(context.Background())
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	a.signals = s.give
	code := run(ctx, a, os.Args[1:])
	stop()
	os.Exit(code)
}
