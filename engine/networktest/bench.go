package networktest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
)

const (
	// patience bounds what should happen at once; haste is how long is waited for what should not happen.
	patience = 10 * time.Second
	haste    = 400 * time.Millisecond
)

// bench is one test's host with its programs.
type bench struct {
	*testing.T
	machine Machine
	plumber networks.Plumber
	filter  networks.Firewall
	rules   engine.FirewallRules
}

// box is a container's place: its sandbox and the wiring that was last asked for.
type box struct {
	engine.Sandbox
	id    engine.ContainerID
	plugs []engine.Plug
}

func (b *bench) newBox() *box {
	b.Helper()
	x := &box{Sandbox: b.machine.Sandbox(b.T), id: engine.ContainerID(engine.NewID())}
	b.Cleanup(func() {
		if err := b.plumber.Detach(context.Background(), x.plugs); err != nil {
			b.Errorf("detach: %v", err)
		}
	})
	return x
}

// attach wires a container and holds the answer against the wish.
func (b *bench) attach(x *box, plugs ...engine.Plug) {
	b.Helper()
	got, err := b.plumber.Attach(b.Context(), engine.Wiring{Container: x.id, Sandbox: x.Sandbox, Plugs: plugs})
	if err != nil {
		b.Fatalf("attach: %v", err)
	}
	if len(got) != len(plugs) {
		b.Fatalf("attach answered %d plugs of %d", len(got), len(plugs))
	}
	x.plugs = got
}

func (b *bench) program(where engine.Sandbox, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := b.machine.Command(where, self, append([]string{programWord}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// serve starts a server that lives as long as the test.
func (b *bench) serve(where engine.Sandbox, network, addr, name string) {
	b.Helper()
	b.server(where, "serve", network, addr, name)
}

// server starts a program that says when it listens.
func (b *bench) server(where engine.Sandbox, args ...string) {
	b.Helper()
	cmd := b.program(where, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "listening\n" {
		b.Fatalf("%v: %q, %v", args, line, err)
	}
}

// ask returns what a server answers: its name and who it thinks asked.
func (b *bench) ask(from engine.Sandbox, network, addr string, within time.Duration) (string, error) {
	cmd := b.program(from, "ask", network, addr, within.String())
	cmd.Stderr = nil
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return strings.TrimSpace(string(out)), err
}

// reaches expects an answer. by empty: the server may see any address of the asker.
func (b *bench) reaches(what string, from engine.Sandbox, network, addr, name, by string) {
	b.Helper()
	got, err := b.ask(from, network, addr, patience)
	server, asker, _ := strings.Cut(got, " ")
	if err != nil || server != name || by != "" && asker != by {
		b.Errorf("%s: %s %s answered %q (%v), want %q", what, network, addr, got, err, strings.TrimSpace(name+" "+by))
	}
}

// reachesNot expects none.
func (b *bench) reachesNot(what string, from engine.Sandbox, network, addr string) {
	b.Helper()
	if got, err := b.ask(from, network, addr, haste); err == nil {
		b.Errorf("%s: %s %s answered %q, want no answer", what, network, addr, got)
	}
}

// interfaces are those that a program in the sandbox sees.
func (b *bench) interfaces(where engine.Sandbox) map[string]Interface {
	b.Helper()
	out, err := b.program(where, "show").Output()
	if err != nil {
		b.Fatalf("show: %v", err)
	}
	var all map[string]Interface
	if err := json.Unmarshal(out, &all); err != nil {
		b.Fatal(err)
	}
	return all
}

func (b *bench) inventory() engine.PlugInventory {
	b.Helper()
	inv, err := b.plumber.Inventory(b.Context())
	if err != nil {
		b.Fatalf("inventory: %v", err)
	}
	return inv
}

// lan is a network with its addresses: the first is the gateway's.
type lan struct {
	engine.Segment
	subnet4, subnet6 netip.Prefix
}

// newLAN makes 10.77.<n>.0/24 and fd77:0:0:<n>::/64. It goes with the test.
func (b *bench) newLAN(n int, owner engine.Owner) lan {
	b.Helper()
	id := engine.NetworkID(engine.NewID())
	l := lan{
		subnet4: netip.MustParsePrefix(fmt.Sprintf("10.77.%d.0/24", n)),
		subnet6: netip.MustParsePrefix(fmt.Sprintf("fd77:0:0:%x::/64", n)),
	}
	l.Segment = engine.Segment{
		Network: id, Name: fmt.Sprint("lan", n), Managed: true, Bridge: engine.BridgeName(owner, id), EnableV6: true,
		Addrs: []netip.Prefix{netip.PrefixFrom(l.addr4(1), 24), netip.PrefixFrom(l.addr6(1), 64)},
	}
	l.Alias = l.Bridge
	if err := b.plumber.EnsureNetwork(b.Context(), l.Segment); err != nil {
		b.Fatalf("make network: %v", err)
	}
	b.Cleanup(func() {
		if err := b.plumber.RemoveNetwork(context.Background(), l.Segment); err != nil {
			b.Errorf("remove network: %v", err)
		}
	})
	return l
}

func (l lan) addr4(host byte) netip.Addr {
	a := l.subnet4.Addr().As4()
	a[3] = host
	return netip.AddrFrom4(a)
}

func (l lan) addr6(host byte) netip.Addr {
	a := l.subnet6.Addr().As16()
	a[15] = host
	return netip.AddrFrom16(a)
}

// plug is a dual-stack place in the network with its gateway as the default router.
func (l lan) plug(host byte, name string) engine.Plug {
	return engine.Plug{
		Network: l.Network, Bridge: l.Bridge, Alias: l.Alias, Interface: name, MAC: fmt.Sprintf("02:42:0a:4d:%02x:%02x", l.subnet4.Addr().As4()[2], host),
		Addrs:    []netip.Prefix{netip.PrefixFrom(l.addr4(host), 24), netip.PrefixFrom(l.addr6(host), 64)},
		Gateway4: l.addr4(1), Gateway6: l.addr6(1),
	}
}

func at4(a netip.Addr, port uint16) string { return netip.AddrPortFrom(a, port).String() }
