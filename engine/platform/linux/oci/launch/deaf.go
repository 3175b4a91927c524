package launch

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Deaf implements shim.Listener: the first process of a pid namespace gets no signal that it does not handle
// (pid_namespaces(7)). For any other, and where the system cannot say, it is false.
func (*Launcher) Deaf(pid int, sig syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && deaf(string(status), sig)
}

// deaf reads proc_pid_status(5). A signal that is blocked waits for its process; one that is ignored, or that would do nothing
// by default, nobody waits for.
func deaf(status string, sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCONT, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGWINCH:
		return false
	}
	first, heard := false, uint64(0)
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "NSpid":
			pids := strings.Fields(value)
			first = len(pids) > 1 && pids[len(pids)-1] == "1"
		case "SigBlk", "SigIgn", "SigCgt":
			mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return false
			}
			heard |= mask
		}
	}
	return first && sig > 0 && heard&(1<<(sig-1)) == 0
}
