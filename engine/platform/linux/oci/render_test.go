package oci

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/accounts"
	"github.com/xcengine/xc/engine/platform/initproc"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

var update = flag.Bool("update", false, "write the golden files anew")

const testID = engine.ContainerID("0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b")

// testHost has everything, without asking this machine.
func testHost() host {
	return host{
		groups:      cgroup.Hierarchies{V2: "/sys/fs/cgroup", V2Controllers: []string{"cpu", "memory", "pids", "io", "cpuset"}},
		groupParent: "/xc-01234567", initPath: "/usr/libexec/xc-shim", capabilities: capabilitiesIn(1<<41 - 1), processors: 4, memory: 8 << 30,
		limits: cgroup.Support{
			Memory: true, Swap: true, Reservation: true, Swappiness: true, OOMKillDisable: true, CPUShares: true, CPUQuota: true, CPUSet: true,
			Pids: true, Freezer: true, BlkioWeight: true, BlkioWeightDevice: true, ReadBps: true, WriteBps: true, ReadIOps: true, WriteIOps: true,
			CPUs: "0-3", Mems: "0",
		},
		seccomp: func(profile string, caps []string) (*specs.LinuxSeccomp, error) {
			return &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.Arch("profile:" + profile)}}, nil
		},
		cgroupNamespaces: true, thermalPaths: []string{"/sys/devices/system/cpu/cpu0/thermal_throttle"}, pingGroups: true, lowPorts: true, recursiveRO: true,
	}
}

func testNumbers(string) (int64, int64, error) { return 254, 1, nil }

func ptr[T any](v T) *T { return &v }

// plainRequest is what an ordinary "docker run image true" asks for.
func plainRequest() request {
	return request{
		SandboxSpec: engine.SandboxSpec{
			ID: testID, Dir: "/state/containers/c", Root: "/state/root", Args: []string{"true"}, NetPrivate: true,
			Files: map[string]string{"/etc/hosts": "/d/hosts", "/etc/hostname": "/d/hostname", "/etc/resolv.conf": "/d/resolv.conf"},
			Spec:  engine.Spec{Hostname: "0a1b2c3d4e5f"},
		},
		netns: "/state/netns/0a1b2c3d4e5f", numbers: testNumbers, user: specs.User{AdditionalGids: []uint32{0}}, home: "/root",
	}
}

func TestRender(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*request, *host)
	}{
		{"plain", func(*request, *host) {}},
		{"version1", func(_ *request, h *host) { h.groups = cgroup.Hierarchies{V1: map[string]string{"cpu": "/c"}} }},
		{"privileged", func(r *request, _ *host) {
			r.Spec.Security.Privileged = true
			r.devices = []specs.LinuxDevice{{Path: "/dev/kvm", Type: "c", Major: 10, Minor: 232}}
		}},
		{"hardened", hardened},
		{"limited", limited},
		{"hostmodes", func(r *request, _ *host) {
			r.HostNetwork, r.netns, r.shm = true, "", "/dev/shm"
			r.Spec.Security = engine.Security{PidMode: "host", IpcMode: "host", UTSMode: "host", UsernsMode: "host", CgroupnsMode: "host"}
			r.Spec.Domainname = "example"
		}},
		{"peers", func(r *request, _ *host) {
			peer := engine.Peer{ID: "peer", Pid: 42}
			r.NetworkOf, r.PidOf, r.IpcOf = peer, peer, peer
			r.Spec.Security.PidMode, r.Spec.Security.IpcMode = "container:peer", "container:peer"
			r.netns, r.shm, r.Init = "/state/netns/peer", "/state/containers/peer/shm", true
		}},
		{"mounts", mounted},
		{"terminal", func(r *request, _ *host) {
			r.Init, r.Spec.TreeExit = true, true
			r.Spec.Process = engine.ProcessSpec{TTY: true, ConsoleSize: [2]uint16{24, 80}, WorkDir: "/w", Env: []string{"TERM=vt100", "A=b", "HOSTNAME"}}
			r.Spec.Domainname, r.Spec.Annotations = "example", map[string]string{"k": "v"}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, h := plainRequest(), testHost()
			tc.edit(&r, &h)
			got, err := render(r, h)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tc.name+".json", got)
		})
	}
}

func hardened(r *request, _ *host) {
	r.options = options{noNewPrivileges: true, seccomp: `{"custom":1}`, writableCgroups: ptr(true)}
	r.Spec.ReadonlyRoot = true
	r.Spec.Security.CapDrop, r.Spec.Security.CapAdd = []string{"ALL"}, []string{"net_bind_service"}
	r.Spec.Security.MaskedPaths, r.Spec.Security.ReadonlyPaths = []string{"/proc/kcore"}, []string{}
	r.Spec.Security.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "1024", "kernel.msgmax": "1"}
	r.Spec.Security.IpcMode = "none"
	r.Mounts = []engine.Mount{{Kind: engine.MountTmpfs, Target: "/tmp"}, {Kind: engine.MountVolume, Source: "/v", Target: "/data"}}
	r.user = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{1000, 2000}}
}

