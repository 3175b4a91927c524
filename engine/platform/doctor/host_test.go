package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine/internal/runner"
)

// machine is a FreeBSD host in memory: its tools print what the real ones do and change it as they do.
type machine struct {
	files    map[string]string
	sysctl   map[string]string
	rc       map[string]string
	modules  []string // loaded ones that are not in the kernel
	builtin  []string
	pools    []string // lines of zpool list
	root     string   // dataset of /
	datasets map[string]Dataset
	pf       bool
	pfNat    string // rules in force
	rulesets string
	tools    []string
	free     uint64
	native   string // version of the daemon that answers; "" none
	docker   string
	starts   bool // service xcd start works
	ran      []string
}

// generic is a host as the installer leaves it: ZFS on root, nothing for containers, the package installed.
func generic() *machine {
	return &machine{
		files: map[string]string{
			"/boot/loader.conf": "kern.geom.label.disk_ident.enable=\"0\"\nzfs_load=\"YES\"\n", "/etc/sysctl.conf": "# none\n",
			"/etc/group": "wheel:*:0:root\noperator:*:5:root\n", rcScript: "#!/bin/sh\n",
			"/boot/kernel/pf.ko": "", "/boot/kernel/if_epair.ko": "", "/boot/kernel/if_bridge.ko": "", "/boot/kernel/linux64.ko": "",
			"/boot/kernel/linprocfs.ko": "", "/boot/kernel/linsysfs.ko": "", "/boot/kernel/fdescfs.ko": "", "/boot/kernel/nullfs.ko": "",
			"/boot/kernel/dtraceall.ko": "",
		},
		sysctl: map[string]string{
			"kern.osrelease": "14.3-RELEASE", "kern.securelevel": "-1", "security.jail.jailed": "0", "kern.features.vimage": "1", "kern.racct.enable": "0",
			"kern.elf64.fallback_brand": "-1", "net.inet.ip.forwarding": "0", "net.inet6.ip6.forwarding": "0",
		},
		rc:      map[string]string{"zfs_enable": "YES", "gateway_enable": "NO"},
		modules: []string{"zfs"}, builtin: []string{"tmpfs", "ufs"},
		pools: []string{"zroot\tONLINE\t50000000000\t12"}, root: "zroot/ROOT/default", datasets: map[string]Dataset{},
		rulesets: "1\n2\n3\n4\n5\n", tools: []string{"xcd", "xc-shim"}, free: 40 << 30, starts: true,
	}
}

func (m *machine) source() Source {
	return Source{
		Run: m, Ask: m, Root: true,
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := m.files[path]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
		Exists: func(path string) bool {
			_, ok := m.files[path]
			return ok || path == defaultSocket && m.native != "" || path == dockerSocket && m.docker != ""
		},
		Look: func(program string) (string, error) {
			if slices.Contains(m.tools, program) {
				return "/usr/local/sbin/" + program, nil
			}
			return "", errors.New("not found")
		},
		Disk: func(string) (uint64, uint64, error) { return m.free, 100 << 30, nil },
	}
}

func (m *machine) Native(context.Context, string) (string, []string, error) {
	if m.native == "" {
		return "", nil, errors.New("refused")
	}
	return m.native, nil, nil
}

func (m *machine) Docker(context.Context, string) (string, error) {
	if m.docker == "" {
		return "", errors.New("refused")
	}
	return m.docker, nil
}

// Run implements runner.Runner.
func (m *machine) Run(_ context.Context, c runner.Cmd) (runner.Result, error) {
	line := strings.Join(c.Argv, " ")
	if out, ok := m.shown(line, c.Argv); ok {
		return runner.Result{Stdout: out}, nil
	}
	m.ran = append(m.ran, line)
	return runner.Result{}, m.change(line, c.Argv)
}

// shown is what tools that change nothing print.
func (m *machine) shown(line string, argv []string) (string, bool) {
	switch {
	case strings.HasPrefix(line, "/sbin/sysctl -ei "):
		return printed(m.sysctl, argv[2:], "%s=%s\n"), true
	case strings.HasPrefix(line, "/usr/sbin/sysrc -ei "):
		return printed(m.rc, argv[2:], "%s=%q\n"), true
	case line == "/sbin/kldstat -v":
		return m.kldstat(), true
	case line == "/sbin/pfctl -s info":
		if m.pf {
			return "Status: Enabled for 0 days 00:00:07           Debug: Urgent\n", true
		}
		return "Status: Disabled                              Debug: Urgent\n", true
	case line == "/sbin/pfctl -s nat", line == "/sbin/pfctl -s rules":
		return m.pfNat, true
	case line == "/sbin/devfs rule showsets":
		return m.rulesets, true
	case strings.HasPrefix(line, "/sbin/zpool list"):
		return strings.Join(m.pools, "\n") + "\n", true
	case line == "/sbin/zfs list -H -o name /":
		return m.root + "\n", true
	case strings.HasPrefix(line, "/sbin/zfs get"):
		d := m.datasets[argv[len(argv)-1]]
		return printed(d, slices.Sorted(maps.Keys(d)), "%s\t%s\n"), true
	}
	return "", false
}

