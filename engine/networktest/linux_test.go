//go:build linux

package networktest

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/platform/linux/netlink"
	"github.com/xcengine/xc/engine/platform/linux/nft"
)

// isolatedVar names a directory for what drivers note, to the process that has a network of its own.
const isolatedVar = "XC_NETWORKTEST_ISOLATED"

// TestMain runs the tests in a process with a network and mounts of its own, so that the host sees nothing of them.
func TestMain(m *testing.M) {
	if os.Getenv(isolatedVar) != "" || os.Getuid() != 0 || len(os.Args) > 1 && os.Args[1] == programWord {
		Main(m)
		return
	}
	dir, err := os.MkdirTemp("", "xc-networktest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), isolatedVar+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = errors.Join(cmd.Run(), os.RemoveAll(dir))
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "run isolated:", err)
		os.Exit(1)
	}
}

// linux is this machine, or rather the network namespace that TestMain made.
type linux struct{ neighbours *atomic.Int32 }

func machine(t testing.TB) linux {
	t.Helper()
	if os.Getenv(isolatedVar) == "" {
		t.Skip("needs root: it makes network namespaces")
	}
	for _, tool := range []string{"ip", "nsenter", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s (packages iproute2, util-linux, nftables)", tool)
		}
	}
	run(t, "ip", "link", "set", "lo", "up")
	return linux{neighbours: new(atomic.Int32)}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (linux) Sandbox(t *testing.T) engine.Sandbox { return engine.Sandbox{NetNS: pinned(t)} }

// pinned makes a network namespace and keeps it at a path until the test ends.
func pinned(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "netns")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", path, err)
		}
	})
	return path
}

func (linux) Command(box engine.Sandbox, name string, args ...string) *exec.Cmd {
	if box.NetNS == "" {
		return exec.Command(name, args...)
	}
	return exec.Command("nsenter", append([]string{"--net=" + box.NetNS, "--", name}, args...)...)
}

// Neighbour is a network namespace joined to the host's by a pair of interfaces.
func (l linux) Neighbour(t *testing.T) Neighbour {
	t.Helper()
	i := l.neighbours.Add(1)
	n := Neighbour{
		Box:   l.Sandbox(t),
		Host4: netip.AddrFrom4([4]byte{203, 0, byte(i), 1}), Addr4: netip.AddrFrom4([4]byte{203, 0, byte(i), 2}),
		Host6: netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::1", i)), Addr6: netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::2", i)),
	}
	n.HostPrefixes = []netip.Prefix{netip.PrefixFrom(n.Host4, 24).Masked(), netip.PrefixFrom(n.Host6, 64).Masked()}
	name := fmt.Sprint("nb", i)
	run(t, "ip", "link", "add", name, "type", "veth", "peer", "name", name+"p")
	t.Cleanup(func() { run(t, "ip", "link", "delete", name) })
	run(t, "ip", "link", "set", name+"p", "netns", n.Box.NetNS)
	inside := func(args ...string) {
		run(t, "nsenter", append([]string{"--net=" + n.Box.NetNS, "--", "ip"}, args...)...)
	}
	noDAD := "echo 0 >/proc/sys/net/ipv6/conf/" + name
	run(t, "sh", "-c", noDAD+"/accept_dad")
	run(t, "nsenter", "--net="+n.Box.NetNS, "--", "sh", "-c", noDAD+"p/accept_dad")
	inside("link", "set", "lo", "up")
	inside("link", "set", name+"p", "up")
	run(t, "ip", "link", "set", name, "up")
	for host, there := range map[netip.Addr]netip.Addr{n.Host4: n.Addr4, n.Host6: n.Addr6} {
		bits, nodad := "/24", []string{}
		if host.Is6() {
			bits, nodad = "/64", []string{"nodad"}
		}
		run(t, "ip", append([]string{"address", "add", host.String() + bits, "dev", name}, nodad...)...)
		inside(append([]string{"address", "add", there.String() + bits, "dev", name + "p"}, nodad...)...)
		inside("route", "add", "default", "via", host.String())
	}
	return n
}

func (linux) ForeignBridge(t *testing.T, name string) {
	t.Helper()
	run(t, "ip", "link", "add", name, "type", "bridge")
	run(t, "ip", "link", "set", name, "up")
	t.Cleanup(func() { run(t, "ip", "link", "delete", name) })
}

