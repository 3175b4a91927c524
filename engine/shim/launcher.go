package shim

import (
	"context"
	"net"
	"os"
	"syscall"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/shim/internal/proxy"
)

// Launcher starts processes in a sandbox on behalf of a shim. The platform's runtime on the daemon's side made the
// Launch that it gets. The shim process is a reaper: a process that Start returns is its child or becomes so.
//
// A launcher runs host programs through the *reaper.Reaper that its constructor gets, never through os/exec: the shim
// takes the end of every child, and os/exec would wait for one that was taken. It does not wait for the process that it
// returns either. The process may end at any time after Start began; the shim finds it all the same.
type Launcher interface {
	// Platform is the name that a Launch must carry.
	Platform() string
	// Start begins the process and returns once it executes the program, or why it does not, in the terms of
	// lifecycle.Shim.Run. exec is empty for the main process. stdio holds the process's descriptors without a
	// terminal; with one (l.TTY) it is empty and the terminal's master is returned.
	Start(ctx context.Context, exec engine.ExecID, l engine.Launch, stdio Stdio) (Started, error)
	// Kill ends everything in the sandbox; called when main has ended, before the shim waits for the output's end.
	Kill(ctx context.Context) error
}

// Dialer is a Launcher's optional ability: it connects to sockets of the host on behalf of who is in the sandbox. Without it
// none are forwarded.
type Dialer interface {
	// Dial connects to the stream socket at a path of the host, with the credentials of the process at the other end of client.
	Dial(ctx context.Context, client *net.UnixConn, path string) (*net.UnixConn, error)
}

// Listener is a Launcher's optional ability, where the system drops signals to a process that does not handle them. The
// shim uses it for a process that began a moment ago and may not have come to its handlers.
type Listener interface {
	// Deaf reports whether the system would drop a signal to the process now.
	Deaf(pid int, sig syscall.Signal) bool
}

func dialer(l Launcher) proxy.Dial {
	if d, ok := l.(Dialer); ok {
		return d.Dial
	}
	return nil
}

// Stdio are the ends that a process gets. The shim closes them after Start.
type Stdio struct {
	Stdin, Stdout, Stderr *os.File
}

// Started is a process that runs.
type Started struct {
	Pid    int
	Master *os.File // of its terminal; the shim closes it
}
