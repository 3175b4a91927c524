package shimlaunch

import (
	"context"
	"errors"
	"io"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim"
)

// New returns a launcher that refuses to start anything: processes in jails are not supported yet.
func New(*reaper.Reaper) shim.Launcher { return refusing{} }

type refusing struct{}

// Platform implements shim.Launcher.
func (refusing) Platform() string { return "jail" }

// Start implements shim.Launcher.
func (refusing) Start(context.Context, engine.ExecID, engine.Launch, shim.Stdio) (shim.Started, error) {
	return shim.Started{}, &engine.Error{Op: "start", Kind: engine.NotImplemented, Resource: engine.ResourceContainer, Err: errors.New("processes in jails are not supported yet")}
}

// Kill implements shim.Launcher.
func (refusing) Kill(context.Context) error { return nil }

// Role returns what the program is under another name; there is none here.
func Role(string) func(args []string, stdout, stderr io.Writer) int { return nil }
