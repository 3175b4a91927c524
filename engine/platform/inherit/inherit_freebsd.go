package inherit

import (
	"math"

	"golang.org/x/sys/unix"
)

// closeOnExec is CLOSE_RANGE_CLOEXEC of close_range(2), since FreeBSD 13.2.
const closeOnExec = 1 << 2

// most bounds the search on an older kernel, where nothing lists the descriptors either: /dev/fd needs fdescfs.
const most = 1024

func stopRange() error {
	if _, _, errno := unix.Syscall(unix.SYS_CLOSE_RANGE, first, math.MaxUint32, closeOnExec); errno == 0 {
		return nil
	}
	for fd := first; fd < most; fd++ {
		unix.CloseOnExec(fd) // EBADF is no matter
	}
	return nil
}

// resetSignals has nothing to do: there is no signal that Go leaves alone.
func resetSignals() {}
