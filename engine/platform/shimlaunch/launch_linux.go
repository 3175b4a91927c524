package shimlaunch

import (
	"os"
	"path/filepath"

	"github.com/xcengine/xc/engine/platform/initproc"
	"github.com/xcengine/xc/engine/platform/linux/oci/launch"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim"
)

// New returns the launcher of processes in OCI containers.
func New(r *reaper.Reaper) shim.Launcher { return launch.New(r) }

// Other is what the shim's program does beside being a shim. When args, the whole command line, ask for that, it does not
// return. Here it is a container's first process, under the name of docker-init.
func Other(args []string) {
	if len(args) > 0 && filepath.Base(args[0]) == initproc.Name {
		os.Exit(initproc.Main(args[1:], os.Stdout, os.Stderr))
	}
}
