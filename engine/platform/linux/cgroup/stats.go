package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// nanosPerTick is a USER_HZ tick, the unit of cpuacct.stat: 100 a second on every architecture that Linux shows to user space.
const nanosPerTick = 1e9 / 100

// Stats measures the group. Read, CPU.System, CPU.Online and Networks are not the group's to know and stay empty; Limits
// that are not set are NoLimit.
func (g Group) Stats() engine.Stats {
	var s engine.Stats
	g.cpuUsage(&s.CPU)
	g.cpuThrottling(&s.CPU)
	g.memory(&s.Memory)
	if dir, _, ok := g.dir("pids"); ok {
		s.Pids = engine.PidsStats{Current: readUint(dir, "pids.current"), Limit: readUint(dir, "pids.max")}
	}
	s.Blkio = g.blkio()
	return s
}

func (g Group) cpuUsage(c *engine.CPUStats) {
	if point, ok := g.h.V1["cpuacct"]; ok {
		dir := filepath.Join(point, g.path)
		c.Total = readUint(dir, "cpuacct.usage")
		ticks, _ := readPairs(dir, "cpuacct.stat")
		c.User, c.Kernel = ticks["user"]*nanosPerTick, ticks["system"]*nanosPerTick
		perCPU, _ := readWord(dir, "cpuacct.usage_percpu")
		for word := range strings.FieldsSeq(perCPU) {
			c.PerCPU = append(c.PerCPU, parseUint(word))
		}
		return
	}
	if g.h.V2 == "" {
		return
	}
	// Usage stands in every version 2 group, with or without the controller.
	stat, _ := readPairs(filepath.Join(g.h.V2, g.path), "cpu.stat")
	c.Total, c.User, c.Kernel = stat["usage_usec"]*1000, stat["user_usec"]*1000, stat["system_usec"]*1000
}

func (g Group) cpuThrottling(c *engine.CPUStats) {
	dir, v2, ok := g.dir("cpu")
	if !ok {
		return
	}
	stat, _ := readPairs(dir, "cpu.stat")
	c.Periods, c.ThrottledPeriods, c.ThrottledTime = stat["nr_periods"], stat["nr_throttled"], stat["throttled_time"]
	if v2 {
		c.ThrottledTime = stat["throttled_usec"] * 1000
	}
}

func (g Group) memory(m *engine.MemoryStats) {
	dir, v2, ok := g.dir("memory")
	if !ok {
		return
	}
	m.Detail, _ = readPairs(dir, "memory.stat")
	if v2 {
		m.Usage, m.Limit, m.MaxUsage = readUint(dir, "memory.current"), readUint(dir, "memory.max"), readUint(dir, "memory.peak")
		events, _ := readPairs(dir, "memory.events")
		m.Failures = events["oom"]
		return
	}
	m.Usage, m.MaxUsage = readUint(dir, "memory.usage_in_bytes"), readUint(dir, "memory.max_usage_in_bytes")
	m.Limit, m.Failures = readUint(dir, "memory.limit_in_bytes"), readUint(dir, "memory.failcnt")
}

func (g Group) blkio() []engine.BlkioStat {
	dir, v2, ok := g.dir("blkio")
	if ok && !v2 {
		for _, file := range []string{"blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"} {
			b, _ := os.ReadFile(filepath.Join(dir, file))
			if stats := parseBlkio(string(b)); len(stats) > 0 {
				return stats
			}
		}
		return nil
	}
	if dir, _, ok = g.dir("io"); ok {
		b, _ := os.ReadFile(filepath.Join(dir, "io.stat"))
		return parseIO(string(b))
	}
	return nil
}

// parseBlkio reads version 1 lines "8:0 Read 1024"; of the operations it keeps Read and Write.
func parseBlkio(text string) []engine.BlkioStat {
	var stats []engine.BlkioStat
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != "Read" && f[1] != "Write" {
			continue
		}
		if major, minor, ok := parseDevice(f[0]); ok {
			stats = append(stats, engine.BlkioStat{Major: major, Minor: minor, Op: strings.ToLower(f[1]), Bytes: parseUint(f[2])})
		}
	}
	return stats
}

// parseIO reads version 2 lines "8:0 rbytes=1024 wbytes=0 rios=…".
func parseIO(text string) []engine.BlkioStat {
	var stats []engine.BlkioStat
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		major, minor, ok := parseDevice(f[0])
		if !ok {
			continue
		}
		for _, pair := range f[1:] {
			key, value, _ := strings.Cut(pair, "=")
			if op, ok := map[string]string{"rbytes": "read", "wbytes": "write"}[key]; ok {
				stats = append(stats, engine.BlkioStat{Major: major, Minor: minor, Op: op, Bytes: parseUint(value)})
			}
		}
	}
	return stats
}

func parseDevice(word string) (major, minor uint64, ok bool) {
	a, b, found := strings.Cut(word, ":")
	major, err := strconv.ParseUint(a, 10, 32)
	minor, err2 := strconv.ParseUint(b, 10, 32)
	return major, minor, found && err == nil && err2 == nil
}

// OOMKills counts the processes that the kernel killed because the group's memory limit was reached.
func (g Group) OOMKills() uint64 {
	dir, v2, ok := g.dir("memory")
	if !ok {
		return 0
	}
	file := "memory.oom_control"
	if v2 {
		file = "memory.events"
	}
	pairs, _ := readPairs(dir, file)
	return pairs["oom_kill"]
}
