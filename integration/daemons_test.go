package integration

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// beside starts a second xcd, which has to fail, and returns what it said.
func (e *engine) beside(args ...string) string {
	e.t.Helper()
	out, err := output(filepath.Join(kit.bin, "xcd"), args...)
	if err == nil {
		e.t.Errorf("xcd %v ended well", args)
	}
	return out
}

func TestDaemonsRefuseEachOthersPlaces(t *testing.T) {
	e := start(t)
	other := func(name string) string { return filepath.Join(e.dir, name) }
	state, sock, native := other("s"), "unix://"+other("d.sock"), other("x.sock")
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"same Docker socket", []string{"--state-dir", other("s2"), "-H", sock, "--socket", other("x2.sock")}, []string{other("d.sock"), "another daemon answers on this socket"}},
		{"same native socket", []string{"--state-dir", other("s2"), "-H", "unix://" + other("d2.sock"), "--socket", native}, []string{native, "another daemon answers on this socket"}},
		{"same state directory", []string{"--state-dir", state, "-H", "unix://" + other("d2.sock"), "--socket", other("x2.sock")}, []string{state, "another daemon uses the state directory"}},
		{"everything the same", []string{"--state-dir", state, "-H", sock, "--socket", native}, []string{"another daemon"}},
		{"purge of one that runs", []string{"purge", "--state-dir", state}, []string{"another daemon uses the state directory"}},
		{"purge of nothing", []string{"purge", "--state-dir", other("nothing")}, []string{"no state of a daemon is there"}},
		{"no socket of ours", []string{"--state-dir", other("s2"), "-H", "npipe://0.0.0.0:2375", "--socket", other("x2.sock")}, []string{"npipe://0.0.0.0:2375", "unix:///PATH"}},
		{"a file instead of a socket", []string{"--state-dir", other("s2"), "-H", "unix://" + other("log"), "--socket", other("x2.sock")}, []string{other("log"), "not a socket"}},
		{"an unknown flag", []string{"--no-such-flag"}, []string{"unknown flag: --no-such-flag"}},
		{"no configuration", []string{"-c", other("nothing.conf")}, []string{other("nothing.conf")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e.t = t
			said := e.beside(tc.args...)
			for _, want := range tc.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not in: %s", want, said)
				}
			}
			e.must("version") // the first one is as well as before
			for _, name := range []string{"d2.sock", "x2.sock", "nothing", "s2/xc.db"} {
				if _, err := os.Lstat(other(name)); err == nil {
					t.Errorf("%s was left", name)
				}
			}
		})
	}
	e.t = t
}

// TestDaemonsSideBySide runs the same containers under two daemons, which must not see or disturb each other, also when one is
// killed and started again.
func TestDaemonsSideBySide(t *testing.T) {
	a, b := start(t), start(t)
	for _, e := range []*engine{a, b} {
		e.must("network", "create", "net")
		e.must("run", "-d", "--name", "web", "--network", "net", "-p", "127.0.0.1::80", "testbox", "httpd", ":80", "of "+e.dir)
		e.must("run", "-d", "--name", "plain", "-p", "127.0.0.1::80", "testbox", "httpd", ":80", "of "+e.dir)
	}
	sees := func(e *engine) {
		t.Helper()
		if got := strings.Fields(e.must("ps", "-q")); len(got) != 2 {
			t.Errorf("%d containers", len(got))
		}
		for _, name := range []string{"web", "plain"} {
			if got := httpGet(t, "http://"+e.must("port", name, "80")+"/"); !strings.Contains(got, "of "+e.dir) {
				t.Errorf("%s of %s answers %q", name, e.dir, got)
			}
		}
		if got := e.must("run", "--rm", "--network", "net", "testbox", "get", "http://web/"); !strings.Contains(got, "of "+e.dir) {
			t.Errorf("by its name: %q", got)
		}
	}
	sees(a)
	sees(b)
	a.kill(syscall.SIGKILL)
	sees(b)
	a.boot()
	sees(a)
	sees(b)
	a.must("rm", "-f", "web", "plain")
	a.must("network", "rm", "net")
	a.kill(syscall.SIGTERM)
	sees(b)
	a.boot()
	sees(b)
	b.must("rm", "-f", "web", "plain")
	b.must("network", "rm", "net")
}

// TestDaemonsThatStartAtOnce starts several daemons on a host that has a network of none of them yet, and has all of them make
// networks at the same time. What they choose must not overlap.
func TestDaemonsThatStartAtOnce(t *testing.T) {
	for round := range 3 {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			var all []*engine
			for range 5 {
				all = append(all, lay(t))
			}
			for _, e := range all {
				e.launch()
			}
			for _, e := range all {
				e.answers()
			}
			different(t, all)
			var making sync.WaitGroup
			for _, e := range all {
				c := e.client()
				making.Go(func() {
					for _, name := range []string{"one", "two"} {
						if _, err := c.NetworkCreate(context.Background(), name, network.CreateOptions{}); err != nil {
							t.Errorf("create %s: %v", name, err)
						}
					}
				})
			}
			making.Wait()
			different(t, all)
			for _, e := range all {
				e.must("network", "rm", "one", "two")
			}
		})
	}
}

// different checks that the networks of daemons have subnets which do not overlap.
func different(t *testing.T, all []*engine) {
	t.Helper()
	taken := make(map[netip.Prefix]string)
	for i, e := range all {
		list, err := e.client().NetworkList(context.Background(), network.ListOptions{Filters: filters.NewArgs(filters.Arg("driver", "bridge"))})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			whose := fmt.Sprintf("%s of daemon %d", n.Name, i)
			for _, c := range n.IPAM.Config {
				subnet := netip.MustParsePrefix(c.Subnet)
				for other, theirs := range taken {
					if other.Overlaps(subnet) {
						t.Errorf("%s has %s, %s has %s", whose, subnet, theirs, other)
					}
				}
				taken[subnet] = whose
			}
		}
	}
}
