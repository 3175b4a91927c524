package inherit

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ignored reports whether a program that is started now ignores cancelSignal.
func ignored(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("grep", "SigIgn", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	mask, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(string(out), "SigIgn:")), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return mask&(1<<(cancelSignal-1)) != 0
}

func TestStopResetsSignals(t *testing.T) {
	ignore := [4]uint64{1} // SIG_IGN
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, cancelSignal, uintptr(unsafe.Pointer(&ignore)), 0, 8, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	if !ignored(t) {
		t.Fatal("it is not ignored to begin with")
	}
	if err := Stop(); err != nil {
		t.Fatal(err)
	}
	if ignored(t) {
		t.Error("it is still ignored")
	}
}
