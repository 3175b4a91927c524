package cgroup

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestStatsV1(t *testing.T) {
	root := tree(t, map[string]string{
		"cpuacct/p/c/cpuacct.usage":                           "3000000000\n",
		"cpuacct/p/c/cpuacct.stat":                            "user 150\nsystem 20\n",
		"cpuacct/p/c/cpuacct.usage_percpu":                    "1000000000 2000000000 \n",
		"cpu/p/c/cpu.stat":                                    "nr_periods 7\nnr_throttled 3\nthrottled_time 99\n",
		"memory/p/c/memory.usage_in_bytes":                    "4096\n",
		"memory/p/c/memory.max_usage_in_bytes":                "8192\n",
		"memory/p/c/memory.limit_in_bytes":                    "9223372036854771712\n",
		"memory/p/c/memory.failcnt":                           "2\n",
		"memory/p/c/memory.stat":                              "cache 1\ntotal_inactive_file 5\n",
		"memory/p/c/memory.oom_control":                       "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
		"pids/p/c/pids.current":                               "2\n",
		"pids/p/c/pids.max":                                   "max\n",
		"blkio/p/c/blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\n8:0 Sync 5\n8:0 Total 35\nTotal 35\n",
		"blkio/p/c/blkio.bfq.io_service_bytes_recursive":      "Total 0\n",
	})
	g := v1(root, "cpu", "cpuacct", "memory", "pids", "blkio").Group("/p/c")
	want := engine.Stats{
		CPU: engine.CPUStats{
			Total: 3e9, User: 15e8, Kernel: 2e8, PerCPU: []uint64{1e9, 2e9}, Periods: 7, ThrottledPeriods: 3, ThrottledTime: 99,
		},
		Memory: engine.MemoryStats{
			Usage: 4096, MaxUsage: 8192, Limit: 9223372036854771712, Failures: 2,
			Detail: map[string]uint64{"cache": 1, "total_inactive_file": 5},
		},
		Pids:  engine.PidsStats{Current: 2, Limit: NoLimit},
		Blkio: []engine.BlkioStat{{Major: 8, Op: "read", Bytes: 10}, {Major: 8, Op: "write", Bytes: 20}},
	}
	if diff := cmp.Diff(want, g.Stats()); diff != "" {
		t.Error(diff)
	}
	if n := g.OOMKills(); n != 4 {
		t.Errorf("oom kills: %d", n)
	}
}

func TestStatsV2(t *testing.T) {
	root := tree(t, map[string]string{
		"p/c/cpu.stat":       "usage_usec 3000\nuser_usec 2000\nsystem_usec 1000\nnr_periods 7\nnr_throttled 3\nthrottled_usec 9\n",
		"p/c/memory.current": "4096\n",
		"p/c/memory.max":     "max\n",
		"p/c/memory.peak":    "8192\n",
		"p/c/memory.stat":    "anon 1\ninactive_file 5\n",
		"p/c/memory.events":  "low 0\noom 2\noom_kill 1\n",
		"p/c/pids.current":   "2\n",
		"p/c/pids.max":       "100\n",
		"p/c/io.stat":        "254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n",
	})
	g := Hierarchies{V2: root, V2Controllers: []string{"cpu", "memory", "pids", "io"}}.Group("/p/c")
	want := engine.Stats{
		CPU:    engine.CPUStats{Total: 3e6, User: 2e6, Kernel: 1e6, Periods: 7, ThrottledPeriods: 3, ThrottledTime: 9000},
		Memory: engine.MemoryStats{Usage: 4096, MaxUsage: 8192, Limit: NoLimit, Failures: 2, Detail: map[string]uint64{"anon": 1, "inactive_file": 5}},
		Pids:   engine.PidsStats{Current: 2, Limit: 100},
		Blkio:  []engine.BlkioStat{{Major: 254, Op: "read", Bytes: 10}, {Major: 254, Op: "write", Bytes: 20}},
	}
	if diff := cmp.Diff(want, g.Stats()); diff != "" {
		t.Error(diff)
	}
	if n := g.OOMKills(); n != 1 {
		t.Errorf("oom kills: %d", n)
	}
}

func TestStatsOfNothing(t *testing.T) {
	for _, h := range []Hierarchies{v1(t.TempDir(), "cpu", "cpuacct", "memory", "pids", "blkio"), {V2: t.TempDir(), V2Controllers: []string{"cpu"}}, {}} {
		if diff := cmp.Diff(engine.Stats{}, h.Group("/gone").Stats()); diff != "" {
			t.Errorf("a group that does not exist: %s", diff)
		}
	}
}

func TestSupport(t *testing.T) {
	root := tree(t, map[string]string{
		"memory/memory.limit_in_bytes": "", "memory/memory.soft_limit_in_bytes": "", "memory/memory.oom_control": "",
		"cpu/cpu.shares": "", "cpuset/cpuset.cpus": "0-3\n", "cpuset/cpuset.mems": "0\n", "freezer/cgroup.procs": "",
	})
	want := Support{Memory: true, Reservation: true, OOMKillDisable: true, CPUShares: true, CPUSet: true, Freezer: true, CPUs: "0-3", Mems: "0"}
	if diff := cmp.Diff(want, v1(root, "memory", "cpu", "cpuset", "freezer", "pids").Support("/")); diff != "" {
		t.Errorf("version 1: %s", diff)
	}
	root = tree(t, map[string]string{"cpuset.cpus.effective": "0-1\n", "cpuset.mems.effective": "0\n", "own/cgroup.procs": ""})
	h := Hierarchies{V2: root, V2Controllers: []string{"memory", "cpuset"}}
	want = Support{Memory: true, Swap: true, Reservation: true, CPUSet: true, Freezer: true, CPUs: "0-1", Mems: "0"}
	if diff := cmp.Diff(want, h.Support("/")); diff != "" {
		t.Errorf("version 2 in the root group: %s", diff)
	}
	want.Swap = false
	if diff := cmp.Diff(want, h.Support("/own")); diff != "" {
		t.Errorf("version 2 without swap accounting: %s", diff)
	}
}

func FuzzParseStats(f *testing.F) {
	f.Add("8:0 Read 10\n254:0 rbytes=1 wbytes=2\nkey 7\n")
	f.Fuzz(func(t *testing.T, text string) {
		parseBlkio(text)
		parseIO(text)
		parsePairs(text)
		appendInts(nil, text)
	})
}
