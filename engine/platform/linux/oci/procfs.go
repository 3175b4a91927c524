package oci

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// nanosPerTick is a USER_HZ tick, the unit of /proc/stat and /proc/<pid>/stat.
const (
	ticksPerSecond = 100
	nanosPerTick   = 1e9 / ticksPerSecond
)

// systemCPU sums the first seven columns of /proc/stat's "cpu" line, in nanoseconds, as dockerd does, and counts the
// processors that are online.
func systemCPU(text string) (total uint64, online int, err error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || !strings.HasPrefix(fields[0], "cpu"):
			return total, online, nil
		case fields[0] != "cpu":
			online++
			continue
		case len(fields) < 8:
			return 0, 0, fmt.Errorf("malformed line in /proc/stat: %q", line)
		}
		for _, f := range fields[1:8] {
			ticks, err := strconv.ParseUint(f, 10, 64)
			if err != nil {
				return 0, 0, fmt.Errorf("malformed line in /proc/stat: %w", err)
			}
			total += ticks * nanosPerTick
		}
	}
	return total, online, nil
}

// interfaces decodes /proc/<pid>/net/dev without the loopback.
func interfaces(text string) map[string]engine.InterfaceStats {
	all := map[string]engine.InterfaceStats{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		fields := strings.Fields(rest)
		if !ok || name == "lo" || len(fields) < 12 {
			continue
		}
		var n [12]uint64
		for i := range n {
			n[i], _ = strconv.ParseUint(fields[i], 10, 64)
		}
		all[name] = engine.InterfaceStats{
			RxBytes: n[0], RxPackets: n[1], RxErrors: n[2], RxDropped: n[3],
			TxBytes: n[8], TxPackets: n[9], TxErrors: n[10], TxDropped: n[11],
		}
	}
	return all
}
