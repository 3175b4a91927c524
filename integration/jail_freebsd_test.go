package integration

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// hostPrograms mounts the host's programs over the test image's, for what only they can say of a jail.
func hostPrograms(args ...string) []string {
	run := []string{"run", "--rm", "-e", "PATH=/bin:/sbin:/usr/bin:/usr/sbin"}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/libexec", "/usr"} {
		run = append(run, "-v", dir+":"+dir+":ro")
	}
	return append(run, args...)
}

// TestJails asks for what only jails have, and has the jail itself tell of it.
func TestJails(t *testing.T) {
	e := start(t)
	for name, tc := range map[string]struct {
		options []string
		script  string
		want    string // in the output; none where the script fails
		code    int
	}{
		"a plain one":          {nil, "sysctl -n security.jail.jailed security.jail.vnet kern.securelevel", "1\n1\n-1", 0},
		"addresses of a host":  {[]string{"--label", "xc.vnet=false"}, "sysctl -n security.jail.vnet; ifconfig -g lo", "0\nlo0", 0},
		"a secure level":       {[]string{"--label", "xc.jail.securelevel=2"}, "sysctl -n kern.securelevel; touch /f && chflags schg /f && chflags noschg /f", "2", 1},
		"a policy taken back":  {[]string{"--annotation", "org.freebsd.jail.allow.set_hostname=false"}, "hostname other", "", 1},
		"the policy":           {nil, "hostname other && hostname; touch /f && chflags schg /f && chflags noschg /f", "other", 0},
		"no children":          {nil, "jail -c path=/ name=inner command=/bin/echo made", "", 1},
		"children":             {[]string{"--label", "xc.max-children=1"}, "jail -c path=/ name=inner command=/bin/echo made && jail -c path=/ name=one persist && jls name && jail -c path=/ name=two persist", "made\none\n", 1},
		"a child that is left": {[]string{"--label", "xc.jail.children.max=2"}, "jail -c path=/ name=one persist && jail -c path=/ name=two command=/usr/bin/true && jls name", "one", 0},
		"a release":            {[]string{"--label", "xc.jail.osrelease=13.0-RELEASE", "--label", "xc.jail.osreldate=1300139"}, "uname -r; uname -K", "13.0-RELEASE\n1300139", 0},
		"a sysctl of its own":  {[]string{"--sysctl", "net.inet.ip.ttl=70"}, "sysctl -n net.inet.ip.ttl", "70", 0},
		"processors":           {[]string{"--cpuset-cpus", "0"}, "cpuset -g | head -1", "mask: 0", 0},
		"a device":             {[]string{"--label", "xc.devfs.a=path bpf* unhide"}, "ls -d /dev/bpf", "/dev/bpf", 0},
		"no device":            {nil, "ls -d /dev/bpf", "", 1},
		"probes":               {[]string{"--label", "xc.usdt"}, "ls /dev/dtrace/helper", "/dev/dtrace/helper", 0},
		"a packet filter":      {[]string{"--label", "xc.enable-pf", "-v", "/etc/pf.os:/etc/pf.os:ro"}, "echo 'block in from 192.0.2.1' | pfctl -qf - && pfctl -s rules", "block drop in inet from 192.0.2.1 to any", 0},
		"no packet filter":     {nil, "pfctl -s rules", "", 1},
		"a tunnel":             {[]string{"--label", "xc.tap=LINK"}, `ls -d /dev/$LINK && ifconfig $LINK inet 192.0.2.1/30 && ifconfig $LINK`, "inet 192.0.2.1", 0},
		"a mount of its own":   {[]string{"--label", "xc.jail.allow.mount=true", "--label", "xc.jail.allow.mount.tmpfs=true"}, "mkdir /m && mount -t tmpfs tmpfs /m && df /m | tail -1", "tmpfs", 0},
		"no mount":             {nil, "mkdir /m && mount -t tmpfs tmpfs /m", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			e.t = t
			r := e.docker(hostPrograms(append(tc.options, "testbox", "/bin/sh", "-c", tc.script)...)...)
			if r.code != tc.code || !strings.Contains(r.out, tc.want) {
				t.Errorf("%d %q %q, want %d and %q", r.code, r.out, r.err, tc.code, tc.want)
			}
		})
	}
	e.t = t
	e.must("run", "-d", "--name", "box", "--label", "xc.jail.allow.mlock=true", "--label", "xc.jail.securelevel=1", "--label", "xc.max-children=3", "--label", "xc.jail.sysvshm=disable", "testbox", "sleep", "100000")
	seen, err := output("jls", "-j", "xc-"+id12(e.must("inspect", "-f", "{{.Id}}", "box")), "-n", "allow.mlock", "securelevel", "children.max", "vnet", "persist", "sysvshm")
	if want := "allow.mlock securelevel=1 children.max=3 vnet=new persist sysvshm=disable"; err != nil || seen != want {
		t.Errorf("from outside: %q %v, want %q", seen, err, want)
	}
}

