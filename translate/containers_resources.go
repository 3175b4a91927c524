package translate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"

	"github.com/xcengine/xc/engine"
)

const (
	minMemory      = 6 << 20  // dockerd's
	defaultShmSize = 64 << 20 // dockerd's
)

// checkResources refuses bounds that contradict each other or mean nothing, in dockerd's words. What the host lacks is the
// platform's to tell.
func checkResources(r container.Resources, host Host, update bool) error {
	swappiness := unset(r.MemorySwappiness, -1)
	switch {
	case r.Memory != 0 && r.Memory < minMemory:
		return invalidf("Minimum memory limit allowed is 6MB")
	case r.Memory > 0 && r.MemorySwap > 0 && r.MemorySwap < r.Memory:
		return invalidf("Minimum memoryswap limit should be larger than memory limit, see usage")
	case r.Memory == 0 && r.MemorySwap > 0 && !update:
		return invalidf("You should always set the Memory limit when using Memoryswap limit, see usage")
	case r.MemorySwap < -1:
		return invalidf("Invalid value: %d, a memory swap limit is positive, or -1 for none", r.MemorySwap)
	case swappiness != nil && (*swappiness < 0 || *swappiness > 100):
		return invalidf("Invalid value: %d, valid memory swappiness range is 0-100", *swappiness)
	case r.MemoryReservation != 0 && r.MemoryReservation < minMemory:
		return invalidf("Minimum memory reservation allowed is 6MB")
	case r.Memory > 0 && r.MemoryReservation > 0 && r.Memory < r.MemoryReservation:
		return invalidf("Minimum memory limit can not be less than memory reservation limit, see usage")
	case r.KernelMemory > 0 && r.KernelMemory < minMemory:
		return invalidf("Minimum kernel memory limit allowed is 6MB")
	case r.BlkioWeight > 0 && (r.BlkioWeight < 10 || r.BlkioWeight > 1000):
		return invalidf("Range of blkio weight is from 10 to 1000")
	}
	return checkCPU(r, host)
}

