// Package inherit keeps what a process was started with, open descriptors and ignored signals, from going on to the programs
// that it starts.
package inherit

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// first is the lowest descriptor that is not a standard one.
const first = 3

// Stop makes all open descriptors but the standard ones close on exec, and gives those signals their default action that Go
// leaves alone; all others have it in programs that are started once somebody asked to be notified of them.
func Stop() error {
	resetSignals()
	if stopRange() == nil {
		return nil
	}
	names, err := os.ReadDir("/dev/fd")
	if err != nil {
		return err
	}
	for _, n := range names {
		if fd, err := strconv.Atoi(n.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
