package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Hierarchy names one hierarchy and says where it is mounted. Name is as in /proc/<pid>/cgroup: a version 1 controller, or
// empty for version 2.
type Hierarchy struct{ Name, Point string }

// Any returns a hierarchy for Warm.
func (h Hierarchies) Any() Hierarchy {
	for _, name := range []string{"freezer", "pids", "devices", "memory", "cpu"} {
		if point, ok := h.V1[name]; ok {
			return Hierarchy{name, point}
		}
	}
	return Hierarchy{"", h.V2}
}

// Warm prepares the kernel for a process's being moved into another group: the first mover in a while waits for an RCU grace
// period, 5 to 10 ms, under a lock that all hierarchies share; those that come soon after do not. It writes this process
// into the group in which it is already, so it moves nothing. It is of use beside a program that is about to move a process.
func (h Hierarchy) Warm() error {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	path, ok := groupIn(string(text), h.Name)
	if !ok {
		return fmt.Errorf("this process is in no group of hierarchy %q", h.Name)
	}
	return os.WriteFile(filepath.Join(h.Point, path, "cgroup.procs"), fmt.Append(nil, os.Getpid()), 0)
}

// groupIn finds a process's group in a hierarchy in the format of /proc/<pid>/cgroup, "4:cpu,cpuacct:/path".
func groupIn(text, name string) (path string, ok bool) {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		for n := range strings.SplitSeq(fields[1], ",") {
			if n == name {
				return fields[2], true
			}
		}
	}
	return "", false
}

// OwnUnified is the version 2 group that this process is in, "/" where there is none.
func OwnUnified() (string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	if path, ok := groupIn(string(text), ""); ok {
		return path, nil
	}
	return "/", nil
}
