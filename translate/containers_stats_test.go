package translate

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestStatsShape(t *testing.T) {
	want := shape(decode(t, readFile(t, "testdata/dockerd-28.5.2/shape/container-stats.json")))
	sample := func(at time.Time) engine.Stats {
		return engine.Stats{
			Read: at, CPU: engine.CPUStats{Total: 1, User: 1, Kernel: 1, PerCPU: []uint64{1, 2}, System: 5, Online: 2},
			Memory: engine.MemoryStats{Usage: 1, MaxUsage: 2, Limit: 3, Detail: detail()}, Pids: engine.PidsStats{Current: 3},
			Networks: map[string]engine.InterfaceStats{"eth0": {RxBytes: 1572}},
		}
	}
	got := Stats(runningContainer(t), sample(noon.Add(time.Second)), sample(noon))
	if diff := cmp.Diff(want, shape(decode(t, encode(t, got)))); diff != "" {
		t.Error("-dockerd +ours\n" + diff)
	}
	if !got.PreRead.Equal(noon) || got.PreCPUStats.SystemUsage != 5 {
		t.Errorf("the sample before: %+v", got.PreCPUStats)
	}
	stopped := string(encode(t, Stats(engine.Container{ID: "i", Name: "n"}, engine.Stats{}, engine.Stats{})))
	const none = `{"name":"/n","id":"i","read":"0001-01-01T00:00:00Z","preread":"0001-01-01T00:00:00Z","pids_stats":{},"blkio_stats":{"io_service_bytes_recursive":null,` +
		`"io_serviced_recursive":null,"io_queue_recursive":null,"io_service_time_recursive":null,"io_wait_time_recursive":null,"io_merged_recursive":null,` +
		`"io_time_recursive":null,"sectors_recursive":null},"num_procs":0,"storage_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,` +
		`"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"precpu_stats":{"cpu_usage":{"total_usage":0,` +
		`"usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{}}`
	if stopped != none {
		t.Errorf("of a container that does not run:\ngot  %s\nwant %s", stopped, none)
	}
}

// detail has the counters of the recorded answer.
func detail() map[string]uint64 {
	m := map[string]uint64{}
	for _, prefix := range []string{"", "total_"} {
		for _, k := range []string{
			"active_anon", "active_file", "cache", "dirty", "inactive_anon", "inactive_file", "mapped_file", "pgfault", "pgmajfault",
			"pgpgin", "pgpgout", "rss", "rss_huge", "unevictable", "writeback",
		} {
			m[prefix+k] = 1
		}
	}
	m["hierarchical_memory_limit"], m["hierarchical_memsw_limit"] = 1, 1
	return m
}

func TestUpdate(t *testing.T) {
	unlimited := int64(-1)
	req, err := Update(container.UpdateConfig{
		Resources:     container.Resources{Memory: 64 << 20, CpusetCpus: "0-1", PidsLimit: &unlimited, KernelMemory: 5},
		RestartPolicy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 2},
	}, MaxVersion, oracle)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.UpdateRequest{
		Resources: engine.ResourceUpdate{Memory: ptr(int64(64 << 20)), CPUSetCPUs: ptr("0-1"), PidsLimit: ptr(int64(0))},
		Restart:   &engine.RestartPolicy{Name: engine.RestartOnFailure, MaxRetries: 2},
	}
	if diff := cmp.Diff(want, req); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		body container.UpdateConfig
		want string
	}{
		{container.UpdateConfig{Resources: container.Resources{Memory: 100}}, "Minimum memory limit allowed is 6MB"},
		{container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: "zz"}}, "invalid restart policy: unknown policy 'zz'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"},
		{container.UpdateConfig{Resources: container.Resources{NanoCPUs: 1e9, CPUPeriod: 100000}}, "Conflicting options: Nano CPUs and CPU Period cannot both be set"},
	} {
		if _, err := Update(c.body, MaxVersion, oracle); err == nil || Message(err) != c.want {
			t.Errorf("%+v: %v", c.body, err)
		}
	}
	if _, err := Update(container.UpdateConfig{Resources: container.Resources{MemorySwap: 7 << 20}}, MaxVersion, oracle); err != nil {
		t.Error("swap alone may be updated: ", err)
	}
}

