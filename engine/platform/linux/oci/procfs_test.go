package oci

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/linux/cgroup"
)

func TestSystemCPU(t *testing.T) {
	total, online, err := systemCPU("cpu  100 0 50 1000 5 0 5 7 0 0\ncpu0 50 0 25 500 2 0 2 0 0 0\ncpu1 50 0 25 500 3 0 3 0 0 0\nintr 1\n")
	if total != 1160*1e7 || online != 2 || err != nil {
		t.Errorf("%d, %d, %v", total, online, err)
	}
	for _, bad := range []string{"cpu 1 2\n", "cpu a b c d e f g h\n"} {
		if _, _, err := systemCPU(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    1296      16    1    2    0     0          0         0      528       6    3    4    0     0       0          0
`

func TestInterfaces(t *testing.T) {
	want := map[string]engine.InterfaceStats{"eth0": {RxBytes: 1296, RxPackets: 16, RxErrors: 1, RxDropped: 2, TxBytes: 528, TxPackets: 6, TxErrors: 3, TxDropped: 4}}
	if diff := cmp.Diff(want, interfaces(netDev)); diff != "" {
		t.Error(diff)
	}
}

func TestOSRelease(t *testing.T) {
	got := osRelease("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID='12'\nID=debian\n# X=1\n\nBAD\n")
	if diff := cmp.Diff(map[string]string{"PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)", "VERSION_ID": "12", "ID": "debian"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCapabilitiesOf(t *testing.T) {
	h := testHost()
	c := capabilitiesOf(h, program{Path: "/usr/bin/crun", Version: "crun version 1.8.1"}, "6.1.0", "aarch64", "")
	if c.Runtime != "crun 1.8.1" || c.CgroupVersion != "2" || c.OperatingSystem != "Linux" || c.Architecture != "aarch64" || len(c.Warnings) > 0 {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff([]string{"name=seccomp,profile=builtin", "name=cgroupns"}, c.Security); diff != "" {
		t.Error(diff)
	}
	h.limits, h.groups, h.seccomp = cgroup.Support{Memory: true, CPUQuota: true, CPUShares: true, CPUSet: true, Pids: true, OOMKillDisable: true}, cgroup.Hierarchies{V1: map[string]string{"cpu": "/"}}, nil
	c = capabilitiesOf(h, program{Path: "runc", Version: "runc version 1.1.5+ds1"}, "", "", "PRETTY_NAME=X\n")
	want := []string{
		"WARNING: No swap limit support", "WARNING: No blkio throttle.read_bps_device support", "WARNING: No blkio throttle.write_bps_device support",
		"WARNING: No blkio throttle.read_iops_device support", "WARNING: No blkio throttle.write_iops_device support",
	}
	if diff := cmp.Diff(want, c.Warnings); diff != "" || c.CgroupVersion != "1" || c.Security != nil || c.Runtime != "runc 1.1.5+ds1" {
		t.Errorf("%+v %s", c, diff)
	}
}

const mountInfo = `22 1 0:1 / / rw shared:1 - ext4 /dev/a rw
23 22 0:2 / /priv rw - tmpfs t rw
24 22 0:3 / /slave rw master:1 - tmpfs t rw
25 22 0:4 / /private rw - tmpfs t rw
26 22 0:5 / /with\040blank rw - tmpfs t rw
`

func TestMountOf(t *testing.T) {
	for path, want := range map[string]string{"/x": "/", "/priv": "/priv", "/priv/x": "/priv", "/private/x": "/private", "/privat": "/", "/with blank/x": "/with blank"} {
		point, _, err := mountOf(strings.NewReader(mountInfo), path)
		if point != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", path, point, err, want)
		}
	}
}

func TestPropagates(t *testing.T) {
	for _, tc := range []struct {
		root, propagation, err string
	}{
		{"shared:1", "rshared", ""},
		{"shared:1", "slave", ""},
		{"master:1", "rslave", ""},
		{"master:1", "shared", "it is not a shared mount"},
		{"", "rshared", "it is not a shared mount"},
		{"", "slave", "it is not a shared or slave mount"},
	} {
		info := "22 1 0:1 / / rw " + tc.root + " - ext4 /dev/a rw\n"
		err := propagates(engine.Mount{Source: "/", Propagation: tc.propagation}, strings.NewReader(info))
		if !strings.HasSuffix(text(err), tc.err) || (err == nil) != (tc.err == "") {
			t.Errorf("%s on %q: %v", tc.propagation, tc.root, err)
		}
	}
}

const psListing = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 17:00 ?        00:00:01 /sbin/init
root          42       1  0 17:01 pts/0    00:00:00 sh -c two  words
root           -       -  0 17:01 -        00:00:00 -
root          43       1  0 17:01 ?        00:00:00 other
root           -       -  0 17:01 -        00:00:00 -
`

func TestFilterPs(t *testing.T) {
	got, err := filterPs(psListing, []int{42})
	want := engine.ProcessTable{
		Titles: []string{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"},
		Rows: [][]string{
			{"root", "42", "1", "0", "17:01", "pts/0", "00:00:00", "sh -c two words"},
			{"root", "-", "-", "0", "17:01", "-", "00:00:00", "-"},
		},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for listing, want := range map[string]string{"CMD\nx\n": "Couldn't find PID field in ps output", "PID\nx\n": "Unexpected pid 'x'"} {
		if _, err := filterPs(listing, nil); !strings.HasPrefix(text(err), want) {
			t.Errorf("%q: %v", listing, err)
		}
	}
}

func TestCheckPsArgs(t *testing.T) {
	for args, ok := range map[string]bool{"-ef": true, "-o pid,args": true, "-o pid=PID": true, "-o uid=PID": false, "aux -o foo=PIDX": false} {
		if err := checkPsArgs(args); (err == nil) != ok {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestParseStatus(t *testing.T) {
	s, err := parseStatus("42 (a) (b) S 1 42 42 34816 42 4194560 1 2 3 4 300 60 7 8 20 0 1 0 12345 6 7")
	if err != nil {
		t.Fatal(err)
	}
	s.user = "root"
	want := []string{"root", "42", "1", "3", "Jan02", "pts/0", "00:00:03", "[a) (b]"}
	if diff := cmp.Diff(want, s.cells("Jan02", 100)); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "42", "42 (x", "42 (x) S 1 2"} {
		if _, err := parseStatus(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestTTYName(t *testing.T) {
	for dev, want := range map[int]string{0: "?", 136 << 8: "pts/0", 137<<8 | 3: "pts/259", 4<<8 | 1: "tty1", 5<<8 | 1: "5:1"} {
		if got := ttyName(dev); got != want {
			t.Errorf("%d: %s, want %s", dev, got, want)
		}
	}
}

func FuzzProcfs(f *testing.F) {
	f.Add(psListing)
	f.Add(netDev)
	f.Add(mountInfo)
	f.Add("42 (x) S 1 42 42 34816 42 4194560 1 2 3 4 300 60 7 8 20 0 1 0 12345 6 7")
	f.Fuzz(func(_ *testing.T, s string) {
		filterPs(s, []int{1, 42}) //nolint:errcheck // it must not panic
		parseStatus(s)            //nolint:errcheck // as above
		parseStartTime(s)         //nolint:errcheck // as above
		systemCPU(s)              //nolint:errcheck // as above
		interfaces(s)
		osRelease(s)
		kernelAtLeast(s, 5, 12)
		mountOf(strings.NewReader(s), "/x") //nolint:errcheck // as above
	})
}

func FuzzUserInput(f *testing.F) {
	f.Add("seccomp={}")
	f.Add("c 1:3 rwm")
	f.Add("0-3,7")
	f.Add("size=1m,exec")
	f.Fuzz(func(t *testing.T, s string) {
		parseOptions([]string{s})     //nolint:errcheck // it must not panic
		parseDeviceRules([]string{s}) //nolint:errcheck // as above
		checkPsArgs(s)                //nolint:errcheck // as above
		if set, err := parseSet(s); err == nil && len(set) > maxProcessor {
			t.Errorf("%d processors", len(set))
		}
		if options, err := tmpfsOptions(strings.Split(s, ",")); err == nil && len(options) == 0 {
			t.Error("no options")
		}
	})
}
