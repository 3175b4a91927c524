package oci

import (
	"log/slog"

	"github.com/xcengine/xc/engine"
)

// Config says how a Runtime works.
type Config struct {
	// Runtime is the name or path of the OCI runtime to use; empty tries crun, then runc.
	Runtime string
	// StateDir is the daemon's state directory.
	StateDir string
	// Owner is the daemon's mark; containers' control groups are below "/xc-<owner>".
	Owner engine.Owner
	// InitPath is a static program that is docker-init when it is run under that name (package initproc); it must answer
	// "--version". It is bind-mounted into containers with --init, and run by the trial.
	InitPath string
	Log      *slog.Logger
}