func limited(r *request, h *host) {
	h.oomScoreAdj = -900
	r.Spec.Resources = engine.Resources{
		Memory: 256 << 20, MemoryReservation: 128 << 20, Swappiness: ptr(int64(10)), OOMKillDisable: ptr(false), NanoCPUs: 1_500_000_000, CPUShares: 512,
		CPUSetCPUs: "0,2", CPUSetMems: "0", PidsLimit: ptr(int64(100)), BlkioWeight: 300, BlkioWeightDevice: []engine.WeightDevice{{Path: "/dev/vda", Weight: 200}},
		ReadBps: []engine.ThrottleDevice{{Path: "/dev/vda", Rate: 1 << 20}}, WriteIOps: []engine.ThrottleDevice{{Path: "/dev/vda", Rate: 100}},
		Ulimits: []engine.Ulimit{{Name: "nofile", Soft: 100, Hard: 200}, {Name: "core", Soft: -1, Hard: -1}}, ShmSize: 1 << 20, CgroupParent: "/mine/../yours",
		DeviceCgroupRules: []string{"c 10:* rw", "b *:* r"},
	}
	r.devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}}
	r.rules = []specs.LinuxDeviceCgroup{deviceRule(true, "c", 10, 229, "rw")}
}

func mounted(r *request, _ *host) {
	r.Mounts = []engine.Mount{
		{Kind: engine.MountVolume, Source: "/v/deep", Target: "/a/b/c"},
		{Kind: engine.MountBind, Source: "/b", Target: "/a", ReadOnly: true, Propagation: "rslave"},
		{Kind: engine.MountBind, Source: "/n", Target: "/n", NonRecursive: true, ReadOnly: true, Propagation: "rshared"},
		{Kind: engine.MountBind, Source: "/h", Target: "/etc/hosts"},
		{Kind: engine.MountTmpfs, Target: "/t", Options: []string{"size=1m", "exec", "uid=1"}, ReadOnly: true},
		{Kind: engine.MountTmpfs, Target: "/dev/shm", Options: []string{"size=1g"}},
	}
	r.Spec.Mounts = []engine.MountSpec{{Target: "/n", ReadOnlyNonRecursive: true}}
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

func TestRenderExec(t *testing.T) {
	r := plainRequest()
	r.Spec.Process = engine.ProcessSpec{WorkDir: "/w", Env: []string{"A=container", "B=container"}}
	r.Spec.Security.CapDrop = []string{"ALL"}
	r.user = specs.User{UID: 7, GID: 8, AdditionalGids: []uint32{8}}
	for name, e := range map[string]engine.ExecSpec{
		"exec.json":            {Process: engine.ProcessSpec{Cmd: []string{"sh", "-c", "id"}, Env: []string{"B=exec"}, TTY: true, ConsoleSize: [2]uint16{10, 20}}},
		"exec-privileged.json": {Process: engine.ProcessSpec{Cmd: []string{"true"}, WorkDir: "/mine"}, Privileged: true},
	} {
		got, err := renderExec(r, e, testHost())
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, edit := range map[string]func(*request){
		"capability":  func(r *request) { r.Spec.Security.CapAdd = []string{"NOSUCH"} },
		"device rule": func(r *request) { r.Spec.Resources.DeviceCgroupRules = []string{"x"} },
		"tmpfs option": func(r *request) {
			r.Mounts = []engine.Mount{{Kind: engine.MountTmpfs, Target: "/t", Options: []string{"bogus"}}}
		},
		"conflicting read": conflicting,
	} {
		r := plainRequest()
		edit(&r)
		if _, err := render(r, testHost()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func conflicting(r *request) {
	r.Mounts = []engine.Mount{{Kind: engine.MountBind, Source: "/b", Target: "/b", ReadOnly: true}}
	r.Spec.Mounts = []engine.MountSpec{{Target: "/b", ReadOnlyForceRecursive: true, ReadOnlyNonRecursive: true}}
}

// docker-init runs as root what is to be run, each program with its own identity; what it shall run is in its environment alone.
func TestRenderChain(t *testing.T) {
	r := plainRequest()
	r.Spec.Security.PidMode = "host"
	r.user, r.known = specs.User{UID: 7, GID: 8, AdditionalGids: []uint32{8}}, accounts.Files{Passwd: []byte("www:x:80:81::/srv:/bin/sh\n")}
	r.Spec.Before = []engine.Step{{Process: engine.ProcessSpec{Cmd: []string{"rc"}, Env: []string{"A=1", "PATH=/x"}}, Timeout: time.Second}}
	r.Spec.After = []engine.Step{{Process: engine.ProcessSpec{Cmd: []string{"end"}, User: "www", WorkDir: "/w"}}}
	r.Spec.TreeExit = true
	got, err := render(r, testHost())
	if err != nil {
		t.Fatal(err)
	}
	p := got.Process
	if diff := cmp.Diff([]string{initTarget, initTreeFlag, "--", "true"}, p.Args); diff != "" || p.User.UID != 0 || p.User.GID != 0 || len(p.User.AdditionalGids) != 1 {
		t.Errorf("%+v %s", p.User, diff)
	}
	text, there := strings.CutPrefix(p.Env[len(p.Env)-1], initproc.ChainVariable+"=")
	var c initproc.Chain
	if err := json.Unmarshal([]byte(text), &c); err != nil || !there {
		t.Fatal(err, p.Env)
	}
	want := initproc.Chain{
		Before: []initproc.Step{{Args: []string{"rc"}, Env: []string{"PATH=/x", "HOSTNAME=0a1b2c3d4e5f", "A=1", "HOME=/"}, Dir: "/", Timeout: time.Second}},
		Main:   initproc.Step{User: &initproc.User{UID: 7, GID: 8, Groups: []uint32{8}}},
		After: []initproc.Step{{
			Args: []string{"end"}, Env: []string{"PATH=" + defaultPath, "HOSTNAME=0a1b2c3d4e5f", "HOME=/srv"}, Dir: "/w", User: &initproc.User{UID: 80, GID: 81, Groups: c.After[0].User.Groups},
		}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	r.Spec.After[0].Process.User = "nobody-knows"
	if _, err := render(r, testHost()); err == nil {
		t.Error("an unknown user is run as somebody")
	}
}
