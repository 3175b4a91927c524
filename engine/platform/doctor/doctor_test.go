package doctor

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func (m *machine) examine(t *testing.T, o Options) Report {
	t.Helper()
	return Examine(m.source().gatherFreeBSD(t.Context()), o)
}

// described is a report and its plan as they are shown.
func described(r Report) string {
	var b strings.Builder
	b.WriteString(r.Text(true))
	for _, f := range r.Plan(nil) {
		b.WriteString("\n" + f.Describe())
	}
	return b.String()
}

func TestReports(t *testing.T) {
	for name, change := range map[string]func(*machine){
		"generic": func(*machine) {},
		"ufs": func(m *machine) {
			m.pools, m.root, m.datasets, m.modules, m.rc = nil, "", nil, nil, map[string]string{}
			m.files["/boot/kernel/zfs.ko"] = ""
		},
		"hardened": func(m *machine) {
			m.sysctl["kern.securelevel"], m.sysctl["security.jail.jailed"], m.sysctl["kern.features.vimage"] = "3", "1", "0"
			delete(m.sysctl, "kern.racct.enable")
			m.sysctl["kern.osrelease"], m.sysctl["kern.elf64.fallback_brand"] = "12.4-RELEASE", "9"
			m.sysctl["net.link.bridge.pfil_member"], m.sysctl["net.link.bridge.pfil_bridge"] = "1", "0"
			m.files[pfConf] = "block all\npass out all keep state\n"
			delete(m.files, "/boot/kernel/linux64.ko")
			delete(m.files, rcScript)
			m.tools, m.rulesets, m.free, m.docker = []string{"docker"}, "4\n", 1<<20, "Docker/28.5.2 (linux)"
		},
		"configured": func(m *machine) {
			m.files[DefaultConfig] = `{"image_dataset": "zroot/xc/datasets", "container_dataset": "zroot/xc/run", "group": "operator"}`
			m.files["/var/db/xc/owner"] = "0badcafe\n"
			m.pools = append(m.pools, "tank\tDEGRADED\t1000\t97")
			m.datasets["zroot/xc/datasets"] = Dataset{"type": "filesystem", "keystatus": "unavailable"}
			m.datasets["zroot/xc/datasets/0badcafe"] = Dataset{"type": "filesystem", "mountpoint": "/x", "canmount": "on"}
			m.pf, m.rc["pf_enable"], m.modules = true, "YES", append(m.modules, "pf", "linux64")
			m.files[pfConf] = "nat-anchor xc-nat\nrdr-anchor xc-rdr\nanchor xc\n"
			m.sysctl["net.pf.filter_local"], m.native = "1", "0.9"
			m.rc["linux_enable"], m.rc["gateway_enable"], m.rc["kld_list"] = "YES", "YES", "if_epair if_bridge"
		},
		"mistaken": func(m *machine) {
			m.files[DefaultConfig] = `{"image_dataset": "zroot/xc",}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := generic()
			change(m)
			golden(t, filepath.Join("testdata", name+".txt"), described(m.examine(t, Options{})))
			if len(m.ran) > 0 {
				t.Errorf("looking changed something: %v", m.ran)
			}
		})
	}
}

// One run and a reboot give a host with nothing left to do, and a second run does nothing.
func TestSetupConverges(t *testing.T) {
	m := generic()
	if failed := m.setup(m.examine(t, Options{Users: []string{"ann"}}).Plan(nil)); len(failed) > 0 {
		t.Fatalf("failed: %v", failed)
	}
	r := m.examine(t, Options{Users: []string{"ann"}})
	if n := r.Count(Broken); n > 0 {
		t.Errorf("before the reboot:\n%s", r.Text(false))
	}
	if plan := r.Plan(nil); len(plan) > 0 {
		t.Errorf("a second run would do something: %+v", plan)
	}
	m.reboot()
	r = m.examine(t, Options{Users: []string{"ann"}})
	if r.Count(Broken)+r.Count(Limited) > 0 {
		t.Errorf("after the reboot:\n%s", r.Text(false))
	}
}

func TestNothingIsEnabledThatBlocks(t *testing.T) {
	m := generic()
	m.files[pfConf] = "block in all\npass in proto tcp to port 22\n"
	m.setup(m.examine(t, Options{}).Plan(nil))
	if m.pf || m.rc["pf_enable"] != "" {
		t.Error("pf was enabled over rules that block")
	}
	if !strings.Contains(m.files[pfConf], "nat-anchor") {
		t.Error("the anchors are not there")
	}
}

func TestSkipped(t *testing.T) {
	m := generic()
	plan := m.examine(t, Options{}).Plan([]string{"pf.conf", "pf", "module.pf"})
	for _, f := range plan {
		for _, s := range f.Steps {
			if strings.Contains(strings.Join(s.Lines(), "\n"), "pf") {
				t.Errorf("%s: %v", f.ID, s.Lines())
			}
		}
	}
	if len(plan) == 0 {
		t.Error("nothing is left to do")
	}
}

func TestPoolChosen(t *testing.T) {
	b := &FreeBSD{Pools: []Pool{{Name: "small", Free: 1}, {Name: "big", Free: 9}}}
	if got := choosePool(b, Options{}); got != "big" {
		t.Errorf("got %q", got)
	}
	b.RootPool = "small"
	if got := choosePool(b, Options{}); got != "small" {
		t.Errorf("with / on it: %q", got)
	}
	if got := choosePool(b, Options{Pool: "other"}); got != "other" {
		t.Errorf("decided: %q", got)
	}
}

// Roots that are copies already stay where the daemon finds them.
func TestCopiesAreKept(t *testing.T) {
	m := generic()
	m.files["/var/db/xc/layers/copy"] = ""
	m.setup(m.examine(t, Options{}).Plan(nil))
	if text, ok := m.files[DefaultConfig]; ok {
		t.Errorf("the daemon was told to look elsewhere: %s", text)
	}
}

// A pool that is not imported is imported, not made good for by datasets elsewhere.
func TestPoolGone(t *testing.T) {
	m := generic()
	m.files[DefaultConfig] = `{"image_dataset": "gone/xc/datasets"}`
	found := 0
	for _, f := range m.examine(t, Options{}).Findings {
		if f.ID != "zfs.dataset" {
			continue
		}
		found++
		if f.Severity != Broken || len(f.Steps) > 0 || f.Mend[0] != "zpool import gone" {
			t.Errorf("%+v", f)
		}
	}
	if found == 0 {
		t.Error("nothing is found wrong")
	}
}

func TestConfigured(t *testing.T) {
	for _, tc := range []struct{ old, new string }{
		{"", "{\n  \"image_dataset\": \"p/i\",\n  \"container_dataset\": \"p/c\"\n}\n"},
		{" { }\n", "{\n  \"image_dataset\": \"p/i\",\n  \"container_dataset\": \"p/c\"\n}\n"},
		{"{\n  \"debug\": true\n}\n", "{\n  \"image_dataset\": \"p/i\",\n  \"container_dataset\": \"p/c\",\n  \"debug\": true\n}\n"},
		{"{\"debug\": true}", "{\n  \"image_dataset\": \"p/i\",\n  \"container_dataset\": \"p/c\",\n  \"debug\": true}"},
		{"{\"image_dataset\": \"\"}", ""},
		{"[]", ""},
	} {
		e, can := configureDatasets(File{Text: tc.old}, "p/i", "p/c")
		if can != (tc.new != "") || can && e.New != tc.new {
			t.Errorf("%q: %v %q", tc.old, can, e.New)
		}
	}
}

func TestSet(t *testing.T) {
	for _, tc := range []struct{ old, new string }{
		{"", "a.b=1\n"},
		{"x=2", "x=2\na.b=1\n"},
		{"# a.b=0\nx=2\n", "# a.b=0\nx=2\na.b=1\n"},
		{"a.b=0 # why\nx=2\n", "a.b=1\nx=2\n"},
		{"a.bc=0\n", "a.bc=0\na.b=1\n"},
		{"a.b=\"0\"\na.b=0\n", "a.b=1\na.b=1\n"},
	} {
		e := set(File{Text: tc.old, Exists: true}, "a.b", "1")
		if e.New != tc.new {
			t.Errorf("%q: %q", tc.old, e.New)
		}
		if got := assignment(e.New, "a.b"); got != "1" {
			t.Errorf("%q is read as %q", e.New, got)
		}
	}
}

func TestLinux(t *testing.T) {
	bare := Facts{Root: true, Linux: &Linux{Distribution: []string{"ubuntu", "debian"}, Controllers: []string{"cpu"}}, Config: Config{Group: "docker"}}
	golden(t, "testdata/linux.txt", described(Examine(bare, Options{})))
	full := Facts{
		Root: true, Config: Config{Group: "docker"}, Native: Peer{Server: "1.0", Warnings: []string{"chain FORWARD drops"}},
		Users: Group{Name: "docker", Exists: true, Members: []string{"ann"}},
		Tools: map[string]string{"docker": "/d", "xcd": "/x", "xc-shim": "/s", "runc": "/r"}, State: Disk{Path: "/v", Free: 1 << 40, Total: 1 << 41},
		Linux: &Linux{Overlay: true, NFTables: true, Controllers: []string{"cpu", "memory", "pids"}, Forwarding: true},
	}
	r := Examine(full, Options{})
	if r.Count(Broken) > 0 || r.Count(Limited) != 1 || len(r.Plan(nil)) > 0 {
		t.Errorf("%s", r.Text(true))
	}
}

// Every finding says what it breaks and how it is mended, and its name is one word.
func TestFindingsAreWhole(t *testing.T) {
	m := generic()
	for _, f := range m.examine(t, Options{}).Findings {
		whole := f.What != "" && f.ID != "" && !strings.Contains(f.ID, " ")
		if f.Severity != OK {
			whole = whole && f.Breaks != "" && len(f.Mend) > 0 && !slices.Contains(f.Mend, "")
		}
		if !whole {
			t.Errorf("%+v", f)
		}
	}
	if r := Examine(Facts{}, Options{}); r.Count(Broken) != 1 {
		t.Errorf("on another system: %+v", r)
	}
}
