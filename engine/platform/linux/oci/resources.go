package oci

import (
	"math"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

// nanoPeriod is the period in microseconds over which --cpus is counted, as in dockerd.
const nanoPeriod = 100_000

// bound is a limit that a host may be unable to hold.
type bound struct {
	wanted    func(engine.Resources) bool
	supported func(cgroup.Support) bool
	drop      func(*engine.Resources)
	warning   string // dockerd's words (verifyPlatformContainerResources in moby's daemon_unix.go)
}

// bounds are looked at in order: the memory limit decides whether a swap limit is wanted.
var bounds = []bound{
	{
		func(r engine.Resources) bool { return r.Memory > 0 }, func(s cgroup.Support) bool { return s.Memory },
		func(r *engine.Resources) { r.Memory, r.MemorySwap = 0, -1 },
		"Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
	},
	{
		func(r engine.Resources) bool { return r.Memory > 0 && r.MemorySwap != -1 }, func(s cgroup.Support) bool { return s.Swap },
		func(r *engine.Resources) { r.MemorySwap = -1 },
		"Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.",
	},
	{
		func(r engine.Resources) bool { return r.Swappiness != nil }, func(s cgroup.Support) bool { return s.Swappiness },
		func(r *engine.Resources) { r.Swappiness = nil },
		"Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.",
	},
	{
		func(r engine.Resources) bool { return r.MemoryReservation > 0 }, func(s cgroup.Support) bool { return s.Reservation },
		func(r *engine.Resources) { r.MemoryReservation = 0 },
		"Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.",
	},
	{
		func(r engine.Resources) bool { return r.KernelMemory > 0 }, func(cgroup.Support) bool { return false },
		func(r *engine.Resources) { r.KernelMemory = 0 },
		"Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
	},
	{
		func(r engine.Resources) bool { return r.OOMKillDisable != nil && *r.OOMKillDisable }, func(s cgroup.Support) bool { return s.OOMKillDisable },
		func(r *engine.Resources) { r.OOMKillDisable = nil },
		"Your kernel does not support OomKillDisable. OomKillDisable discarded.",
	},
	{
		func(r engine.Resources) bool { return r.PidsLimit != nil && *r.PidsLimit > 0 }, func(s cgroup.Support) bool { return s.Pids },
		func(r *engine.Resources) { r.PidsLimit = nil },
		"Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.",
	},
	{
		func(r engine.Resources) bool { return r.CPUShares > 0 }, func(s cgroup.Support) bool { return s.CPUShares },
		func(r *engine.Resources) { r.CPUShares = 0 },
		"Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.",
	},
	{
		func(r engine.Resources) bool { return r.CPUPeriod != 0 || r.CPUQuota != 0 }, func(s cgroup.Support) bool { return s.CPUQuota },
		func(r *engine.Resources) { r.CPUPeriod, r.CPUQuota = 0, 0 },
		"Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
	},
	{
		func(r engine.Resources) bool { return r.CPUSetCPUs != "" || r.CPUSetMems != "" }, func(s cgroup.Support) bool { return s.CPUSet },
		func(r *engine.Resources) { r.CPUSetCPUs, r.CPUSetMems = "", "" },
		"Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.",
	},
	{
		func(r engine.Resources) bool { return r.BlkioWeight > 0 }, func(s cgroup.Support) bool { return s.BlkioWeight },
		func(r *engine.Resources) { r.BlkioWeight = 0 },
		"Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
	},
	{
		func(r engine.Resources) bool { return len(r.BlkioWeightDevice) > 0 }, func(s cgroup.Support) bool { return s.BlkioWeightDevice },
		func(r *engine.Resources) { r.BlkioWeightDevice = nil },
		"Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.",
	},
	{
		func(r engine.Resources) bool { return len(r.ReadBps) > 0 }, func(s cgroup.Support) bool { return s.ReadBps },
		func(r *engine.Resources) { r.ReadBps = nil },
		"Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded.",
	},
	{
		func(r engine.Resources) bool { return len(r.WriteBps) > 0 }, func(s cgroup.Support) bool { return s.WriteBps },
		func(r *engine.Resources) { r.WriteBps = nil },
		"Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. Block I/O BPS write limit discarded.",
	},
	{
		func(r engine.Resources) bool { return len(r.ReadIOps) > 0 }, func(s cgroup.Support) bool { return s.ReadIOps },
		func(r *engine.Resources) { r.ReadIOps = nil },
		"Your kernel does not support IOPS Block read limit or the cgroup is not mounted. Block I/O IOPS read limit discarded.",
	},
	{
		func(r engine.Resources) bool { return len(r.WriteIOps) > 0 }, func(s cgroup.Support) bool { return s.WriteIOps },
		func(r *engine.Resources) { r.WriteIOps = nil },
		"Your kernel does not support IOPS Block write limit or the cgroup is not mounted. Block I/O IOPS write limit discarded.",
	},
}

// honour takes out of r what the host cannot bound, and says so.
func honour(r engine.Resources, s cgroup.Support) (engine.Resources, []string) {
	var warnings []string
	if r.Swappiness != nil && *r.Swappiness == -1 { // the clients' word for "not set"
		r.Swappiness = nil
	}
	for _, b := range bounds {
		if b.wanted(r) && !b.supported(s) {
			b.drop(&r)
			warnings = append(warnings, b.warning)
		}
	}
	if !s.OOMKillDisable {
		r.OOMKillDisable = nil // a runtime would write "do not" into a file that is not there
	}
	if r.OOMKillDisable != nil && *r.OOMKillDisable && r.Memory == 0 {
		warnings = append(warnings, "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.")
	}
	return r, warnings
}

// deviceNumbers finds a block device's numbers by its path.
type deviceNumbers func(path string) (major, minor int64, err error)

// resources renders limits that the host can hold. Device rules are not among them, nor that there is none of a kind: crun 1.8
// writes -1 in a form that the kernel refuses.
func resources(r engine.Resources, numbers deviceNumbers) (*specs.LinuxResources, error) {
	res := &specs.LinuxResources{Memory: memoryLimits(r), CPU: cpuLimits(r)}
	if r.PidsLimit != nil && *r.PidsLimit > 0 {
		res.Pids = &specs.LinuxPids{Limit: r.PidsLimit}
	}
	var err error
	res.BlockIO, err = blockLimits(r, numbers)
	return res, err
}

func memoryLimits(r engine.Resources) *specs.LinuxMemory {
	m := specs.LinuxMemory{
		Limit: positive(r.Memory), Reservation: positive(r.MemoryReservation),
		DisableOOMKiller: r.OOMKillDisable,
	}
	switch {
	case r.MemorySwap > 0:
		m.Swap = &r.MemorySwap
	case r.MemorySwap == 0 && r.Memory > 0:
		twice := 2 * r.Memory // Docker's default
		if twice < 0 {
			twice = math.MaxInt64
		}
		m.Swap = &twice
	}
	if r.Swappiness != nil {
		n := uint64(*r.Swappiness)
		m.Swappiness = &n
	}
	if m == (specs.LinuxMemory{}) {
		return nil
	}
	return &m
}

func cpuLimits(r engine.Resources) *specs.LinuxCPU {
	c := specs.LinuxCPU{
		Shares: positiveU(r.CPUShares), Period: positiveU(r.CPUPeriod), RealtimePeriod: positiveU(r.CPURealtimePeriod),
		RealtimeRuntime: positive(r.CPURealtimeRuntime), Cpus: r.CPUSetCPUs, Mems: r.CPUSetMems,
	}
	if r.CPUQuota > 0 {
		c.Quota = &r.CPUQuota
	}
	if r.NanoCPUs > 0 {
		period, quota := uint64(nanoPeriod), r.NanoCPUs*nanoPeriod/1e9
		c.Period, c.Quota = &period, &quota
	}
	if c == (specs.LinuxCPU{}) {
		return nil
	}
	return &c
}

func blockLimits(r engine.Resources, numbers deviceNumbers) (*specs.LinuxBlockIO, error) {
	var b specs.LinuxBlockIO
	if r.BlkioWeight > 0 {
		b.Weight = &r.BlkioWeight
	}
	for _, d := range r.BlkioWeightDevice {
		major, minor, err := numbers(d.Path)
		if err != nil {
			return nil, err
		}
		w := specs.LinuxWeightDevice{Weight: &d.Weight}
		w.Major, w.Minor = major, minor
		b.WeightDevice = append(b.WeightDevice, w)
	}
	for _, t := range []struct {
		from []engine.ThrottleDevice
		to   *[]specs.LinuxThrottleDevice
	}{
		{r.ReadBps, &b.ThrottleReadBpsDevice},
		{r.WriteBps, &b.ThrottleWriteBpsDevice},
		{r.ReadIOps, &b.ThrottleReadIOPSDevice},
		{r.WriteIOps, &b.ThrottleWriteIOPSDevice},
	} {
		for _, d := range t.from {
			major, minor, err := numbers(d.Path)
			if err != nil {
				return nil, err
			}
			limit := specs.LinuxThrottleDevice{Rate: d.Rate}
			limit.Major, limit.Minor = major, minor
			*t.to = append(*t.to, limit)
		}
	}
	if b.Weight == nil && len(b.WeightDevice)+len(b.ThrottleReadBpsDevice)+len(b.ThrottleWriteBpsDevice)+len(b.ThrottleReadIOPSDevice)+len(b.ThrottleWriteIOPSDevice) == 0 {
		return nil, nil
	}
	return &b, nil
}

func positive(n int64) *int64 {
	if n <= 0 {
		return nil
	}
	return &n
}

func positiveU(n int64) *uint64 {
	if n <= 0 {
		return nil
	}
	u := uint64(n)
	return &u
}

// rlimits renders ulimits; -1 is no limit.
func rlimits(given []engine.Ulimit) []specs.POSIXRlimit {
	var limits []specs.POSIXRlimit
	for _, u := range given {
		limits = append(limits, specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: rlimit(u.Soft), Hard: rlimit(u.Hard)})
	}
	return limits
}

func rlimit(n int64) uint64 {
	if n < 0 {
		return math.MaxUint64
	}
	return uint64(n)
}
