package ifconfig_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/runner"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/networktest"
	"github.com/xcengine/xc/engine/platform/freebsd/ifconfig"
	"github.com/xcengine/xc/engine/platform/freebsd/pf"
)

func TestMain(m *testing.M) {
	ifconfig.Stage(os.Args)
	networktest.Main(m)
}

// freebsd is this host; sandboxes and neighbours are jails with stacks of their own.
type freebsd struct{ made *atomic.Int32 }

func machine(t testing.TB) freebsd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes jails")
	}
	for _, module := range []string{"if_epair", "if_bridge"} {
		run(t, "kldload", "-n", module)
	}
	return freebsd{made: new(atomic.Int32)}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (f freebsd) Sandbox(t *testing.T) engine.Sandbox {
	t.Helper()
	name := fmt.Sprintf("networktest-%d-%d", os.Getpid(), f.made.Add(1))
	out := run(t, "jail", "-i", "-c", "name="+name, "path=/", "vnet=new", "persist")
	jid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run(t, "jail", "-r", name) })
	return engine.Sandbox{Jail: name, JID: jid, VNET: true}
}

func (freebsd) Command(box engine.Sandbox, name string, args ...string) *exec.Cmd {
	if box.Jail == "" {
		return exec.Command(name, args...)
	}
	return exec.Command("jexec", append([]string{box.Jail, name}, args...)...)
}

// Neighbour is a jail joined to the host by an epair.
func (f freebsd) Neighbour(t *testing.T) networktest.Neighbour {
	t.Helper()
	box := f.Sandbox(t)
	i := f.made.Add(1)
	n := networktest.Neighbour{
		Box:   box,
		Host4: netip.AddrFrom4([4]byte{203, 0, byte(i), 1}), Addr4: netip.AddrFrom4([4]byte{203, 0, byte(i), 2}),
		Host6: netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::1", i)), Addr6: netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::2", i)),
	}
	n.HostPrefixes = []netip.Prefix{netip.PrefixFrom(n.Host4, 24).Masked(), netip.PrefixFrom(n.Host6, 64).Masked()}
	near := strings.TrimSpace(run(t, "ifconfig", "epair", "create"))
	t.Cleanup(func() { run(t, "ifconfig", near, "destroy") })
	far := strings.TrimSuffix(near, "a") + "b"
	run(t, "ifconfig", far, "vnet", box.Jail)
	inside := func(args ...string) { run(t, "jexec", append([]string{box.Jail}, args...)...) }
	run(t, "ifconfig", near, "inet", n.Host4.String()+"/24", "up")
	run(t, "ifconfig", near, "inet6", n.Host6.String()+"/64", "no_dad", "-ifdisabled")
	inside("ifconfig", "lo0", "127.0.0.1/8", "up")
	inside("ifconfig", far, "inet", n.Addr4.String()+"/24", "up")
	inside("ifconfig", far, "inet6", n.Addr6.String()+"/64", "no_dad", "-ifdisabled")
	inside("route", "-q", "add", "default", n.Host4.String())
	inside("route", "-q", "-6", "add", "default", n.Host6.String())
	return n
}

func (freebsd) ForeignBridge(t *testing.T, name string) {
	t.Helper()
	made := strings.TrimSpace(run(t, "ifconfig", "bridge", "create"))
	run(t, "ifconfig", made, "name", name, "up")
	t.Cleanup(func() { run(t, "ifconfig", name, "destroy") })
}

func (freebsd) Interfaces(t *testing.T) []string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(all))
	for i, x := range all {
		names[i] = x.Name
	}
	slices.Sort(names)
	return names
}

func openPlumber(t *testing.T, owner engine.Owner) networks.Plumber {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := ifconfig.New(ifconfig.Config{Owner: owner, StateDir: t.TempDir(), Helper: self})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestPlumber(t *testing.T) {
	networktest.Plumber(t, machine(t), openPlumber)
}

func openFirewall(t *testing.T, owner engine.Owner) networks.Firewall {
	t.Helper()
	return pf.New(pf.Config{Owner: owner, Run: runner.Host{}})
}

// TestFirewall gives the host a ruleset that does no more than refer to the engine's anchors, unless it has one that does.
func TestFirewall(t *testing.T) {
	m := machine(t)
	run(t, "kldload", "-n", "pf")
	if nat, rules := run(t, "pfctl", "-q", "-s", "nat"), run(t, "pfctl", "-q", "-s", "rules"); len(pf.Missing(nat, rules)) > 0 {
		if strings.TrimSpace(nat) != "" {
			t.Skipf("the host's pf has rules of its own, without the engine's anchors:\n%s", nat)
		}
		load := exec.Command("pfctl", "-q", "-f", "-")
		load.Stdin = strings.NewReader("nat-anchor \"xc-nat\"\nrdr-anchor \"xc-rdr\"\nanchor \"xc\"\npass all\n")
		if out, err := load.CombinedOutput(); err != nil {
			t.Fatalf("pfctl: %v\n%s", err, out)
		}
		t.Cleanup(func() { run(t, "pfctl", "-q", "-F", "nat", "-F", "rules") })
	}
	if exec.Command("pfctl", "-q", "-e").Run() == nil {
		t.Cleanup(func() { run(t, "pfctl", "-q", "-d") })
	}
	networktest.Firewall(t, m, networktest.Abilities{Apart: true}, openPlumber, openFirewall)
}
