package oci_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/runtimetest"
)

// isolation are the cases of what only Linux has.
func isolation() []runtimetest.Case {
	return []runtimetest.Case{
		{Name: "Capabilities", Test: testCapabilities},
		{Name: "Seccomp", Test: testSeccomp},
		{Name: "SystemPaths", Test: testSystemPaths},
		{Name: "Privileged", Test: testPrivileged},
		{Name: "PrivilegedExec", Test: testPrivilegedExec},
		{Name: "Devices", Test: testDevices},
		{Name: "Namespaces", Test: testNamespaces},
		{Name: "HostNamespaces", Test: testHostNamespaces},
		{Name: "Peers", Test: testPeers},
		{Name: "SharedMemory", Test: testSharedMemory},
		{Name: "Network", Test: testNetwork},
		{Name: "Sysctls", Test: testSysctls},
		{Name: "Limits", Test: testLimits},
		{Name: "Lifted", Test: testLifted},
		{Name: "ControlGroup", Test: testControlGroup},
		{Name: "Init", Test: testInit},
		{Name: "TreeExit", Test: testTreeExit},
		{Name: "Interrupted", Test: testInterrupted},
		{Name: "Repinned", Test: testRepinned},
		{Name: "CreateFails", Test: testCreateFails},
		{Name: "Propagation", Test: testPropagation},
		{Name: "Runtimes", Test: testRuntimes},
	}
}

// lines runs a container to its end and returns what it wrote, by the first word of each line.
func lines(b *runtimetest.Bench, spec engine.SandboxSpec) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(b.Run(spec).Main.Wait(0)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, tab, ok := strings.Cut(key, "\t")
		if ok {
			value = tab
		}
		all[key] = strings.TrimSpace(value)
	}
	return all
}

func testCapabilities(t *testing.T, b *runtimetest.Bench) {
	// The masks of Docker's 14, of CAP_CHOWN and CAP_NET_RAW alone, and of nothing.
	for _, tc := range []struct {
		add, drop []string
		user      string
		bound     string
		effective string
	}{
		{nil, nil, "", "00000000a80425fb", "00000000a80425fb"},
		{nil, nil, "1000", "00000000a80425fb", "0000000000000000"},
		{[]string{"CHOWN", "net_raw"}, []string{"ALL"}, "", "0000000000002001", "0000000000002001"},
		{nil, []string{"ALL"}, "", "0000000000000000", "0000000000000000"},
	} {
		spec := b.Describe("caps")
		spec.Spec.Security.CapAdd, spec.Spec.Security.CapDrop, spec.Spec.Process.User = tc.add, tc.drop, tc.user
		got := lines(b, spec)
		if got["CapBnd:"] != tc.bound || got["CapEff:"] != tc.effective || got["CapInh:"] != "0000000000000000" || got["CapAmb:"] != "0000000000000000" {
			t.Errorf("add %q, drop %q, user %q: %q", tc.add, tc.drop, tc.user, got)
		}
	}
}

func testSeccomp(t *testing.T, b *runtimetest.Bench) {
	refuse := map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []any{map[string]any{"names": []string{"mkdir", "mkdirat"}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}}}
	profile, err := json.Marshal(refuse)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		options    []string
		mode, priv string
		mkdir      string
	}{
		{nil, "2", "0", "made"},
		{[]string{"seccomp=unconfined", "no-new-privileges"}, "0", "1", "made"},
		{[]string{"seccomp=" + string(profile)}, "2", "0", "refused"},
		{[]string{"seccomp=" + string(profile), "no-new-privileges=true"}, "2", "1", "refused"},
	} {
		spec := b.Describe("sh", "-c", "caps; testbox mkdir /d && echo mkdir made || echo mkdir refused")
		spec.Spec.Security.Options = tc.options
		got := lines(b, spec)
		if got["Seccomp:"] != tc.mode || got["NoNewPrivs:"] != tc.priv || got["mkdir"] != tc.mkdir {
			t.Errorf("%q: %q", tc.options, got)
		}
	}
	// Execs are under the container's filter as well.
	spec := b.Describe("sleep", "100000")
	spec.Spec.Security.Options = []string{"seccomp=" + string(profile)}
	c := b.Run(spec)
	if out := c.MustExec("sh", "-c", "testbox mkdir /d || echo refused"); !strings.Contains(out, "refused") {
		t.Errorf("exec: %q", out)
	}
}

func testSystemPaths(t *testing.T, b *runtimetest.Bench) {
	script := "cat /proc/timer_list; write /proc/sys/kernel/domainname x || echo locked; ls /sys/firmware"
	if out := b.Run(b.Describe("sh", "-c", script)).Main.Wait(0); out != "locked\n" {
		t.Errorf("by default: %q", out)
	}
	spec := b.Describe("sh", "-c", "write /proc/sys/kernel/domainname x && echo open")
	spec.Spec.Security.Options = []string{"systempaths=unconfined"}
	if out := b.Run(spec).Main.Wait(0); out != "open\n" {
		t.Errorf("unconfined: %q", out)
	}
	spec = b.Describe("cat", "/etc/plain")
	spec.Spec.Security.MaskedPaths = []string{"/etc/plain"}
	if out := b.Run(spec).Main.Wait(0); out != "" {
		t.Errorf("masked by the user: %q", out)
	}
}

func testPrivileged(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("sh", "-c", "caps; mounts; ls /dev")
	spec.Spec.Security.Privileged = true
	got := lines(b, spec)
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(own), "CapEff:\t"+got["CapEff:"]+"\n") || got["Seccomp:"] != "0" {
		t.Errorf("privileged: %q", got)
	}
	if !strings.HasPrefix(got["sysfs"], "/sys sysfs rw") {
		t.Errorf("/sys: %q", got["sysfs"])
	}
	nodes, err := filepath.Glob("/dev/loop-control")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if _, ok := got[filepath.Base(n)]; !ok {
			t.Errorf("%s is missing", n)
		}
	}
}

func testPrivilegedExec(t *testing.T, b *runtimetest.Bench) {
	c := b.Run(b.Describe("sleep", "100000"))
	p, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"caps"}}, Privileged: true})
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(own), "CapEff:\t")
	if out := p.Wait(0); !strings.Contains(out, "CapEff:\t"+want[:16]) {
		t.Errorf("privileged exec: %q", out)
	}
	if out := c.MustExec("caps"); !strings.Contains(out, "CapEff:\t00000000a80425fb") {
		t.Errorf("plain exec: %q", out)
	}
}

func testDevices(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("sh", "-c", "cat /dev/null /dev/mine/random0 < /dev/null; echo $?; write /dev/full x || echo full; stat /dev/mine/random0; write /dev/block x || echo no")
	spec.Spec.Resources.Devices = []engine.Device{{HostPath: "/dev/null", Path: "/dev/mine/random0", Access: "r"}}
	out := b.Run(spec).Main.Wait(0)
	if !strings.HasPrefix(out, "0\nfull\n") || !strings.Contains(out, "/dev/mine/random0") {
		t.Errorf("devices: %q", out)
	}
	spec = b.Describe("true")
	spec.Spec.Resources.Devices = []engine.Device{{HostPath: "/dev/nosuch", Path: "/dev/nosuch", Access: "rwm"}}
	err := b.Create(spec).Launch()
	if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), `error gathering device information while adding custom device "/dev/nosuch"`) {
		t.Errorf("a device that is not there: %v", err)
	}
}

// namespaceOf names a process's namespace.
func namespaceOf(t *testing.T, pid int, kind string) string {
	t.Helper()
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func testNamespaces(t *testing.T, b *runtimetest.Bench) {
	c := b.Run(b.Describe("sleep", "100000"))
	for _, kind := range []string{"mnt", "net", "uts", "pid", "ipc"} {
		if namespaceOf(t, c.Main.Pid, kind) == namespaceOf(t, os.Getpid(), kind) {
			t.Errorf("the %s namespace is the host's", kind)
		}
	}
	if out := c.MustExec("ps"); !strings.HasPrefix(out, "1 ") {
		t.Errorf("processes: %q", out)
	}
}

func testHostNamespaces(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("sleep", "100000")
	spec.HostNetwork, spec.NetPrivate = true, false
	spec.Spec.Network.Mode = "host"
	spec.Spec.Security = engine.Security{PidMode: "host", IpcMode: "host", UTSMode: "host", CgroupnsMode: "host"}
	c := b.Run(spec)
	for _, kind := range []string{"net", "uts", "pid", "ipc", "cgroup"} {
		if namespaceOf(t, c.Main.Pid, kind) != namespaceOf(t, os.Getpid(), kind) {
			t.Errorf("the %s namespace is not the host's", kind)
		}
	}
	if c.Box.NetNS != "" {
		t.Errorf("sandbox: %+v", c.Box)
	}
	// Without a process namespace of its own, what main leaves behind is ended all the same.
	p, err := c.Exec(engine.ExecSpec{Process: engine.ProcessSpec{Cmd: []string{"sleep", "100000"}}})
	if err != nil {
		t.Fatal(err)
	}
	c.Main.Signal(9)
	c.Main.Status()
	c.Remove()
	if s := p.Status(); s.Code != 137 {
		t.Errorf("what was left behind: %+v", s)
	}
}

func testPeers(t *testing.T, b *runtimetest.Bench) {
	donor := b.Describe("sleep", "100000")
	donor.Spec.Security.IpcMode = "shareable"
	one := b.Run(donor)
	peer := engine.Peer{ID: one.Spec.ID, Pid: one.Main.Pid, Sandbox: one.Box, Dir: one.Spec.Dir}
	spec := b.Describe("sleep", "100000")
	spec.NetworkOf, spec.PidOf, spec.IpcOf, spec.NetPrivate = peer, peer, peer, false
	mode := "container:" + string(one.Spec.ID)
	spec.Spec.Network.Mode, spec.Spec.Security.PidMode, spec.Spec.Security.IpcMode = engine.NetworkMode(mode), mode, mode
	two := b.Run(spec)
	for _, kind := range []string{"net", "pid", "ipc"} {
		if namespaceOf(t, two.Main.Pid, kind) != namespaceOf(t, one.Main.Pid, kind) {
			t.Errorf("the %s namespace is not shared", kind)
		}
	}
	if two.Box.NetNS != one.Box.NetNS {
		t.Errorf("network: %q, donor's %q", two.Box.NetNS, one.Box.NetNS)
	}
	one.MustExec("write", "/dev/shm/shared", "of the donor")
	if out := two.MustExec("cat", "/dev/shm/shared"); strings.TrimSpace(out) != "of the donor" {
		t.Errorf("shared memory: %q", out)
	}
	two.Remove()
	if out := one.MustExec("cat", "/dev/shm/shared"); strings.TrimSpace(out) != "of the donor" {
		t.Errorf("the donor after the other's end: %q", out)
	}
	private := b.Run(b.Describe("sleep", "100000"))
	spec = b.Describe("true")
	spec.IpcOf = engine.Peer{ID: private.Spec.ID, Pid: private.Main.Pid, Sandbox: private.Box, Dir: private.Spec.Dir}
	if _, err := b.Runtime.CreateSandbox(t.Context(), spec); engine.KindOf(err) != engine.Conflict || !strings.Contains(err.Error(), "non-shareable IPC") {
		t.Errorf("the IPC of a private container: %v", err)
	}
}

func testSharedMemory(t *testing.T, b *runtimetest.Bench) {
	for _, mode := range []string{"", "shareable"} {
		spec := b.Describe("mounts")
		spec.Spec.Resources.ShmSize, spec.Spec.Security.IpcMode = 2<<20, mode
		if got := lines(b, spec)["shm"]; !strings.HasPrefix(got, "/dev/shm tmpfs rw,nosuid,nodev,noexec") || !strings.Contains(got, "size=2048k") {
			t.Errorf("mode %q: %q", mode, got)
		}
	}
	spec := b.Describe("sh", "-c", "mounts; testbox test -e /dev/shm && echo there || echo absent")
	spec.Spec.Security.IpcMode = "none"
	if out := b.Run(spec).Main.Wait(0); strings.Contains(out, " /dev/shm ") {
		t.Errorf("none: %q", out)
	}
}

func testNetwork(t *testing.T, b *runtimetest.Bench) {
	c := b.Create(b.Describe("ifaddrs"))
	if c.Box.NetNS == "" || filepath.Base(c.Box.NetNS) != c.Spec.ID.Short() {
		t.Errorf("sandbox: %+v", c.Box)
	}
	if err := c.Launch(); err != nil {
		t.Fatal(err)
	}
	if out := c.Main.Wait(0); !strings.Contains(out, "127.0.0.1") {
		t.Errorf("the loopback is not up: %q", out)
	}
}

func testSysctls(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/msgmax", "/proc/sys/kernel/domainname")
	spec.Spec.Security.Sysctls = map[string]string{"kernel.msgmax": "12345"}
	spec.Spec.Domainname = "example.org"
	if out := b.Run(spec).Main.Wait(0); out != "0\n12345\nexample.org\n" {
		t.Errorf("sysctls: %q", out)
	}
}

func testLimits(t *testing.T, b *runtimetest.Bench) {
	can, pids := b.Runtime.Capabilities(), int64(20)
	spec := b.Describe("sh", "-c", "cat /proc/self/oom_score_adj; sleep 100000")
	spec.Spec.Resources = engine.Resources{
		Ulimits: []engine.Ulimit{{Name: "nofile", Soft: 100, Hard: 200}, {Name: "core", Soft: 0, Hard: 0}}, OOMScoreAdj: 300, PidsLimit: &pids,
		CPUShares: 512, CPUSetCPUs: "0", MemoryReservation: 32 << 20,
	}
	if can.CPUQuota {
		spec.Spec.Resources.NanoCPUs = 5e8
	}
	c := b.Run(spec)
	c.Main.Shows("300\n")
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", c.Main.Pid))
	// The Go runtime raises its own soft limit of files.
	if err != nil || !regexp.MustCompile(`Max open files +\d+ +200 `).Match(limits) || !regexp.MustCompile(`Max core file size +0 +0 `).Match(limits) {
		t.Errorf("limits: %s, %v", limits, err)
	}
	s, err := b.Runtime.Stats(t.Context(), spec.ID, c.Box, c.Main.Pid)
	if err != nil || can.PidsLimit && s.Pids.Limit != 20 {
		t.Errorf("processes: %+v, %v", s.Pids, err)
	}
	if s.Networks == nil {
		t.Error("no network counters at all")
	}
}

// Limits that are set aside again are gone, whatever the runtime makes of "no limit".
func testLifted(t *testing.T, b *runtimetest.Bench) {
	can, pids, none := b.Runtime.Capabilities(), int64(20), int64(-1)
	spec := b.Describe("sleep", "100000")
	spec.Spec.Resources.PidsLimit = &none
	if can.CPUQuota {
		spec.Spec.Resources.CPUQuota = -1
	}
	c := b.Run(spec)
	for _, given := range []engine.Resources{{PidsLimit: &pids, CPUQuota: 20000}, {PidsLimit: &none, CPUQuota: -1}, {PidsLimit: new(int64)}} {
		if !can.CPUQuota {
			given.CPUQuota = 0
		}
		if err := b.Runtime.Update(t.Context(), spec.ID, given); err != nil {
			t.Fatalf("%+v: %v", given, err)
		}
		s, err := b.Runtime.Stats(t.Context(), spec.ID, c.Box, c.Main.Pid)
		want := uint64(*given.PidsLimit)
		if *given.PidsLimit <= 0 {
			want = math.MaxUint64
		}
		if err != nil || can.PidsLimit && s.Pids.Limit != want {
			t.Errorf("processes: %+v, %v; want %d", s.Pids, err, want)
		}
	}
}

func testControlGroup(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("sleep", "100000")
	parent := fmt.Sprintf("xc-test-parent-%d", os.Getpid())
	spec.Spec.Resources.CgroupParent = "/" + parent
	t.Cleanup(func() {
		found, _ := filepath.Glob("/sys/fs/cgroup/*/" + parent)
		for _, dir := range append(found, "/sys/fs/cgroup/"+parent) {
			os.Remove(dir) //nolint:errcheck // what is left is found below
		}
	})
	c := b.Run(spec)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Main.Pid))
	if err != nil || !strings.Contains(string(text), "/"+parent+"/"+string(spec.ID)) {
		t.Errorf("control group: %q, %v", text, err)
	}
	if err := b.Runtime.Pause(t.Context(), spec.ID); err != nil {
		t.Errorf("pause under another parent: %v", err)
	}
	c.Remove()
	if left, _ := filepath.Glob("/sys/fs/cgroup/*/" + parent + "/*/cgroup.procs"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func testInit(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("sh", "-c", "ps; testbox orphan 0.05; sleep 0.3; ps; exit 9")
	spec.Init = true
	out := b.Run(spec).Main.Wait(9)
	if !strings.HasPrefix(out, "1 /sbin/docker-init -- sh -c ") {
		t.Errorf("processes: %q", out)
	}
	if _, after, _ := strings.Cut(out, "left "); strings.Contains(after, "sleep 0.05") {
		t.Errorf("the orphan was not reaped: %q", after)
	}
	spec = b.Describe("signals", "4")
	spec.Init = true
	c := b.Run(spec)
	c.Main.Shows("ready")
	c.Main.Signal(15)
	c.Main.Wait(4)
	spec = b.Describe("nosuch")
	spec.Init = true
	c = b.Run(spec)
	if c.Main.Wait(127); !strings.Contains(c.Main.Stderr(), "exec nosuch failed") {
		t.Errorf("stderr: %q", c.Main.Stderr())
	}
	// It is no business of a container in another's process namespace.
	spec = b.Describe("sleep", "0")
	spec.Init, spec.Spec.Security.PidMode = true, "host"
	b.Run(spec).Main.Wait(0)
}

func testTreeExit(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("testbox", "orphan", "2")
	spec.Spec.TreeExit = true
	c := b.Run(spec)
	c.Main.Shows("left ")
	if pids, err := b.Runtime.Processes(t.Context(), spec.ID, c.Box, nil); err != nil || len(pids.Rows) < 2 {
		t.Errorf("after main's end: %q, %v", pids.Rows, err)
	}
	c.Main.Wait(0)
}

// testInterrupted leaves what a daemon leaves that is killed half-way, and takes it away by another one.
func testInterrupted(t *testing.T, b *runtimetest.Bench) {
	c := b.Create(b.Describe("true"))
	state := filepath.Dir(filepath.Dir(c.Box.NetNS))
	record := filepath.Join(state, "oci", string(c.Spec.ID), "sandbox.json")
	for _, broken := range []func() error{
		func() error { return os.Truncate(record, 5) },
		func() error { return os.Remove(record) },
		func() error { return os.RemoveAll(filepath.Dir(record)) },
	} {
		if err := broken(); err != nil {
			t.Fatal(err)
		}
		ids, err := b.Runtime.Sandboxes(t.Context())
		if err != nil || len(ids) != 1 || ids[0].Short() != c.Spec.ID.Short() {
			t.Errorf("sandboxes: %v, %v", ids, err)
		}
		if err := b.Runtime.RemoveSandbox(t.Context(), ids[0], c.Spec.Dir); err != nil {
			t.Errorf("remove: %v", err)
		}
		if _, err := b.Runtime.CreateSandbox(t.Context(), c.Spec); err != nil {
			t.Fatal(err)
		}
	}
	// A pin that was made as a file and not mounted.
	if err := b.Runtime.RemoveSandbox(t.Context(), c.Spec.ID, c.Spec.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Box.NetNS, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	box, err := b.Runtime.CreateSandbox(t.Context(), c.Spec)
	if err != nil || box != c.Box {
		t.Errorf("over a half-made pin: %+v, %v", box, err)
	}
}

// testRepinned takes away a pin as the end of an earlier daemon's mount namespace does.
func testRepinned(t *testing.T, b *runtimetest.Bench) {
	c := b.Run(b.Describe("sleep", "100000"))
	if err := unix.Unmount(c.Box.NetNS, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	box, err := b.Runtime.FindSandbox(t.Context(), c.Spec.ID, c.Spec.Dir)
	if err != nil || box != c.Box {
		t.Fatalf("found %+v, %v; want %+v", box, err, c.Box)
	}
	var pin, own unix.Stat_t
	if err := unix.Stat(box.NetNS, &pin); err != nil {
		t.Fatal(err)
	}
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/net", c.Main.Pid), &own); err != nil || pin.Ino != own.Ino {
		t.Errorf("pinned %d, the container's is %d (%v)", pin.Ino, own.Ino, err)
	}
}

func testCreateFails(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("true")
	spec.Spec.Security.IpcMode = "shareable"
	if err := os.WriteFile(filepath.Join(spec.Dir, "bundle"), nil, 0o600); err != nil { // in the way of the last step
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // and nobody waits for the undoing
	if _, err := b.Runtime.CreateSandbox(ctx, spec); err == nil {
		t.Fatal("no error")
	}
	if ids, err := b.Runtime.Sandboxes(t.Context()); err != nil || len(ids) > 0 {
		t.Errorf("left: %v, %v", ids, err)
	}
	if left, err := os.ReadDir(spec.Dir); err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.Name() == "shm" }) {
		t.Errorf("left: %v, %v", left, err)
	}
}

func testPropagation(t *testing.T, b *runtimetest.Bench) {
	spec := b.Describe("true")
	spec.Mounts = []engine.Mount{{Kind: engine.MountBind, Source: b.HostDir("p"), Target: "/p", Propagation: "rshared"}}
	err := b.Create(spec).Launch()
	info, readErr := os.ReadFile("/proc/self/mountinfo")
	if readErr != nil {
		t.Fatal(readErr)
	}
	if strings.Contains(string(info), " shared:") {
		t.Skip("this host's mounts are shared; what then holds depends on them")
	}
	if err == nil || !strings.Contains(err.Error(), "but it is not a shared mount") {
		t.Errorf("shared on a private mount: %v", err)
	}
}

// What a container names is what makes it, starts its execs and changes its limits.
func testRuntimes(t *testing.T, b *runtimetest.Bench) {
	about := b.Runtime.Capabilities()
	programs := maps.Clone(about.Runtimes)
	programs[""] = about.RuntimePath
	for name, path := range programs {
		spec := b.Describe("sleep", "100000")
		spec.Spec.Runtime = name
		if about.MemoryLimit {
			spec.Spec.Resources.Memory = 64 << 20
		}
		if _, err := b.Runtime.Check(t.Context(), spec); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		c := b.Run(spec)
		if got := c.MustExec("echo", "x"); got != "x\n" {
			t.Errorf("%q: an exec says %q", name, got)
		}
		if about.MemoryLimit {
			if err := b.Runtime.Update(t.Context(), spec.ID, engine.Resources{Memory: 128 << 20, MemorySwap: 128 << 20}); err != nil {
				t.Errorf("%q: update: %v", name, err)
			}
		}
		state := map[string]string{"runc": "state.json", "crun": "status"}[filepath.Base(path)]
		if state == "" {
			t.Fatalf("%q is neither runc nor crun", path)
		}
		noted := filepath.Join(spec.Dir, "..", "..", "oci", string(spec.ID), "runtime", string(spec.ID), state)
		if _, err := os.Stat(noted); err != nil {
			t.Errorf("%q was not made by %s: %v", name, path, err)
		}
		c.Remove()
	}
	spec := b.Describe("true")
	spec.Spec.Runtime = "nosuch"
	for what, err := range map[string]error{
		"check":  func() error { _, err := b.Runtime.Check(t.Context(), spec); return err }(),
		"create": func() error { _, err := b.Runtime.CreateSandbox(t.Context(), spec); return err }(),
	} {
		if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), "unknown or invalid runtime name: nosuch") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
