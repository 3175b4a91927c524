package shimlaunch

import (
	"io"
	"path/filepath"

	"github.com/xcengine/xc/engine/platform/linux/oci/initproc"
	"github.com/xcengine/xc/engine/platform/linux/oci/launch"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim"
)

// New returns the launcher of processes in OCI containers.
func New(r *reaper.Reaper) shim.Launcher { return launch.New(r) }

// Role returns what the program is under another name: docker-init, the first process of containers that asked for one.
func Role(argv0 string) func(args []string, stdout, stderr io.Writer) int {
	if filepath.Base(argv0) == initproc.Name {
		return initproc.Main
	}
	return nil
}