func printed(values map[string]string, names []string, format string) string {
	var b strings.Builder
	for _, n := range names {
		if v, ok := values[n]; ok {
			fmt.Fprintf(&b, format, n, v)
		}
	}
	return b.String()
}

func (m *machine) kldstat() string {
	var b strings.Builder
	b.WriteString("Id Refs Address                Size Name\n 1   40 0xffffffff80200000  1f3e2d0 kernel (/boot/kernel/kernel)\n\tContains modules:\n\t\t Id Name\n")
	for i, name := range m.builtin {
		fmt.Fprintf(&b, "\t\t%3d %s\n", i+1, name)
	}
	for i, name := range m.modules {
		fmt.Fprintf(&b, "%2d    1 0xffffffff82e1f000    1e0d8 %s.ko (/boot/kernel/%s.ko)\n\tContains modules:\n\t\t Id Name\n\t\t%3d %s_mod\n", i+2, name, name, 100+i, name)
	}
	return b.String()
}

// change does what a tool does.
func (m *machine) change(line string, argv []string) error {
	last := argv[len(argv)-1]
	switch {
	case strings.HasPrefix(line, "kldload -n "):
		m.modules = append(m.modules, last)
	case strings.HasPrefix(line, "sysrc "):
		if name, value, ok := strings.Cut(last, "+="); ok {
			m.rc[name] = strings.TrimSpace(m.rc[name] + " " + value)
		} else if name, value, ok := strings.Cut(last, "="); ok {
			m.rc[name] = value
		}
	case strings.HasPrefix(line, "sysctl "):
		name, value, _ := strings.Cut(last, "=")
		m.sysctl[name] = value
	case strings.HasPrefix(line, "zfs create "):
		m.datasets[last] = Dataset{"type": "filesystem", "mountpoint": "/" + last, "canmount": "on"}
	case strings.HasPrefix(line, "zfs set "):
		name, value, _ := strings.Cut(argv[2], "=")
		m.datasets[last][name] = value
	case line == "service pf start", line == "service pf reload":
		m.pf, m.pfNat = true, m.files[pfConf]
	case line == "service devfs restart":
		m.rulesets = "1\n2\n3\n4\n5\n"
	case line == "service xcd restart":
		if m.rc["xcd_enable"] != "YES" || !m.starts {
			return &runner.Error{Argv: argv, Code: 1, Stderr: "xcd does not start\n", Err: errors.New("exit status 1")}
		}
		m.native = "1.0"
	case strings.HasPrefix(line, "pw groupadd "):
		m.files["/etc/group"] += last + ":*:1001:\n"
	case strings.HasPrefix(line, "pw groupmod "):
		m.files["/etc/group"] = strings.Replace(m.files["/etc/group"], argv[2]+":*:1001:", argv[2]+":*:1001:"+last, 1)
	default:
		return fmt.Errorf("%s: no such tool here", line)
	}
	return nil
}

// setup does a plan, and reports the names of what failed.
func (m *machine) setup(plan []Finding) []string {
	var failed []string
	for _, f := range plan {
		for _, s := range f.Steps {
			switch s := s.(type) {
			case Edit:
				m.files[s.Path] = s.New
			case Command:
				if _, err := m.Run(context.Background(), runner.Cmd{Argv: s.Argv}); err != nil {
					failed = append(failed, f.ID)
				}
			}
		}
	}
	return failed
}

// reboot is what a boot makes of loader.conf, sysctl.conf and rc.conf.
func (m *machine) reboot() {
	m.sysctl["kern.racct.enable"] = firstOf(assignment(m.files[loaderConf], "kern.racct.enable"), "0")
	m.sysctl["kern.elf64.fallback_brand"] = firstOf(assignment(m.files[sysctlConf], "kern.elf64.fallback_brand"), "-1")
	m.sysctl["net.inet.ip.forwarding"] = "0"
	if yes(m.rc["gateway_enable"]) {
		m.sysctl["net.inet.ip.forwarding"] = "1"
	}
	m.modules = append(strings.Fields(m.rc["kld_list"]), "zfs")
	if m.pf = yes(m.rc["pf_enable"]); m.pf {
		m.modules, m.pfNat = append(m.modules, "pf"), m.files[pfConf]
	}
	if m.native = ""; yes(m.rc["xcd_enable"]) {
		m.native = "1.0"
	}
}