func TestSize(t *testing.T) {
	if r, c, err := Size("24", "80"); r != 24 || c != 80 || err != nil {
		t.Errorf("%d %d %v", r, c, err)
	}
	for _, c := range []struct{ h, w, want string }{
		{"", "5", `invalid resize height "": invalid syntax`},
		{"abc", "5", `invalid resize height "abc": invalid syntax`},
		{"+5", "5", `invalid resize height "+5": invalid syntax`},
		{"-1", "5", `invalid resize height "-1": value out of range`},
		{"5", "99999999999", `invalid resize width "99999999999": value out of range`},
	} {
		if _, _, err := Size(c.h, c.w); err == nil || Message(err) != c.want {
			t.Errorf("%q %q: %v", c.h, c.w, err)
		}
	}
}

func TestSignals(t *testing.T) {
	for in, want := range map[string]engine.Signal{"": "", "SIGHUP": "HUP", "hup": "HUP", "9": "9", "RTMIN+3": "RTMIN+3", "SIGUSR1": "USR1"} {
		if got, err := KillSignal(in, oracle); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"ZZ": "invalid signal: ZZ", "0": "invalid signal: 0", "999": "the linux daemon does not support signal 999", "RTMIN+99": "invalid signal: RTMIN+99",
	} {
		if _, err := KillSignal(in, oracle); err == nil || Message(err) != want {
			t.Errorf("%q: %v", in, err)
		}
	}
	if o, err := StopOptions(Version{1, 41}, "ZZ", ptr(3)); err != nil || o.Signal != "" || *o.Timeout != 3 {
		t.Errorf("old clients cannot name a signal: %+v, %v", o, err)
	}
}

func TestLogQuery(t *testing.T) {
	q, err := LogQuery(LogsQuery{Stdout: true, Follow: true, Since: "0.000000000", Until: "10m", Tail: "5"}, noon)
	if err != nil || !q.Since.IsZero() || !q.Until.Equal(noon.Add(-10*time.Minute)) || q.Tail != 5 || !q.Follow || q.Stderr {
		t.Errorf("%+v, %v", q, err)
	}
	for _, tail := range []string{"all", "", "-1", "zz"} {
		if q, err := LogQuery(LogsQuery{Stderr: true, Tail: tail}, noon); err != nil || q.Tail != -1 {
			t.Errorf("tail %q: %+v, %v", tail, q, err)
		}
	}
	if _, err := LogQuery(LogsQuery{}, noon); err == nil || Message(err) != "Bad parameters: you must choose at least one stream" {
		t.Error(err)
	}
	r := engine.LogRecord{Time: noon.Add(5), Attrs: map[string]string{"b": "x y", "a": "1"}}
	if got := string(LogPrefix(nil, r, true, true)); got != "2026-11-23T12:00:00.000000005Z a=1,b=x+y " {
		t.Errorf("%q", got)
	}
}

func TestTopAndChanges(t *testing.T) {
	top := readJSON[container.TopResponse](t, "testdata/dockerd-28.5.2/shape/container-top.json")
	got := Processes(engine.ProcessTable{Titles: top.Titles, Rows: top.Processes})
	if diff := cmp.Diff(top, got); diff != "" {
		t.Error(diff)
	}
	want := readJSON[[]container.FilesystemChange](t, "testdata/dockerd-28.5.2/shape/container-changes.json")
	var list []engine.Change
	for _, c := range want {
		list = append(list, engine.Change{Path: c.Path, Kind: engine.ChangeKind(c.Kind)})
	}
	if diff := cmp.Diff(want, Changes(list)); diff != "" {
		t.Error(diff)
	}
	if got := string(encode(t, Changes(nil))); got != "null" {
		t.Errorf("no changes: %s", got)
	}
}
