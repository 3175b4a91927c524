// Package inherit keeps descriptors that a process was started with from going on to the programs that it starts.
package inherit

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// first is the lowest descriptor that is not a standard one.
const first = 3

// Stop makes all open descriptors but the standard ones close on exec.
func Stop() error {
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
