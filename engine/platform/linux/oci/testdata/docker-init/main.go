// Docker-init is the init program of the tests' containers, as cmd/xc-shim is that of others.
package main

import (
	"os"

	"github.com/xcengine/xc/engine/platform/initproc"
)

func main() { os.Exit(initproc.Main(os.Args[1:], os.Stdout, os.Stderr)) }