func checkCPU(r container.Resources, host Host) error {
	switch {
	case r.NanoCPUs > 0 && r.CPUPeriod > 0:
		return invalidf("Conflicting options: Nano CPUs and CPU Period cannot both be set")
	case r.NanoCPUs > 0 && r.CPUQuota > 0:
		return invalidf("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
	case r.NanoCPUs < 0 || host.NCPU > 0 && r.NanoCPUs > int64(host.NCPU)*1e9:
		return invalidf("range of CPUs is from 0.01 to %[1]d.00, as there are only %[1]d CPUs available", host.NCPU)
	case r.CPUShares < 0:
		return invalidf("invalid CPU shares (%d): value must be a positive integer", r.CPUShares)
	case r.CPUPeriod != 0 && (r.CPUPeriod < 1000 || r.CPUPeriod > 1000000):
		return invalidf("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
	case r.CPUQuota > 0 && r.CPUQuota < 1000:
		return invalidf("CPU cfs quota can not be less than 1ms (i.e. 1000)")
	case r.CPURealtimePeriod != 0 && r.CPURealtimeRuntime > r.CPURealtimePeriod:
		return invalidf("cpu real-time runtime cannot be higher than cpu real-time period")
	}
	last, ok := parseSet(r.CpusetCpus)
	if !ok {
		return invalidf("Invalid value %[1]s for cpuset cpus: invalid format: %[1]s", r.CpusetCpus)
	}
	if host.NCPU > 0 && last >= host.NCPU {
		return invalidf("Requested CPUs are not available - requested %s, available: 0-%d", r.CpusetCpus, host.NCPU-1)
	}
	if _, ok := parseSet(r.CpusetMems); !ok {
		return invalidf("Invalid value %[1]s for cpuset mems: invalid format: %[1]s", r.CpusetMems)
	}
	return nil
}

// parseSet checks a list such as "0-2,4" and returns its largest number, -1 of the empty one.
func parseSet(s string) (last int, ok bool) {
	last = -1
	if s == "" {
		return last, true
	}
	for part := range strings.SplitSeq(s, ",") {
		first, end, isRange := strings.Cut(part, "-")
		if !isRange {
			end = first
		}
		a, err1 := strconv.ParseUint(first, 10, 16)
		b, err2 := strconv.ParseUint(end, 10, 16)
		if err1 != nil || err2 != nil || a > b {
			return 0, false
		}
		last = max(last, int(b))
	}
	return last, true
}

// unset returns nil for a value that clients send to say that there is none.
func unset(p *int64, none int64) *int64 {
	if p == nil || *p == none {
		return nil
	}
	return p
}

// ulimitNames are those of Linux and FreeBSD; the platform refuses what it lacks.
var ulimitNames = strings.Fields(`as core cpu data fsize kqueues locks memlock msgqueue nice nofile nproc npts rss rtprio rttime
	sbsize sigpending stack swap umtxp vmem`)

func ulimits(list []*container.Ulimit) ([]engine.Ulimit, error) {
	if list == nil {
		return nil, nil
	}
	out := []engine.Ulimit{}
	for _, u := range list {
		switch {
		case u == nil:
			continue
		case !slices.Contains(ulimitNames, u.Name):
			return nil, invalidf("invalid ulimit type: %s", u.Name)
		case u.Hard != -1 && u.Soft == -1:
			return nil, invalidf("ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: %d", u.Hard)
		case u.Hard != -1 && u.Soft > u.Hard:
			return nil, invalidf("ulimit soft limit must be less than or equal to hard limit: %d > %d", u.Soft, u.Hard)
		}
		out = append(out, engine.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	return out, nil
}

// resources reads bounds that were checked.
func resources(h *container.HostConfig) (engine.Resources, error) {
	r := h.Resources
	limits, err := ulimits(r.Ulimits)
	if err != nil {
		return engine.Resources{}, err
	}
	out := engine.Resources{
		Memory: r.Memory, MemorySwap: r.MemorySwap, MemoryReservation: r.MemoryReservation, KernelMemory: r.KernelMemory,
		Swappiness: unset(r.MemorySwappiness, -1), OOMKillDisable: r.OomKillDisable, OOMScoreAdj: h.OomScoreAdj,
		NanoCPUs: r.NanoCPUs, CPUShares: r.CPUShares, CPUPeriod: r.CPUPeriod, CPUQuota: r.CPUQuota,
		CPURealtimePeriod: r.CPURealtimePeriod, CPURealtimeRuntime: r.CPURealtimeRuntime,
		CPUSetCPUs: r.CpusetCpus, CPUSetMems: r.CpusetMems, PidsLimit: r.PidsLimit, BlkioWeight: r.BlkioWeight,
		Ulimits: limits, ShmSize: h.ShmSize, CgroupParent: r.CgroupParent, DeviceCgroupRules: r.DeviceCgroupRules,
		ReadBps: throttles(r.BlkioDeviceReadBps), WriteBps: throttles(r.BlkioDeviceWriteBps),
		ReadIOps: throttles(r.BlkioDeviceReadIOps), WriteIOps: throttles(r.BlkioDeviceWriteIOps),
	}
	if out.Memory > 0 && out.MemorySwap == 0 {
		out.MemorySwap = 2 * out.Memory
	}
	if out.PidsLimit != nil && *out.PidsLimit <= 0 {
		out.PidsLimit = nil
	}
	for _, w := range r.BlkioWeightDevice {
		out.BlkioWeightDevice = append(out.BlkioWeightDevice, engine.WeightDevice{Path: w.Path, Weight: w.Weight})
	}
	if r.BlkioWeightDevice != nil && out.BlkioWeightDevice == nil {
		out.BlkioWeightDevice = []engine.WeightDevice{}
	}
	if r.Devices != nil {
		out.Devices = []engine.Device{}
	}
	for _, d := range r.Devices {
		out.Devices = append(out.Devices, engine.Device{HostPath: d.PathOnHost, Path: d.PathInContainer, Access: d.CgroupPermissions})
	}
	return out, nil
}

func throttles(list []*blkiodev.ThrottleDevice) []engine.ThrottleDevice {
	if list == nil {
		return nil
	}
	out := []engine.ThrottleDevice{}
	for _, d := range list {
		out = append(out, engine.ThrottleDevice{Path: d.Path, Rate: d.Rate})
	}
	return out
}

// dockerResources gives bounds back with dockerd's defaults filled in.
func dockerResources(r engine.Resources, host Host) container.Resources {
	out := container.Resources{
		CPUShares: r.CPUShares, Memory: r.Memory, NanoCPUs: r.NanoCPUs, CgroupParent: r.CgroupParent, BlkioWeight: r.BlkioWeight,
		BlkioDeviceReadBps: dockerThrottles(r.ReadBps), BlkioDeviceWriteBps: dockerThrottles(r.WriteBps),
		BlkioDeviceReadIOps: dockerThrottles(r.ReadIOps), BlkioDeviceWriteIOps: dockerThrottles(r.WriteIOps),
		CPUPeriod: r.CPUPeriod, CPUQuota: r.CPUQuota, CPURealtimePeriod: r.CPURealtimePeriod, CPURealtimeRuntime: r.CPURealtimeRuntime,
		CpusetCpus: r.CPUSetCPUs, CpusetMems: r.CPUSetMems, DeviceCgroupRules: r.DeviceCgroupRules, KernelMemory: r.KernelMemory,
		MemoryReservation: r.MemoryReservation, MemorySwap: r.MemorySwap, MemorySwappiness: r.Swappiness,
		OomKillDisable: r.OOMKillDisable, PidsLimit: r.PidsLimit,
	}
	if out.OomKillDisable == nil && host.CgroupVersion != "2" {
		no := false
		out.OomKillDisable = &no
	}
	if r.BlkioWeightDevice != nil {
		out.BlkioWeightDevice = []*blkiodev.WeightDevice{}
	}
	for _, w := range r.BlkioWeightDevice {
		out.BlkioWeightDevice = append(out.BlkioWeightDevice, &blkiodev.WeightDevice{Path: w.Path, Weight: w.Weight})
	}
	if r.Devices != nil {
		out.Devices = []container.DeviceMapping{}
	}
	for _, d := range r.Devices {
		out.Devices = append(out.Devices, container.DeviceMapping{PathOnHost: d.HostPath, PathInContainer: d.Path, CgroupPermissions: d.Access})
	}
	if r.Ulimits != nil {
		out.Ulimits = []*container.Ulimit{}
	}
	for _, u := range r.Ulimits {
		out.Ulimits = append(out.Ulimits, &units.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	return out
}

func dockerThrottles(list []engine.ThrottleDevice) []*blkiodev.ThrottleDevice {
	if list == nil {
		return nil
	}
	out := []*blkiodev.ThrottleDevice{}
	for _, d := range list {
		out = append(out, &blkiodev.ThrottleDevice{Path: d.Path, Rate: d.Rate})
	}
	return out
}

// Update reads an update request. Zero values stay as they are, as with dockerd.
func Update(body container.UpdateConfig, v Version, host Host) (engine.UpdateRequest, error) {
	apply(updateRules, v, &body)
	if err := checkResources(body.Resources, host, true); err != nil {
		return engine.UpdateRequest{}, err
	}
	if err := checkRestart(body.RestartPolicy); err != nil {
		return engine.UpdateRequest{}, err
	}
	r := body.Resources
	req := engine.UpdateRequest{Resources: engine.ResourceUpdate{
		Memory: given(r.Memory), MemorySwap: given(r.MemorySwap), MemoryReservation: given(r.MemoryReservation),
		KernelMemory: given(r.KernelMemory), NanoCPUs: given(r.NanoCPUs), CPUShares: given(r.CPUShares),
		CPUPeriod: given(r.CPUPeriod), CPUQuota: given(r.CPUQuota), CPURealtimePeriod: given(r.CPURealtimePeriod),
		CPURealtimeRuntime: given(r.CPURealtimeRuntime), CPUSetCPUs: given(r.CpusetCpus), CPUSetMems: given(r.CpusetMems),
		BlkioWeight: given(r.BlkioWeight), PidsLimit: r.PidsLimit,
	}}
	if p := req.Resources.PidsLimit; p != nil && *p < 0 {
		req.Resources.PidsLimit = new(int64)
	}
	if body.RestartPolicy.Name != "" {
		req.Restart = &engine.RestartPolicy{Name: engine.RestartMode(body.RestartPolicy.Name), MaxRetries: body.RestartPolicy.MaximumRetryCount}
	}
	return req, nil
}

// given returns nil for the zero value.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
