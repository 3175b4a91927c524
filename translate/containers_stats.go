package translate

import (
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/xcengine/xc/engine"
)

// Stats renders a sample beside the one before it, which is the zero Stats at first. A zero sample, of a container that does
// not run, has its name and id alone.
func Stats(c engine.Container, s, before engine.Stats) container.StatsResponse {
	out := container.StatsResponse{
		Name: "/" + c.Name, ID: string(c.ID), Read: utc(s.Read), PreRead: utc(before.Read),
		CPUStats: cpuStats(s.CPU), PreCPUStats: cpuStats(before.CPU),
		MemoryStats: container.MemoryStats{
			Usage: s.Memory.Usage, MaxUsage: s.Memory.MaxUsage, Limit: s.Memory.Limit, Failcnt: s.Memory.Failures, Stats: s.Memory.Detail,
		},
		PidsStats: container.PidsStats{Current: s.Pids.Current, Limit: s.Pids.Limit},
	}
	if s.Read.IsZero() {
		return out
	}
	none := []container.BlkioStatEntry{}
	out.BlkioStats = container.BlkioStats{
		IoServiceBytesRecursive: none, IoServicedRecursive: none, IoQueuedRecursive: none, IoServiceTimeRecursive: none,
		IoWaitTimeRecursive: none, IoMergedRecursive: none, IoTimeRecursive: none, SectorsRecursive: none,
	}
	for _, b := range s.Blkio {
		out.BlkioStats.IoServiceBytesRecursive = append(out.BlkioStats.IoServiceBytesRecursive,
			container.BlkioStatEntry{Major: b.Major, Minor: b.Minor, Op: b.Op, Value: b.Bytes})
	}
	if len(s.Networks) > 0 {
		out.Networks = map[string]container.NetworkStats{}
	}
	for name, n := range s.Networks {
		out.Networks[name] = container.NetworkStats{
			RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors, RxDropped: n.RxDropped,
			TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped,
		}
	}
	return out
}

func utc(t time.Time) time.Time { return t.UTC() }

func cpuStats(c engine.CPUStats) container.CPUStats {
	return container.CPUStats{
		CPUUsage: container.CPUUsage{
			TotalUsage: c.Total, PercpuUsage: c.PerCPU, UsageInKernelmode: c.Kernel, UsageInUsermode: c.User,
		},
		SystemUsage: c.System, OnlineCPUs: uint32(c.Online),
		ThrottlingData: container.ThrottlingData{Periods: c.Periods, ThrottledPeriods: c.ThrottledPeriods, ThrottledTime: c.ThrottledTime},
	}
}

// CheckStats refuses what cannot be asked for together.
func CheckStats(stream, oneShot bool) error {
	if stream && oneShot {
		return invalidf("cannot have stream=true and one-shot=true")
	}
	return nil
}

// PSArgs splits the arguments of top; nil leaves them to the engine.
func PSArgs(s string) []string { return strings.Fields(s) }

// Processes renders the answer to top.
func Processes(t engine.ProcessTable) container.TopResponse {
	return container.TopResponse{Titles: t.Titles, Processes: t.Rows}
}

// Changes renders what differs from the image; nil when nothing does.
func Changes(list []engine.Change) []container.FilesystemChange {
	var out []container.FilesystemChange
	for _, c := range list {
		out = append(out, container.FilesystemChange{Kind: container.ChangeType(c.Kind), Path: c.Path})
	}
	return out
}

// Waited answers a wait.
func Waited(r engine.WaitResult) container.WaitResponse {
	out := container.WaitResponse{StatusCode: int64(r.ExitCode)}
	if r.Err != "" {
		out.Error = &container.WaitExitError{Message: r.Err}
	}
	return out
}

// Condition reads what a wait waits for; "" is not-running.
func Condition(s string, v Version) (engine.WaitCondition, error) {
	if !WaitHeaders(v) || s == "" {
		return engine.WaitNotRunning, nil
	}
	switch c := engine.WaitCondition(s); c {
	case engine.WaitNotRunning, engine.WaitNextExit, engine.WaitRemoved:
		return c, nil
	}
	return "", invalidf("invalid condition: %q", s)
}

// Size reads rows and columns of a terminal.
func Size(rows, cols string) (r, c uint16, err error) {
	if r, err = dimension("height", rows); err != nil {
		return 0, 0, err
	}
	c, err = dimension("width", cols)
	return r, c, err
}
