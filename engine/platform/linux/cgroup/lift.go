package cgroup

import (
	"os"
	"path/filepath"
)

// LiftPids takes away the limit on the number of processes.
func (g Group) LiftPids() error { return g.lift("pids", "pids.max", "max", "pids.max") }

// LiftCPUQuota takes away the limit on processor time.
func (g Group) LiftCPUQuota() error { return g.lift("cpu", "cpu.cfs_quota_us", "-1", "cpu.max") }

func (g Group) lift(controller, fileV1, wordV1, fileV2 string) error {
	dir, v2, ok := g.dir(controller)
	file, word := fileV1, wordV1
	if v2 {
		file, word = fileV2, "max"
	}
	if !ok {
		return nil // what no controller limits has no limit
	}
	return ignoreGone(os.WriteFile(filepath.Join(dir, file), []byte(word), 0))
}