// TestJailsAreRefused says what the kernel or the engine itself would break, before anything is made.
func TestJailsAreRefused(t *testing.T) {
	e := start(t)
	for label, want := range map[string]string{
		"xc.jail.path=/":                 "jail parameter path: the engine sets it",
		"xc.jail.bogus=1":                "jail parameter bogus: this kernel has none of that name",
		"xc.jail.exec.start=/bin/sh":     "it is jail(8)'s own",
		"xc.jail.securelevel=4":          "must be -1 to 3",
		"xc.jail.allow.mlock=maybe":      "must be true or false",
		"xc.devfs.a=path ../mem unhide":  "not a path below /dev",
		"xc.dataset=nosuch/dataset":      "dataset nosuch/dataset: it does not exist",
		"xc.jail.allow.mount.bogus=true": "(kldload bogus)",
	} {
		e.fails(1, want, "create", "--label", label, "testbox")
	}
	if left := e.must("ps", "-aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
}

// TestDatasetOfAJail lends a dataset to a container, which makes file systems in it; it is the administrator's before and after.
func TestDatasetOfAJail(t *testing.T) {
	if _, err := output("kldstat", "-q", "-m", "zfs"); err != nil {
		t.Skip("this host has no ZFS")
	}
	e := start(t)
	pools, err := output("zpool", "list", "-H", "-o", "name")
	if err != nil || pools == "" {
		t.Skipf("this host has no pool: %s", pools)
	}
	pool, _, _ := strings.Cut(pools, "\n")
	lent := pool + "/xcit" + e.owner()
	if out, err := output("zfs", "create", "-o", "mountpoint=none", lent); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := output("zfs", "destroy", "-r", lent); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	label := "xc.dataset=DATA:" + lent
	const script = `zfs create -o mountpoint=/data $DATA/own && echo kept > /data/f && zfs list -H -o name -r $DATA`
	got := e.must(hostPrograms("--label", label, "testbox", "/bin/sh", "-c", script)...)
	if want := lent + "\n" + lent + "/own"; got != want {
		t.Errorf("inside: %q, want %q", got, want)
	}
	got = e.must(hostPrograms("--label", label, "testbox", "/bin/sh", "-c", "zfs mount -a && cat /data/f")...)
	if got != "kept" {
		t.Errorf("the second container finds %q", got)
	}
	e.must(append([]string{"run", "-d", "--name", "holds"}, "--label", label, "testbox", "sleep", "100000")...)
	e.fails(125, fmt.Sprintf("dataset %s/own is container %s's", lent, id12(e.must("inspect", "-f", "{{.Id}}", "holds"))), "run", "--rm", "--label", "xc.dataset="+lent+"/own", "testbox", "true")
	e.must("rm", "-f", "holds")
	if out, err := output("zfs", "list", "-H", "-o", "name", lent+"/own"); err != nil {
		t.Errorf("what the container made is gone: %v\n%s", err, out)
	}
}

// TestBothPlatforms runs images for FreeBSD and for Linux on one network. XC_TESTBOX_LINUX names the second one's tar.
func TestBothPlatforms(t *testing.T) {
	linux := os.Getenv("XC_TESTBOX_LINUX")
	if linux == "" {
		t.Skip("XC_TESTBOX_LINUX names no image for Linux")
	}
	if _, err := output("kldstat", "-q", "-m", "linux64elf"); err != nil {
		t.Skip("linux64 is not loaded")
	}
	e := start(t)
	e.must("tag", "testbox", "native")
	e.must("load", "-i", linux) // it takes the name of the other
	e.must("tag", "testbox", "foreign")
	e.must("network", "create", "both")
	for system, name := range map[string]string{"freebsd": "native", "linux": "foreign"} {
		e.must("run", "-d", "--name", name, "--network", "both", "--platform", system+"/"+runtime.GOARCH, name, "httpd", ":80")
		if got := e.must("inspect", "-f", "{{.Platform}}", name); got != system {
			t.Errorf("%s is for %s", name, got)
		}
	}
	for _, pair := range [][2]string{{"native", "foreign"}, {"foreign", "native"}} {
		eventually(t, pair[1]+" answers "+pair[0], func() bool {
			return strings.HasPrefix(e.docker("exec", pair[0], "get", "http://"+pair[1]+"/").out, "hello from testbox")
		})
	}
	if got := e.must("exec", "foreign", "cat", "/proc/version"); !strings.HasPrefix(got, "Linux version ") {
		t.Errorf("the Linux one has %q", got)
	}
	if r := e.docker("exec", "native", "cat", "/proc/version"); r.code == 0 {
		t.Errorf("the native one has %q", r.out)
	}
}
