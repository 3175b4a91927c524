package oci

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

func TestCheckRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*engine.SandboxSpec)
		want string
	}{
		{"little memory", func(s *engine.SandboxSpec) { s.Spec.Resources.Memory = 5 << 20 }, "Minimum memory limit allowed is 6MB"},
		{"less swap than memory", func(s *engine.SandboxSpec) { s.Spec.Resources.Memory, s.Spec.Resources.MemorySwap = 64<<20, 32<<20 }, "Minimum memoryswap limit should be larger than memory limit, see usage"},
		{"swap alone", func(s *engine.SandboxSpec) { s.Spec.Resources.MemorySwap = 64 << 20 }, "You should always set the Memory limit when using Memoryswap limit, see usage"},
		{"swappiness", func(s *engine.SandboxSpec) { s.Spec.Resources.Swappiness = ptr(int64(101)) }, "Invalid value: 101, valid memory swappiness range is 0-100"},
		{"reservation", func(s *engine.SandboxSpec) {
			s.Spec.Resources.Memory, s.Spec.Resources.MemoryReservation = 64<<20, 65<<20
		}, "Minimum memory limit can not be less than memory reservation limit, see usage"},
		{"too many processors", func(s *engine.SandboxSpec) { s.Spec.Resources.NanoCPUs = 5e9 }, "range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available"},
		{"a mount in /proc", func(s *engine.SandboxSpec) { s.Spec.VolumePaths = []string{"/proc//sys"} }, `"/proc/sys" cannot be mounted because it is inside /proc`},
		{"a file system upon /proc", func(s *engine.SandboxSpec) { s.Spec.Tmpfs = map[string]string{"/proc": ""} }, `"/proc" cannot be mounted because it is inside /proc`},
		{"two ways", func(s *engine.SandboxSpec) { s.Spec.Resources.NanoCPUs, s.Spec.Resources.CPUQuota = 1e9, 5000 }, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"},
		{"period", func(s *engine.SandboxSpec) { s.Spec.Resources.CPUPeriod = 1 }, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
		{"processor that is not there", func(s *engine.SandboxSpec) { s.Spec.Resources.CPUSetCPUs = "1-4" }, "Requested CPUs are not available - requested 1-4, available: 0-3"},
		{"memory node that is not there", func(s *engine.SandboxSpec) { s.Spec.Resources.CPUSetMems = "1" }, "Requested memory nodes are not available - requested 1, available: 0"},
		{"malformed set", func(s *engine.SandboxSpec) { s.Spec.Resources.CPUSetCPUs = "a" }, "Invalid value a for cpuset cpus: invalid format: a"},
		{"weight", func(s *engine.SandboxSpec) { s.Spec.Resources.BlkioWeight = 5 }, "Range of blkio weight is from 10 to 1000"},
		{"oom score", func(s *engine.SandboxSpec) { s.Spec.Resources.OOMScoreAdj = 1001 }, "Invalid value 1001, range for oom score adj is [-1000, 1000]"},
		{"ulimit", func(s *engine.SandboxSpec) { s.Spec.Resources.Ulimits = []engine.Ulimit{{Name: "foo"}} }, "invalid ulimit type: foo"},
		{"ulimit order", func(s *engine.SandboxSpec) {
			s.Spec.Resources.Ulimits = []engine.Ulimit{{Name: "core", Soft: -1, Hard: 5}}
		}, "ulimit soft limit must be less than or equal to hard limit: -1 > 5"},
		{"device rule", func(s *engine.SandboxSpec) { s.Spec.Resources.DeviceCgroupRules = []string{"c"} }, "invalid device cgroup rule format: 'c'"},
		{"device access", func(s *engine.SandboxSpec) {
			s.Spec.Resources.Devices = []engine.Device{{HostPath: "/dev/x", Access: "rx"}}
		}, `invalid access of device "/dev/x": "rx" is not made of r, w and m`},
		{"mode", func(s *engine.SandboxSpec) { s.Spec.Security.IpcMode = "container:" }, "invalid IPC mode: container:"},
		{"user namespace", func(s *engine.SandboxSpec) { s.Spec.Security.UsernsMode = "private" }, "invalid user namespace mode: private"},
		{"capability", func(s *engine.SandboxSpec) { s.Spec.Security.CapAdd = []string{"x"} }, `invalid CapAdd: unknown capability: "CAP_X"`},
		{"option", func(s *engine.SandboxSpec) { s.Spec.Security.Options = []string{"x"} }, `invalid --security-opt 1: "x"`},
		{"apparmor", func(s *engine.SandboxSpec) { s.Spec.Security.Options = []string{"apparmor=mine"} }, "apparmor=mine: AppArmor is not enabled on this host"},
		{"profile", func(s *engine.SandboxSpec) { s.Spec.Security.Options = []string{"seccomp=bad"} }, "no such profile"},
		{"sysctl of the host", func(s *engine.SandboxSpec) { s.Spec.Security.Sysctls = map[string]string{"vm.swappiness": "1"} }, `sysctl "vm.swappiness" is not in a separate kernel namespace`},
		{"sysctl of the host's network", func(s *engine.SandboxSpec) {
			s.Spec.Network.Mode, s.Spec.Security.Sysctls = "host", map[string]string{"net.core.somaxconn": "1"}
		}, `sysctl "net.core.somaxconn" not allowed in host network namespace`},
		{"tmpfs", func(s *engine.SandboxSpec) { s.Spec.Tmpfs = map[string]string{"/t": "size=1m,foo"} }, `invalid tmpfs option ["foo"] for /t`},
		{"system", func(s *engine.SandboxSpec) { s.Platform.OS = "freebsd" }, `image operating system "freebsd" cannot be used on this platform: operating system is not supported`},
	} {
		h := testHost()
		h.seccomp = func(profile string, _ []string) (*specs.LinuxSeccomp, error) {
			if profile == "bad" {
				return nil, errors.New("no such profile")
			}
			return nil, nil
		}
		spec := plainRequest().SandboxSpec
		tc.edit(&spec)
		_, err := check(spec, h)
		var e *engine.Error
		if !errors.As(err, &e) || e.Kind != engine.Invalid || text(e.Err) != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
}

func TestCheckTellsAllAtOnce(t *testing.T) {
	spec := plainRequest().SandboxSpec
	spec.Spec.Resources.Memory, spec.Spec.Security.CapAdd = 1, []string{"x"}
	_, err := check(spec, testHost())
	if !strings.Contains(text(err), "6MB") || !strings.Contains(text(err), "CAP_X") {
		t.Error(err)
	}
}

func TestHonour(t *testing.T) {
	all := engine.Resources{
		Memory: 64 << 20, MemorySwap: 128 << 20, MemoryReservation: 32 << 20, KernelMemory: 1, Swappiness: ptr(int64(5)), OOMKillDisable: ptr(true),
		PidsLimit: ptr(int64(5)), CPUShares: 1, CPUPeriod: 1, CPUQuota: 1, CPUSetCPUs: "0", BlkioWeight: 10, BlkioWeightDevice: []engine.WeightDevice{{}},
		ReadBps: []engine.ThrottleDevice{{}}, WriteBps: []engine.ThrottleDevice{{}}, ReadIOps: []engine.ThrottleDevice{{}}, WriteIOps: []engine.ThrottleDevice{{}},
	}
	got, warnings := honour(all, cgroup.Support{})
	if diff := cmp.Diff(engine.Resources{MemorySwap: -1}, got); diff != "" {
		t.Errorf("a host without any limit: %s", diff)
	}
	// The memory limit's going takes the swap limit's warning with it.
	if len(warnings) != len(bounds)-1 {
		t.Errorf("%d warnings: %q", len(warnings), warnings)
	}
	got, warnings = honour(engine.Resources{Swappiness: ptr(int64(-1)), OOMKillDisable: ptr(false), PidsLimit: ptr(int64(0))}, cgroup.Support{})
	if got.Swappiness != nil || got.OOMKillDisable != nil || len(warnings) > 0 {
		t.Errorf("words for nothing: %+v, %q", got, warnings)
	}
	got, warnings = honour(all, testHost().limits)
	all.KernelMemory = 0
	if diff := cmp.Diff(all, got); diff != "" || len(warnings) != 1 {
		t.Errorf("a host with every limit: %q %s", warnings, diff)
	}
	if _, warnings = honour(engine.Resources{Memory: 64 << 20}, cgroup.Support{Memory: true}); len(warnings) != 1 || !strings.Contains(warnings[0], "without swap") {
		t.Errorf("without swap accounting: %q", warnings)
	}
}

func TestResources(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    engine.Resources
		want *specs.LinuxResources
	}{
		{"nothing", engine.Resources{}, &specs.LinuxResources{}},
		{"swap without bound", engine.Resources{Memory: 1 << 30, MemorySwap: -1}, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 30))}}},
		{"no limits", engine.Resources{PidsLimit: ptr(int64(-1)), CPUQuota: -1}, &specs.LinuxResources{}},
		{"much memory", engine.Resources{Memory: 1 << 62}, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 62)), Swap: ptr(int64(1<<63 - 1))}}},
		{"half a processor", engine.Resources{NanoCPUs: 5e8}, &specs.LinuxResources{CPU: &specs.LinuxCPU{Period: ptr(uint64(100000)), Quota: ptr(int64(50000))}}},
	} {
		got, err := resources(tc.r, testNumbers)
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", tc.name, err, diff)
		}
	}
	gone := errors.New("gone")
	if _, err := resources(engine.Resources{ReadBps: []engine.ThrottleDevice{{Path: "/dev/gone"}}}, func(string) (int64, int64, error) { return 0, 0, gone }); !errors.Is(err, gone) {
		t.Errorf("a device that is gone: %v", err)
	}
}
