package shimlaunch

import (
	"github.com/xcengine/xc/engine/platform/freebsd/ifconfig"
	"github.com/xcengine/xc/engine/platform/freebsd/jail/launch"
	"github.com/xcengine/xc/engine/platform/reaper"
	"github.com/xcengine/xc/engine/shim"
)

// New returns the launcher of processes in jails.
func New(r *reaper.Reaper) shim.Launcher { return launch.New(r) }

// Other is what the shim's program does beside being a shim. When args, the whole command line, ask for that, it does not
// return. Here it is the second stage of a process in a jail, or the helper that opens a jail's network stack for the daemon.
func Other(args []string) {
	launch.Stage(args)
	ifconfig.Stage(args)
}