func (linux) Interfaces(t *testing.T) []string {
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

func logger(t testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	return slog.New(slog.DiscardHandler)
}

func openPlumber(t *testing.T, owner engine.Owner) networks.Plumber {
	t.Helper()
	p, err := netlink.New(owner, os.Getenv(isolatedVar), logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPlumber(t *testing.T) {
	Plumber(t, machine(t), openPlumber)
}

// TestUnmarked: a daemon that was killed before it could mark what it made finds it by its name.
func TestUnmarked(t *testing.T) {
	machine(t)
	run(t, "ip", "link", "add", "xc7e57-abcdef", "type", "bridge")
	run(t, "ip", "link", "add", "xv7e57-01234567", "type", "veth", "peer", "name", "theirs0")
	run(t, "ip", "link", "add", "xv7e58-01234567", "type", "veth", "peer", "name", "theirs1")
	t.Cleanup(func() { run(t, "ip", "link", "delete", "theirs1") })
	p := openPlumber(t, ours)
	inv, err := p.Inventory(t.Context())
	if err != nil || len(inv.Segments) != 1 || inv.Segments[0].Bridge != "xc7e57-abcdef" || len(inv.Plugs) != 1 || inv.Plugs[0].Host != "xv7e57-01234567" {
		t.Errorf("%+v, %v", inv, err)
	}
	if err := p.Cleanup(t.Context()); err != nil {
		t.Error(err)
	}
	if got := (linux{}).Interfaces(t); !slices.Equal(got, []string{"lo", "theirs1", "xv7e58-01234567"}) {
		t.Errorf("left: %v", got)
	}
}

func openFirewall(t *testing.T, owner engine.Owner) networks.Firewall {
	t.Helper()
	return nft.New(owner, logger(t))
}

func TestFirewall(t *testing.T) {
	m := machine(t)
	foreign := foreignTable(t)
	Firewall(t, m, Abilities{HostToPublished: true, Apart: true}, openPlumber, openFirewall)
	if got := run(t, "nft", "list", "ruleset"); got != foreign {
		t.Errorf("rules of others, before:\n%s\nafter:\n%s", foreign, got)
	}
}

// foreignTable makes a table as another program would have it, and returns how it is listed.
func foreignTable(t *testing.T) string {
	t.Helper()
	run(t, "nft", "add table ip others; add chain ip others forward { type filter hook forward priority 0; policy accept; }; "+
		"add set ip others s { type ipv4_addr; }; add element ip others s { 10.9.9.9 }; add rule ip others forward ip saddr @s accept")
	t.Cleanup(func() { run(t, "nft", "delete", "table", "ip", "others") })
	return run(t, "nft", "list", "ruleset")
}

// BenchmarkAttach is one endpoint, from an empty network namespace to a default route, and its end.
func BenchmarkAttach(b *testing.B) {
	machine(b)
	p, err := netlink.New("7e570000", b.TempDir(), logger(b))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	id := engine.NetworkID(engine.NewID())
	s := engine.Segment{Network: id, Managed: true, Bridge: engine.BridgeName("7e570000", id), Addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/16")}}
	if err := p.EnsureNetwork(b.Context(), s); err != nil {
		b.Fatal(err)
	}
	var attach, detach time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		w := engine.Wiring{Container: engine.ContainerID(engine.NewID()), Sandbox: engine.Sandbox{NetNS: pinned(b)}, Plugs: []engine.Plug{{
			Network: id, Bridge: s.Bridge, Interface: "eth0", MAC: "02:42:0a:4d:00:02",
			Addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/16")}, Gateway4: netip.MustParseAddr("10.77.0.1"),
		}}}
		b.StartTimer()
		start := time.Now()
		plugs, err := p.Attach(b.Context(), w)
		if err != nil {
			b.Fatal(err)
		}
		attached := time.Now()
		if err := p.Detach(b.Context(), plugs); err != nil {
			b.Fatal(err)
		}
		attach, detach = attach+attached.Sub(start), detach+time.Since(attached)
		n++
	}
	b.ReportMetric(float64(attach.Microseconds())/float64(n), "µs/attach")
	b.ReportMetric(float64(detach.Microseconds())/float64(n), "µs/detach")
	if err := p.RemoveNetwork(b.Context(), s); err != nil {
		b.Fatal(err)
	}
}
