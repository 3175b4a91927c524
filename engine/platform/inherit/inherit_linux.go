package inherit

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stopRange needs Linux 5.11.
func stopRange() error { return unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }

// cancelSignal is the one by which the C library ends threads. GNU make, for one, leaves it ignored in what it starts.
const cancelSignal = 32

// resetSignals makes cancelSignal be ignored no more: the kernel's sigaction is all zeros then, as is its mask of 8 bytes.
func resetSignals() {
	var byDefault [4]uint64
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, cancelSignal, uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0) //nolint:errcheck // it has no way to fail
}
