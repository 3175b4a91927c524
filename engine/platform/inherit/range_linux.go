package inherit

import (
	"math"

	"golang.org/x/sys/unix"
)

// stopRange needs Linux 5.11.
func stopRange() error { return unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }
