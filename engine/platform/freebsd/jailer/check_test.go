package jailer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/freebsd/devfs"
	"github.com/xcengine/xc/engine/platform/freebsd/jail"
	"github.com/xcengine/xc/engine/platform/freebsd/jail/launch"
	"github.com/xcengine/xc/engine/platform/freebsd/linuxulator"
	"github.com/xcengine/xc/engine/platform/freebsd/sysctl"
)

// thirteen is a host with FreeBSD 13.2.
func thirteen() host {
	missing := []string{"allow.settime", "allow.setaudit", "allow.adjtime", "allow.mount.linprocfs", "allow.mount.zfs", "bogus"}
	return host{
		arch: "amd64", release: "13.2-RELEASE", processors: 2, racct: true, noNewPrivs: true,
		linux: linuxulator.State{Modules: map[string]bool{"linux64": true, "linprocfs": true, "linsysfs": true, "fdescfs": true}, Fallback: 3},
		knows: func(p string) bool { return !slices.Contains(missing, p) }, secureLevel: 1,
		dataset: func(name string, _ []string) (map[string]string, error) {
			return map[string]map[string]string{
				"tank/db": {"type": "filesystem", "compression": "lz4"}, "tank/other": {"type": "filesystem", "compression": "off"}, "tank/x@y": {"type": "snapshot"},
			}[name], nil
		},
		sysctl: func(name string) (sysctl.Variable, error) {
			switch {
			case strings.HasPrefix(name, "net.inet."):
				return sysctl.Variable{Kind: 0xc0020002}, nil
			case strings.HasPrefix(name, "kern."):
				return sysctl.Variable{Kind: 0xc0000002}, nil
			}
			return sysctl.Variable{}, fs.ErrNotExist
		},
	}
}

func TestCheck(t *testing.T) {
	pids, freebsd := int64(5), engine.Platform{OS: "freebsd", Architecture: "amd64"}
	for name, tc := range map[string]struct {
		change    func(*engine.SandboxSpec, *host)
		warn, err []string // parts of each
	}{
		"plain":   {change: func(*engine.SandboxSpec, *host) {}},
		"windows": {change: func(s *engine.SandboxSpec, _ *host) { s.Platform.OS = "windows" }, err: []string{`"windows" cannot be used`}},
		"arm":     {change: func(s *engine.SandboxSpec, _ *host) { s.Platform.Architecture = "arm64" }, err: []string{"architecture arm64"}},
		"linux":   {change: func(s *engine.SandboxSpec, _ *host) { s.Platform.OS = "linux" }},
		"linux, no module": {
			change: func(s *engine.SandboxSpec, h *host) {
				s.Platform.OS, h.linux = "linux", linuxulator.State{Fallback: -1}
			},
			warn: []string{"fallback_brand"}, err: []string{"linux64 is not loaded", "linprocfs is not loaded"},
		},
		"no accounting": {
			change: func(s *engine.SandboxSpec, h *host) { s.Spec.Resources.PidsLimit, h.racct = &pids, false },
			warn:   []string{"kern.racct.enable=1"},
		},
		"little memory": {change: func(s *engine.SandboxSpec, _ *host) { s.Spec.Resources.Memory = 4096 }, err: []string{"6MB"}},
		"pid mode":      {change: func(s *engine.SandboxSpec, _ *host) { s.Spec.Security.PidMode = "host" }, err: []string{"pid mode host"}},
		"ipc of a stranger": {
			change: func(s *engine.SandboxSpec, _ *host) { s.Spec.Security.IpcMode = "container:x" }, err: []string{"ipc mode"},
		},
		"sysctls": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.Spec.Security.Sysctls = map[string]string{"net.inet.ip.ttl": "70", "net.inet.tcp.x": "many", "kern.maxfiles": "1", "net.ipv4.x": "1"}
			},
			err: []string{"net.inet.tcp.x=many: not a number", "kern.maxfiles is the whole host's", "net.ipv4.x: FreeBSD has none"},
		},
		"sysctl without a stack": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.HostNetwork, s.Spec.Security.Sysctls = true, map[string]string{"net.inet.ip.ttl": "70"}
			},
			err: []string{"none of its own"},
		},
		"capabilities": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.Spec.Security.CapAdd, s.Spec.Security.CapDrop = []string{"CAP_SYS_TIME", "sys_module", "NET_ADMIN", "FLY"}, []string{"ALL"}
			},
			warn: []string{"no allow.settime", "no allow.adjtime", "SYS_MODULE is not added", "ALL is not dropped"}, err: []string{`"FLY"`},
		},
		"a capability that a stack brings": {
			change: func(s *engine.SandboxSpec, _ *host) { s.Spec.Security.CapDrop = []string{"NET_RAW"} },
			warn:   []string{"NET_RAW is not dropped"},
		},
		"a capability that no stack brings": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.HostNetwork, s.Spec.Security.CapDrop = true, []string{"NET_RAW"}
			},
		},
		"ulimits": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.Spec.Resources.Ulimits = []engine.Ulimit{{Name: "nofile", Soft: 9, Hard: 8}, {Name: "rtprio", Soft: 1, Hard: 1}, {Name: "x"}, {Name: "core", Soft: 1, Hard: -1}}
			},
			warn: []string{"rtprio"}, err: []string{"soft limit", "invalid ulimit type: x"},
		},
		"keys": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.Spec.Jail = engine.JailSpec{Params: map[string]string{"path": "/", "bogus": "1"}, DevfsRules: []string{"../x"}}
			},
			err: []string{"not a path below /dev", "jail parameter path: the engine sets it"},
		},
		"unknown parameter": {
			change: func(s *engine.SandboxSpec, _ *host) { s.Spec.Jail.Params = map[string]string{"bogus": "1"} },
			err:    []string{"bogus: this kernel has none"},
		},
		"a level that there is not": {
			change: func(s *engine.SandboxSpec, _ *host) { s.Spec.Jail.Params = map[string]string{"securelevel": "4"} }, err: []string{"must be -1 to 3"},
		},
		"a module that is not loaded": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.Spec.Jail.Params = map[string]string{"allow.mount.linprocfs": "true"}
			},
			err: []string{"none of that name (kldload linprocfs)"},
		},
		"datasets": {
			change: func(s *engine.SandboxSpec, h *host) {
				h.knows = func(string) bool { return true }
				for name, props := range map[string]map[string]string{"tank/db": {"compression": "lz4"}, "tank/other": {"compression": "lz4"}, "tank/none": nil, "tank/x@y": nil} {
					s.Spec.Jail.Datasets = append(s.Spec.Jail.Datasets, engine.JailDataset{Dataset: engine.Dataset{Name: name}, Props: props})
				}
			},
			err: []string{`dataset tank/other: the image needs compression=lz4, it is "off" (zfs set compression=lz4 tank/other)`, "dataset tank/none: it does not exist", "it is a snapshot"},
		},
		"own stack on the host's network": {
			change: func(s *engine.SandboxSpec, _ *host) { on := true; s.HostNetwork, s.Spec.Jail.VNET = true, &on }, err: []string{"xc.vnet: the network is the host's"},
		},
		"devices": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.Spec.Resources.Devices = []engine.Device{{HostPath: "/dev/bpf"}, {HostPath: "/etc/passwd"}, {HostPath: "/dev/a", Path: "/dev/b"}}
			},
			err: []string{"/etc/passwd: not below /dev", "cannot be called /dev/b"},
		},
		"tmpfs": {change: func(s *engine.SandboxSpec, _ *host) { s.Spec.Tmpfs = map[string]string{"/t": "size=x"} }, err: []string{`"size=x"`}},
		"security": {
			change: func(s *engine.SandboxSpec, _ *host) {
				s.Spec.Security.Options = []string{"seccomp={}", "apparmor=unconfined", "no-new-privileges", "label=disable", "what=ever"}
			},
			warn: []string{"seccomp"}, err: []string{`"what=ever"`},
		},
		"processors": {change: func(s *engine.SandboxSpec, _ *host) { s.Spec.Resources.CPUSetCPUs = "0-7" }, err: []string{"available: 0-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, s := thirteen(), engine.SandboxSpec{ID: "0123456789abcdef", Platform: freebsd, Spec: engine.Spec{Hostname: "h"}}
			tc.change(&s, &h)
			warnings, err := check(s, h)
			holds(t, "warnings", strings.Join(warnings, "\n"), tc.warn)
			text := ""
			if err != nil {
				text = err.Error()
				if engine.KindOf(err) != engine.Invalid {
					t.Errorf("kind %v", engine.KindOf(err))
				}
			}
			holds(t, "error", text, tc.err)
		})
	}
}

func holds(t *testing.T, what, text string, parts []string) {
	t.Helper()
	if (text == "") != (len(parts) == 0) {
		t.Errorf("%s: %q, want %q", what, text, parts)
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s: %q, want %q in it", what, text, p)
		}
	}
}

func TestConfigOf(t *testing.T) {
	off := false
	jailed := func(j engine.JailSpec) engine.SandboxSpec { return engine.SandboxSpec{Spec: engine.Spec{Jail: j}} }
	peer := engine.Peer{ID: "aa", Sandbox: engine.Sandbox{Jail: "xc-aaaaaaaaaaaa"}}
	for name, tc := range map[string]struct {
		spec    engine.SandboxSpec
		release string
		want    string
	}{
		"own stack": {engine.SandboxSpec{}, "13.2-RELEASE-p1", "xc-0123456789ab vnet=true net=false [] map[] "},
		"shared":    {jailed(engine.JailSpec{VNET: &off}), "", "xc-0123456789ab vnet=false net=false [] map[] "},
		"host":      {engine.SandboxSpec{HostNetwork: true}, "", "xc-0123456789ab vnet=false net=true [] map[] "},
		"peer":      {engine.SandboxSpec{NetworkOf: peer}, "", "xc-aaaaaaaaaaaa.xc-0123456789ab vnet=false net=true [] map[] "},
		"older":     {engine.SandboxSpec{}, "12.4-RELEASE-p3", "xc-0123456789ab vnet=true net=false [] map[] 12.4-RELEASE-p3 1204000"},
		"newer":     {engine.SandboxSpec{}, "14.1-RELEASE", "xc-0123456789ab vnet=true net=false [] map[] "},
		"cap-add":   {engine.SandboxSpec{Spec: engine.Spec{Security: engine.Security{CapAdd: []string{"IPC_LOCK", "SYS_TIME"}}}}, "", "xc-0123456789ab vnet=true net=false [mlock] map[] "},
		"cap-drop":  {engine.SandboxSpec{Spec: engine.Spec{Security: engine.Security{CapDrop: []string{"ALL"}, CapAdd: []string{"NET_BIND_SERVICE"}}}}, "", "xc-0123456789ab vnet=true net=false [reserved_ports] map[allow.chflags:false allow.raw_sockets:false] "},
		"parameter": {jailed(engine.JailSpec{VNET: &off, Params: map[string]string{"allow.mlock": "true"}}), "", "xc-0123456789ab vnet=false net=false [] map[allow.mlock:true] "},
		"dataset":   {jailed(engine.JailSpec{Datasets: []engine.JailDataset{{Dataset: engine.Dataset{Env: "DS", Name: "tank/x"}}}}), "", "xc-0123456789ab vnet=true net=false [mount mount.zfs] map[] "},
	} {
		tc.spec.ID = "0123456789abcdef"
		w, errs := readWish(tc.spec.Spec)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		c, err := configOf(tc.spec, w, thirteen(), tc.release)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := strings.TrimRight(strings.Join([]string{c.Name, sprint("vnet=", c.VNET), sprint("net=", c.InheritNet), sprint("", c.Allow), sprint("", c.Params), c.OSRelease, sprintNonzero(c.OSRelDate)}, " "), " ") + " "
		if strings.TrimSpace(got) != strings.TrimSpace(tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// A container joins the jail that has the stack, be the one it names in that jail itself.
func TestShared(t *testing.T) {
	for _, tc := range []struct {
		name string
		ipc  bool
		want string
	}{
		{"xc-aaaaaaaaaaaa", false, "xc-aaaaaaaaaaaa"},
		{"xc-aaaaaaaaaaaa.xc-bbbbbbbbbbbb", false, "xc-aaaaaaaaaaaa"},
		{"xc-aaaaaaaaaaaa-7.xc-bbbbbbbbbbbb", false, "xc-aaaaaaaaaaaa-7"},
		{"xc-aaaaaaaaaaaa.xc-bbbbbbbbbbbb", true, "xc-aaaaaaaaaaaa.xc-bbbbbbbbbbbb"},
	} {
		if got := shared(tc.name, tc.ipc); got != tc.want {
			t.Errorf("%s, ipc %v: %s, want %s", tc.name, tc.ipc, got, tc.want)
		}
	}
}

// What an image asks of its jail, as jail_set(2) gets it.
func TestParamsOfAnImage(t *testing.T) {
	params := map[string]string{
		"allow.raw_sockets": "true", "allow.mount": "false", "securelevel": "-1", "sysvmsg": "disable", "sysvshm": "inherit", "children.max": "4", "linux.osname": "Linux2",
		"linux.osrelease": "5.1.2", "osrelease": "13.0-RELEASE", "osreldate": "1300139",
	}
	s := engine.SandboxSpec{ID: "0123456789abcdef", Root: "/r", Platform: engine.Platform{OS: "linux"}, Spec: engine.Spec{Hostname: "h", Jail: engine.JailSpec{Params: params}}}
	w, errs := readWish(s.Spec)
	c, err := configOf(s, w, thirteen(), "")
	l, rendered := jail.Params(c)
	if err := errors.Join(append(errs, err, rendered)...); err != nil {
		t.Fatal(err)
	}
	want := jail.Config{
		Name: "xc-0123456789ab", Root: "/r", Hostname: "h", VNET: true, EnforceStatfs: 1, ChildrenMax: 4, Linux: true, LinuxRelease: "5.1.2",
		OSRelease: "13.0-RELEASE", OSRelDate: 1300139, Securelevel: c.Securelevel, SysVMsg: "disable", SysVShm: "inherit",
		Params: map[string]string{"allow.raw_sockets": "true", "allow.mount": "false", "linux.osname": "Linux2"},
	}
	if diff := cmp.Diff(want, c, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if *c.Securelevel != 1 {
		t.Errorf("secure level %d below the host's", *c.Securelevel)
	}
	given := map[string]int{}
	for _, p := range l {
		given[p.Name]++
	}
	for name, n := range given {
		if n > 1 && name != "allow.raw_sockets" {
			t.Errorf("%s is given %d times", name, n)
		}
	}
	if given["allow.nomount"] != 1 || given["securelevel"] != 1 {
		t.Errorf("given: %v", given)
	}
	plan, err := planOf(engine.SandboxSpec{Spec: engine.Spec{Jail: engine.JailSpec{Mounts: []engine.SpecialMount{{Type: "procfs", Target: "/proc"}, {Type: "fdescfs", Target: "/dev/fd"}}}}}, 7)
	var lines []string
	for _, m := range plan {
		lines = append(lines, m.FS+" "+m.Target)
	}
	if diff := cmp.Diff([]string{"devfs /dev", "procfs /proc", "fdescfs /dev/fd"}, lines); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestDatasets(t *testing.T) {
	if diff := cmp.Diff(map[string]string{"type": "filesystem", "compression": "lz4"}, parseProperties("type\tfilesystem\ncompression\tlz4\nbroken\n")); diff != "" {
		t.Error(diff)
	}
	for _, tc := range []struct {
		a, b string
		want bool
	}{{"t/a", "t/a", true}, {"t/a", "t/a/b", true}, {"t/a/b", "t/a", true}, {"t/a", "t/ab", false}} {
		if got := overlap(tc.a, tc.b); got != tc.want {
			t.Errorf("%s and %s: %v", tc.a, tc.b, got)
		}
	}
}

func TestTunnels(t *testing.T) {
	if g := tunnelGroup("0123456789abcdef"); len(g) > 15 || strings.ContainsAny(g[len(g)-1:], "0123456789") {
		t.Errorf("group %q", g)
	}
	for name, want := range map[string]bool{"tap0": true, "tap12": true, "tap": false, "tun0": false, "tap0 ": false, "tap0; x": false} {
		if got := validTunnel(name, engine.Tunnel{}); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	if !validTunnel("tun3", engine.Tunnel{Tun: true}) {
		t.Error("tun3 is none")
	}
}

func TestRulesOf(t *testing.T) {
	has := func(j engine.JailSpec, path string) bool {
		s := engine.Spec{Jail: j}
		w, errs := readWish(s)
		rules, err := rulesOf(s, w)
		if len(errs) > 0 || err != nil {
			t.Fatal(errs, err)
		}
		return slices.ContainsFunc(rules, func(r devfs.Rule) bool { return r.Path == path && !r.Hide })
	}
	if has(engine.JailSpec{}, "zfs") {
		t.Error("a container without a dataset sees /dev/zfs")
	}
	if !has(engine.JailSpec{Datasets: []engine.JailDataset{{Dataset: engine.Dataset{Name: "tank/x"}}}}, "zfs") {
		t.Error("a container with a dataset cannot speak to ZFS")
	}
	if !has(engine.JailSpec{DevfsRules: []string{"bpf*"}}, "bpf*") {
		t.Error("a label's rule is not there")
	}
}

func TestUserland(t *testing.T) {
	for script, want := range map[string]string{
		"#!/bin/sh\nUSERLAND_VERSION=\"13.2-RELEASE-p4\"\n": "13.2-RELEASE-p4", "USERLAND_VERSION='14.0-CURRENT'": "14.0-CURRENT", "USERLAND_VERSION=$(id)": "", "": "",
	} {
		if got := userland(script); got != want {
			t.Errorf("%q: %q", script, got)
		}
	}
}

func TestPs(t *testing.T) {
	for _, bad := range [][]string{{"-M", "/x"}, {"-axM/x"}, {"-J", "0"}, {"aux", "1"}, {"-p1"}, {"-o", "pid", "-N", "x"}} {
		if got, err := psArgs(bad); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
	for _, good := range [][]string{{"aux"}, {"-o", "pid,args"}, {"-opid,Mem"}, {"-axww"}} {
		if _, err := psArgs(good); err != nil {
			t.Error(err)
		}
	}
	table, err := parsePs("  PID TT  COMMAND\n  12  -  /bin/sh -c sleep  1\n13 -\n")
	want := engine.ProcessTable{Titles: []string{"PID", "TT", "COMMAND"}, Rows: [][]string{{"12", "-", "/bin/sh -c sleep  1"}}}
	if diff := cmp.Diff(want, table); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestPsComplaint(t *testing.T) {
	for said, want := range map[string]string{
		"ps: nosuch: keyword not found\nps: no valid keywords; valid keywords:\n%cpu acflag\n": "ps: nosuch: keyword not found",
		"": "", "Killed\n": "",
	} {
		if got := psComplaint(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

func FuzzParseProcs(f *testing.F) {
	f.Add(make([]byte, kinfoSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if all, err := parseProcs(b); err == nil && len(all) != len(b)/kinfoSize {
			t.Errorf("%d of %d bytes", len(all), len(b))
		}
	})
}

func TestEnvironment(t *testing.T) {
	got := environment("/bin", "h", true, []string{"A=1", "PATH=/x"}, []string{"A=2", "HOSTNAME"})
	if diff := cmp.Diff([]string{"PATH=/x", "TERM=xterm", "A=2"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestBeyond(t *testing.T) {
	for _, tc := range []struct {
		now, old []string
		want     bool
	}{{nil, nil, false}, {[]string{"a"}, nil, true}, {[]string{"a"}, []string{"a"}, false}, {[]string{"a", "b"}, []string{"a"}, true}, {[]string{"b"}, []string{"a", "b"}, false}} {
		if got := beyond(tc.now, tc.old); got != tc.want {
			t.Errorf("%q beyond %q: %v", tc.now, tc.old, got)
		}
	}
}

func sprint(label string, v any) string { return label + fmt.Sprint(v) }

func sprintNonzero(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func TestChain(t *testing.T) {
	s := engine.SandboxSpec{Platform: engine.Platform{OS: "freebsd"}, Spec: engine.Spec{Hostname: "h", TreeExit: true, Persist: true}}
	s.Spec.Before = []engine.Step{{Process: engine.ProcessSpec{Cmd: []string{"/etc/rc", "x"}, Env: []string{"A=1"}, User: "www"}, Timeout: time.Minute}}
	s.Spec.After = []engine.Step{{Process: engine.ProcessSpec{Cmd: []string{"stop"}, WorkDir: "/srv"}}}
	var p launch.Payload
	chain(&p, s, wish{made: []made{{"TAP", "tap7"}}, JailSpec: engine.JailSpec{Datasets: []engine.JailDataset{{Dataset: engine.Dataset{Env: "DS", Name: "t/x"}}, {Dataset: engine.Dataset{Name: "t/y"}}}}})
	env := []string{"PATH=" + freebsdPath, "HOSTNAME=h", "DS=t/x", "TAP=tap7"}
	want := launch.Payload{
		Persist: true, All: true, Before: []launch.Step{{Args: []string{"/etc/rc", "x"}, Env: append(slices.Clip(env), "A=1"), Cwd: "/", User: "www", Timeout: time.Minute}},
		After: []launch.Step{{Args: []string{"stop"}, Env: env, Cwd: "/srv"}},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	p = launch.Payload{}
	chain(&p, engine.SandboxSpec{Spec: engine.Spec{TreeExit: true}}, wish{})
	if p.All {
		t.Error("the shim waits for descendants by itself where nothing else is to be done")
	}
}
