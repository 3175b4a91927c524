package reaper

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RTMin and RTMax are the real-time signals' range as the C library counts it.
const (
	RTMin = 34
	RTMax = 64
)

func acquire() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// siginfo is the head of siginfo_t, which differs in the padding before the union on 32 bits.
type siginfo struct {
	_     [3]int32
	union struct {
		_   [0]uintptr
		pid int32
	}
}

func waitid(idType, id, options int) (int, error) {
	var info unix.Siginfo
	if err := unix.Waitid(idType, id, &info, options, nil); err != nil {
		return 0, err
	}
	return int((*siginfo)(unsafe.Pointer(&info)).union.pid), nil
}

// peek waits until a child has ended and leaves it to be reaped.
func peek() (int, error) { return waitid(unix.P_ALL, 0, unix.WEXITED|unix.WNOWAIT) }

func isChild(pid int) bool {
	_, err := waitid(unix.P_PID, pid, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG)
	return err == nil
}

// orphans lists the children that are not known, and reports whether there are any. Children are listed by the thread that
// has them.
func orphans(_ int, known map[int]bool) (pids []int, left bool, err error) {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil, false, err
	}
	for _, name := range lists {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread is gone, its children are another thread's
		}
		for word := range bytes.FieldsSeq(b) {
			if pid, err := strconv.Atoi(string(word)); err == nil && !known[pid] {
				pids = append(pids, pid)
			}
		}
	}
	return pids, len(pids) > 0, nil
}
