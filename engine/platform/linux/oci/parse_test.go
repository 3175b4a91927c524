package oci

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/xcengine/xc/engine"
)

func TestCapabilities(t *testing.T) {
	available := capabilitiesIn(1<<41 - 1)
	lacking := without(available, "CAP_SYS_RESOURCE")
	for _, tc := range []struct {
		name       string
		add, drop  []string
		privileged bool
		available  []string
		want       []string
		err        string
	}{
		{name: "default", available: available, want: defaultCapabilities},
		{name: "default, but what is missing", available: without(available, "CAP_MKNOD"), want: without(defaultCapabilities, "CAP_MKNOD")},
		{name: "add", add: []string{"sys_admin", "CAP_CHOWN"}, available: available, want: append(append([]string{}, defaultCapabilities...), "CAP_SYS_ADMIN")},
		{name: "drop", drop: []string{"NET_RAW"}, available: available, want: without(defaultCapabilities, "CAP_NET_RAW")},
		{name: "drop all, add one", drop: []string{"all"}, add: []string{"kill"}, available: available, want: []string{"CAP_KILL"}},
		{name: "drop all", drop: []string{"ALL"}, available: available},
		{name: "add all but one", add: []string{"ALL"}, drop: []string{"SYS_TIME"}, available: lacking, want: without(lacking, "CAP_SYS_TIME")},
		{name: "privileged", privileged: true, available: lacking, want: lacking},
		{name: "drop what is not there", drop: []string{"SYS_RESOURCE"}, available: lacking, want: defaultCapabilities},
		{name: "unknown", add: []string{"FOO"}, available: available, err: `invalid CapAdd: unknown capability: "CAP_FOO"`},
		{name: "unknown drop", drop: []string{"FOO"}, available: available, err: `invalid CapDrop: unknown capability: "CAP_FOO"`},
		{name: "not there", add: []string{"SYS_RESOURCE"}, available: lacking, err: `invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"`},
	} {
		got, err := capabilities(tc.add, tc.drop, tc.privileged, tc.available)
		if diff := cmp.Diff(tc.want, got); diff != "" || text(err) != tc.err {
			t.Errorf("%s: %q, want %q: %s", tc.name, text(err), tc.err, diff)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestParseOptions(t *testing.T) {
	for _, tc := range []struct {
		given []string
		want  options
		err   string
	}{
		{},
		{given: []string{"no-new-privileges", "seccomp=unconfined", "label=disable", "apparmor=mine"}, want: options{noNewPrivileges: true, seccomp: "unconfined", appArmor: "mine"}},
		{given: []string{"no-new-privileges:false", "seccomp:{\"a\":1}", "systempaths=unconfined", "writable-cgroups=true"}, want: options{seccomp: `{"a":1}`, openSystemPaths: true, writableCgroups: ptr(true)}},
		{given: []string{`seccomp={"a":"b=c"}`}, want: options{seccomp: `{"a":"b=c"}`}},
		{given: []string{"writable-cgroups"}, want: options{writableCgroups: ptr(true)}},
		{given: []string{"writable-cgroups=potato"}, err: `invalid --security-opt 2: "writable-cgroups=potato"`},
		{given: []string{"nonsense"}, err: `invalid --security-opt 1: "nonsense"`},
		{given: []string{"foo=bar"}, err: `invalid --security-opt 2: "foo=bar"`},
		{given: []string{"no-new-privileges=perhaps"}, err: `invalid --security-opt 2: "no-new-privileges=perhaps"`},
		{given: []string{"systempaths=some"}, err: `invalid --security-opt 2: "systempaths=some"`},
	} {
		got, err := parseOptions(tc.given)
		if text(err) != tc.err {
			t.Errorf("%q: %q, want %q", tc.given, text(err), tc.err)
		}
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(options{})); err == nil && diff != "" {
			t.Errorf("%q: %s", tc.given, diff)
		}
	}
}

func TestTmpfsOptions(t *testing.T) {
	for _, tc := range []struct {
		given, want, err string
	}{
		{"", "noexec,nosuid,nodev,rprivate", ""},
		{"exec,size=1m,size=2m", "nosuid,nodev,rprivate,exec,size=2m", ""},
		{"defaults,rw,ro,shared", "noexec,nosuid,nodev,ro,shared", ""},
		{"bogus", "", `invalid tmpfs option ["bogus"]`},
		{"bogus=1", "", `invalid tmpfs option ["bogus=1"]`},
	} {
		got, err := tmpfsOptions(strings.Split(tc.given, ","))
		if strings.Join(got, ",") != tc.want || text(err) != tc.err {
			t.Errorf("%q: %q, %q; want %q, %q", tc.given, got, text(err), tc.want, tc.err)
		}
	}
}

func TestParseDeviceRules(t *testing.T) {
	got, err := parseDeviceRules([]string{"c 1:3 rwm", "a *:* r"})
	want := []specs.LinuxDeviceCgroup{deviceRule(true, "c", 1, 3, "rwm"), deviceRule(true, "a", -1, -1, "r")}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v: %s", err, diff)
	}
	for _, bad := range []string{"", "c 1:3", "x 1:3 r", "c 1:3 rwmx", "c 99999999999999999999:1 r"} {
		if _, err := parseDeviceRules([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestOOMScore(t *testing.T) {
	for _, tc := range []struct {
		asked, own int
		want       *int
	}{{0, 0, nil}, {0, 500, nil}, {0, -900, ptr(0)}, {300, 0, ptr(300)}, {-5, 0, ptr(-5)}} {
		if got := oomScore(tc.asked, tc.own); !cmp.Equal(got, tc.want) {
			t.Errorf("asked %d, own %d: %v", tc.asked, tc.own, got)
		}
	}
}

func TestProgramsAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "oci-runtime.json")
	if got, err := readPrograms(file); err != nil || len(got) != 0 {
		t.Errorf("no file: %v, %v", got, err)
	}
	want := programs{"/bin/runc": {Path: "/bin/runc", Version: "runc version 1", Key: "k", RecursiveRO: true}, "/bin/crun": {Path: "/bin/crun", Problem: "it does not"}}
	if err := want.write(file); err != nil {
		t.Fatal(err)
	}
	got, err := readPrograms(file)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if err := os.WriteFile(file, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readPrograms(file); err != nil || len(got) != 0 {
		t.Errorf("a damaged file: %v, %v", got, err)
	}
}

func TestKernelAtLeast(t *testing.T) {
	for release, want := range map[string]bool{"5.12.0-1-amd64": true, "5.11.22": false, "6.1.0": true, "6.18.44-fc-v669": true, "5.13-rc1": true, "5": false, "": false} {
		if got := kernelAtLeast(release, 5, 12); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}

func TestKnowsRRO(t *testing.T) {
	if !knowsRRO([]byte(`{"mountOptions":["ro","rro"]}`)) || knowsRRO([]byte(`{"mountOptions":["ro"]}`)) || knowsRRO([]byte("usage:")) {
		t.Error("rro is seen wrongly")
	}
}

func TestCrunKnowsRRO(t *testing.T) {
	for version, want := range map[string]bool{"crun version 1.8.1": true, "crun version 1.4": true, "crun version 1.3": false, "crun version 0.17": false, "runc version 1.1.5+ds1": false, "": false} {
		if got := crunKnowsRRO(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestLastWords(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "one\ntwo\n": "two",
		"time=\"2026-11-23T18:24:58Z\" level=error msg=\"container \\\"x\\\" not running\"\n": `container "x" not running`,
		"time=\"2026-11-23T18:24:58Z\" level=error msg=short\n":                               "short",
	} {
		if got := lastWords(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

func TestLeader(t *testing.T) {
	self, err := startTime(os.Getpid())
	if err != nil {
		t.Skipf("this system has no /proc: %v", err)
	}
	for name, tc := range map[string]struct {
		file, text string
		want       int
	}{
		"runc":         {"state.json", `{"init_process_pid":PID,"init_process_start":START}`, os.Getpid()},
		"crun":         {"status", `{"pid":PID,"process-start-time":START}`, os.Getpid()},
		"another":      {"state.json", `{"init_process_pid":PID,"init_process_start":1}`, 0},
		"half written": {"state.json", `{"init_process_pid":PI`, 0},
		"no process":   {"state.json", `{}`, 0},
		"no file":      {"other", `{}`, 0},
	} {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "id"), 0o700); err != nil {
			t.Fatal(err)
		}
		body := strings.NewReplacer("PID", strconv.Itoa(os.Getpid()), "START", strconv.Itoa(int(self))).Replace(tc.text)
		if err := os.WriteFile(filepath.Join(root, "id", tc.file), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := leader(root, "id"); err != nil || got != tc.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, tc.want)
		}
	}
}

func TestCollect(t *testing.T) {
	full := string(testID)
	got := collect([]string{full, full, "not-an-id", "lib.json"}, []string{full[:12], "ffffffffffff"})
	if diff := cmp.Diff([]engine.ContainerID{testID, "ffffffffffff"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRecords(t *testing.T) {
	p := places{t.TempDir()}
	if got, err := p.readRecord(testID); err != nil || got != (record{}) {
		t.Errorf("none: %+v, %v", got, err)
	}
	if err := os.MkdirAll(p.sandbox(testID), 0o700); err != nil {
		t.Fatal(err)
	}
	want := record{Group: "/a/b", NetNS: "/n", Shm: "/s"}
	if err := p.writeRecord(testID, want); err != nil {
		t.Fatal(err)
	}
	if got, err := p.readRecord(testID); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(p.recordFile(testID), []byte(`{"Group`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := p.readRecord(testID); err != nil || got != (record{}) {
		t.Errorf("half written: %+v, %v", got, err)
	}
}
