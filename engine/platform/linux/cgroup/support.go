package cgroup

import (
	"os"
	"path/filepath"
)

// Support says which limits the host's hierarchies can hold.
type Support struct {
	Memory, Swap, Reservation, Swappiness, OOMKillDisable   bool
	CPUShares, CPUQuota, CPURealtime, CPUSet, Pids, Freezer bool
	BlkioWeight, BlkioWeightDevice                          bool
	ReadBps, WriteBps, ReadIOps, WriteIOps                  bool
	CPUs, Mems                                              string // that a cpuset may name, as the kernel lists them
}

// Support looks at which files the hierarchies have. own is the group this process is in, in version 2, as the root group
// there has no limits of its own.
func (h Hierarchies) Support(own string) Support {
	if h.Unified() {
		return h.supportV2(own)
	}
	has := func(controller, file string) bool {
		point, ok := h.V1[controller]
		if !ok {
			return false
		}
		_, err := os.Stat(filepath.Join(point, file))
		return err == nil
	}
	s := Support{
		Memory:            has("memory", "memory.limit_in_bytes"),
		Swap:              has("memory", "memory.memsw.limit_in_bytes"),
		Reservation:       has("memory", "memory.soft_limit_in_bytes"),
		Swappiness:        has("memory", "memory.swappiness"),
		OOMKillDisable:    has("memory", "memory.oom_control"),
		CPUShares:         has("cpu", "cpu.shares"),
		CPUQuota:          has("cpu", "cpu.cfs_quota_us"),
		CPURealtime:       has("cpu", "cpu.rt_runtime_us"),
		CPUSet:            has("cpuset", "cpuset.cpus"),
		Pids:              has("pids", "cgroup.procs"), // pids.max is not in the root group
		Freezer:           has("freezer", "cgroup.procs"),
		BlkioWeight:       has("blkio", "blkio.weight") || has("blkio", "blkio.bfq.weight"),
		BlkioWeightDevice: has("blkio", "blkio.weight_device") || has("blkio", "blkio.bfq.weight_device"),
		ReadBps:           has("blkio", "blkio.throttle.read_bps_device"),
		WriteBps:          has("blkio", "blkio.throttle.write_bps_device"),
		ReadIOps:          has("blkio", "blkio.throttle.read_iops_device"),
		WriteIOps:         has("blkio", "blkio.throttle.write_iops_device"),
	}
	if s.CPUSet {
		s.CPUs, _ = readWord(h.V1["cpuset"], "cpuset.cpus")
		s.Mems, _ = readWord(h.V1["cpuset"], "cpuset.mems")
	}
	return s
}

func (h Hierarchies) supportV2(own string) Support {
	has := map[string]bool{}
	for _, c := range h.V2Controllers {
		has[c] = true
	}
	s := Support{
		Memory: has["memory"], Reservation: has["memory"], CPUShares: has["cpu"], CPUQuota: has["cpu"], CPUSet: has["cpuset"],
		Pids: has["pids"], Freezer: true, BlkioWeight: has["io"], BlkioWeightDevice: has["io"],
		ReadBps: has["io"], WriteBps: has["io"], ReadIOps: has["io"], WriteIOps: has["io"],
	}
	s.Swap = has["memory"]
	if dir := filepath.Join(h.V2, own); s.Swap && filepath.Clean(own) != "/" {
		_, err := os.Stat(filepath.Join(dir, "memory.swap.max"))
		s.Swap = err == nil
	}
	if s.CPUSet {
		s.CPUs, _ = readWord(h.V2, "cpuset.cpus.effective")
		s.Mems, _ = readWord(h.V2, "cpuset.mems.effective")
	}
	return s
}
