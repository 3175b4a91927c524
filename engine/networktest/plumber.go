package networktest

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
)

// OpenPlumber opens the driver for an owner; it is closed when the test ends.
type OpenPlumber func(t *testing.T, owner engine.Owner) networks.Plumber

const (
	ours   = engine.Owner("7e570000")
	theirs = engine.Owner("7e571111")
)

// Plumber holds a driver to networks.Plumber.
func Plumber(t *testing.T, m Machine, open OpenPlumber) {
	for name, test := range map[string]func(*bench){
		"NetworkIsMadeAndRemoved":    networkIsMadeAndRemoved,
		"OccupiedFollows":            occupiedFollows,
		"EndpointIsAsWanted":         endpointIsAsWanted,
		"AttachingAgainChanges0":     attachingAgainChangesNothing,
		"LiveConnectAndDisconnect":   liveConnectAndDisconnect,
		"DefaultRouteMoves":          defaultRouteMoves,
		"FailedAttachLeavesNothing":  failedAttachLeavesNothing,
		"DetachIsFinal":              detachIsFinal,
		"AttachedAgainAtOnce":        attachedAgainAtOnce,
		"DetachOfDeadSandbox":        detachOfDeadSandbox,
		"IsolatedEndpoints":          isolatedEndpoints,
		"ForeignBridgeStays":         foreignBridgeStays,
		"MissingForeignInterface":    missingForeignInterface,
		"BridgeOfAnotherNetwork":     bridgeOfAnotherNetwork,
		"DamageIsMended":             damageIsMended,
		"MTU":                        mtuIsSet,
		"NoNetwork":                  noNetworkButLoopback,
		"ManyAtOnce":                 manyAtOnce,
		"InventoryAfterRestart":      func(b *bench) { inventoryAfterRestart(b, open) },
		"CleanupTakesOnlyOnesOwn":    func(b *bench) { cleanupTakesOnlyOnesOwn(b, open) },
		"AddressIsReusedImmediately": addressIsReusedImmediately,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, machine: m, plumber: open(t, ours)}
			before := m.Interfaces(t)
			t.Cleanup(func() {
				if inv := b.inventory(); len(inv.Plugs)+len(inv.Segments) > 0 {
					t.Errorf("left behind: %+v", inv)
				}
				if diff := cmp.Diff(before, m.Interfaces(t)); diff != "" {
					t.Errorf("interfaces (-before +after)\n%s", diff)
				}
			})
			test(b)
		})
	}
}

func networkIsMadeAndRemoved(b *bench) {
	l := b.newLAN(1, ours)
	if err := b.plumber.EnsureNetwork(b.Context(), l.Segment); err != nil {
		b.Errorf("again: %v", err)
	}
	inv := b.inventory()
	if len(inv.Segments) != 1 || inv.Segments[0].Network != l.Network || inv.Segments[0].Bridge != l.Bridge || !inv.Segments[0].Managed {
		b.Errorf("inventory %+v", inv.Segments)
	}
	host := b.interfaces(engine.Sandbox{})[l.Bridge]
	if diff := cmp.Diff(l.Addrs, host.Addrs, cmp.Comparer(func(x, y netip.Prefix) bool { return x == y })); diff != "" || !host.Up {
		b.Errorf("bridge up=%v, addresses (-want +got)\n%s", host.Up, diff)
	}
	changed := l.Segment
	changed.Addrs = []netip.Prefix{netip.PrefixFrom(l.addr4(254), 24)}
	if err := b.plumber.EnsureNetwork(b.Context(), changed); err != nil {
		b.Fatal(err)
	}
	if got := b.interfaces(engine.Sandbox{})[l.Bridge].Addrs; !slices.Equal(got, changed.Addrs) {
		b.Errorf("after a change: %v", got)
	}
	for range 2 {
		if err := b.plumber.RemoveNetwork(b.Context(), l.Segment); err != nil {
			b.Errorf("remove: %v", err)
		}
	}
	if _, there := b.interfaces(engine.Sandbox{})[l.Bridge]; there {
		b.Error("the bridge is still there")
	}
	if err := b.plumber.EnsureNetwork(b.Context(), l.Segment); err != nil {
		b.Errorf("made again at once: %v", err)
	}
}

func occupiedFollows(b *bench) {
	has := func(want netip.Prefix, on string) bool {
		all, err := b.plumber.Occupied(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if slices.ContainsFunc(all, func(o engine.Occupied) bool { return o.Prefix.Bits() == 0 }) {
			b.Errorf("a default route occupies everything: %v", all)
		}
		return slices.ContainsFunc(all, func(o engine.Occupied) bool { return o.Prefix == want && (on == "" || o.Interface == on) })
	}
	l := b.newLAN(1, ours)
	if !has(l.subnet4, l.Bridge) || !has(l.subnet6, l.Bridge) {
		b.Error("the network is not occupied by its bridge")
	}
	if err := b.plumber.RemoveNetwork(b.Context(), l.Segment); err != nil {
		b.Fatal(err)
	}
	if has(l.subnet4, "") || has(l.subnet6, "") {
		b.Error("the network is occupied after its removal")
	}
	n := b.machine.Neighbour(b.T)
	for _, p := range n.HostPrefixes {
		if !has(p, "") {
			b.Errorf("%s is not occupied", p)
		}
	}
}

func endpointIsAsWanted(b *bench) {
	l := b.newLAN(1, ours)
	x, y := b.newBox(), b.newBox()
	b.attach(x, l.plug(2, "eth0"))
	b.attach(y, l.plug(3, "eth0"))
	seen := b.interfaces(x.Sandbox)
	want := Interface{MAC: l.plug(2, "").MAC, MTU: 1500, Up: true, Addrs: l.plug(2, "").Addrs}
	if diff := cmp.Diff(want, seen[x.plugs[0].Interface], cmp.Comparer(func(x, y netip.Prefix) bool { return x == y })); diff != "" {
		b.Errorf("interface %s (-want +got)\n%s\nof %+v", x.plugs[0].Interface, diff, seen)
	}
	if x.plugs[0].Host == "" || x.plugs[0].Host == y.plugs[0].Host || x.plugs[0].MAC != want.MAC {
		b.Errorf("answered %+v", x.plugs[0])
	}
	b.serve(x.Sandbox, "tcp", ":80", "x")
	b.serve(engine.Sandbox{}, "tcp", at4(l.addr4(1), 8088), "host")
	for _, to := range []string{at4(l.addr4(2), 80), at4(l.addr6(2), 80)} {
		b.reaches("container to container", y.Sandbox, "tcp", to, "x", "")
		b.reaches("host to container", engine.Sandbox{}, "tcp", to, "x", "")
		b.reaches("container to itself", x.Sandbox, "tcp", to, "x", "")
	}
	b.reaches("loopback", x.Sandbox, "tcp", "127.0.0.1:80", "x", "127.0.0.1")
	b.reaches("container to host", y.Sandbox, "tcp", at4(l.addr4(1), 8088), "host", l.addr4(3).String())
}

func attachingAgainChangesNothing(b *bench) {
	l := b.newLAN(1, ours)
	x := b.newBox()
	b.attach(x, l.plug(2, "eth0"))
	first, seen := x.plugs, b.interfaces(x.Sandbox)
	b.attach(x, l.plug(2, "eth0"))
	same := cmp.Comparer(func(x, y netip.Prefix) bool { return x == y })
	addr := cmp.Comparer(func(x, y netip.Addr) bool { return x == y })
	if diff := cmp.Diff(first, x.plugs, same, addr); diff != "" {
		b.Errorf("answer (-first +second)\n%s", diff)
	}
	if diff := cmp.Diff(seen, b.interfaces(x.Sandbox), same); diff != "" {
		b.Errorf("interfaces (-first +second)\n%s", diff)
	}
	if n := len(b.inventory().Plugs); n != 1 {
		b.Errorf("%d plugs", n)
	}
}

func liveConnectAndDisconnect(b *bench) {
	l1, l2 := b.newLAN(1, ours), b.newLAN(2, ours)
	x, y := b.newBox(), b.newBox()
	b.attach(y, l2.plug(3, "eth0"))
	b.serve(y.Sandbox, "tcp", ":80", "y")
	b.attach(x, l1.plug(2, "eth0"))
	second := l2.plug(2, "eth1")
	second.Gateway4, second.Gateway6 = netip.Addr{}, netip.Addr{}
	b.attach(x, l1.plug(2, "eth0"), second)
	b.reaches("after connect", x.Sandbox, "tcp", at4(l2.addr4(3), 80), "y", l2.addr4(2).String())
	if n := len(b.inventory().Plugs); n != 3 {
		b.Errorf("%d plugs after connect", n)
	}
	b.attach(x, l2.plug(2, "eth1"))
	b.reaches("after disconnect of the other", x.Sandbox, "tcp", at4(l2.addr4(3), 80), "y", l2.addr4(2).String())
	if seen := b.interfaces(x.Sandbox); len(seen[x.plugs[0].Interface].Addrs) == 0 || seen["eth0"].MAC == l1.plug(2, "").MAC {
		b.Errorf("after disconnect: %+v", seen)
	}
	b.attach(x)
	b.reachesNot("after disconnect of all", x.Sandbox, "tcp", at4(l2.addr4(3), 80))
	b.attach(x, l1.plug(2, "eth0"))
	if got := x.plugs[0].Interface; got != "eth0" {
		b.Errorf("connected again as %s", got)
	}
}

func defaultRouteMoves(b *bench) {
	l1, l2 := b.newLAN(1, ours), b.newLAN(2, ours)
	b.serve(engine.Sandbox{}, "tcp4", "0.0.0.0:8099", "host")
	x := b.newBox()
	with, without := func(l lan, name string) engine.Plug { return l.plug(2, name) }, func(l lan, name string) engine.Plug {
		p := l.plug(2, name)
		p.Gateway4, p.Gateway6 = netip.Addr{}, netip.Addr{}
		return p
	}
	// An address of the host that is on neither network is reached by the default route.
	n := b.machine.Neighbour(b.T)
	far := at4(n.Host4, 8099)
	b.attach(x, with(l1, "eth0"), without(l2, "eth1"))
	b.reaches("by the first", x.Sandbox, "tcp4", far, "host", l1.addr4(2).String())
	b.attach(x, without(l1, "eth0"), with(l2, "eth1"))
	b.reaches("by the second", x.Sandbox, "tcp4", far, "host", l2.addr4(2).String())
	b.attach(x, without(l1, "eth0"), without(l2, "eth1"))
	b.reachesNot("by none", x.Sandbox, "tcp4", far)
}

func failedAttachLeavesNothing(b *bench) {
	l := b.newLAN(1, ours)
	x := b.newBox()
	b.attach(x, l.plug(2, "eth0"))
	missing := l.plug(9, "eth2")
	missing.Network, missing.Bridge, missing.Alias = engine.NetworkID(engine.NewID()), "xcnosuchbr", "xcnosuchbr"
	third := l.plug(8, "eth1")
	third.Network = engine.NetworkID(engine.NewID())
	_, err := b.plumber.Attach(b.Context(), engine.Wiring{Container: x.id, Sandbox: x.Sandbox, Plugs: []engine.Plug{l.plug(2, "eth0"), third, missing}})
	if engine.KindOf(err) != engine.NotFound {
		b.Errorf("without a bridge: %v, want a NotFound", err)
	}
	if inv := b.inventory(); len(inv.Plugs) != 1 || inv.Plugs[0].Host != x.plugs[0].Host {
		b.Errorf("after the failure: %+v", inv.Plugs)
	}
	gone := x.Sandbox
	gone.NetNS, gone.Jail, gone.JID = "/nonexistent/netns", "xc-nonexistent", 1<<30
	if _, err := b.plumber.Attach(b.Context(), engine.Wiring{Container: x.id, Sandbox: gone, Plugs: []engine.Plug{l.plug(3, "eth0")}}); err == nil {
		b.Error("attached to a sandbox that is not there")
	}
}

func detachIsFinal(b *bench) {
	l := b.newLAN(1, ours)
	x := b.newBox()
	b.attach(x, l.plug(2, "eth0"))
	b.serve(x.Sandbox, "tcp", ":80", "x")
	for range 2 {
		if err := b.plumber.Detach(b.Context(), x.plugs); err != nil {
			b.Errorf("detach: %v", err)
		}
	}
	b.reachesNot("after detach", engine.Sandbox{}, "tcp", at4(l.addr4(2), 80))
	if inv := b.inventory(); len(inv.Plugs) != 0 {
		b.Errorf("after detach: %+v", inv.Plugs)
	}
}

// attachedAgainAtOnce: what was detached may be a while in going, and takes nothing along that was attached since.
func attachedAgainAtOnce(b *bench) {
	l := b.newLAN(1, ours)
	x := b.newBox()
	b.attach(x, l.plug(2, "eth0"))
	b.serve(x.Sandbox, "tcp", ":80", "x")
	first := x.plugs
	if err := b.plumber.Detach(b.Context(), first); err != nil {
		b.Fatal(err)
	}
	b.attach(x, l.plug(2, "eth0"))
	if inv := b.inventory(); len(inv.Plugs) != 1 { // it waits for what is going
		b.Errorf("%+v", inv.Plugs)
	}
	b.reaches("attached again", engine.Sandbox{}, "tcp", at4(l.addr4(2), 80), "x", "")
	if got := x.plugs[0].Interface; got != "eth0" {
		b.Errorf("attached again as %s", got)
	}
}

func detachOfDeadSandbox(b *bench) {
	l := b.newLAN(1, ours)
	var plugs []engine.Plug
	b.Run("the sandbox ends", func(t *testing.T) {
		inner := &bench{T: t, machine: b.machine, plumber: b.plumber}
		x := &box{Sandbox: b.machine.Sandbox(t), id: engine.ContainerID(engine.NewID())}
		inner.attach(x, l.plug(2, "eth0"))
		plugs = x.plugs
	})
	if err := b.plumber.Detach(b.Context(), plugs); err != nil {
		b.Errorf("detach: %v", err)
	}
	if inv := b.inventory(); len(inv.Plugs) != 0 {
		b.Errorf("left behind: %+v", inv.Plugs)
	}
}

func addressIsReusedImmediately(b *bench) {
	l := b.newLAN(1, ours)
	asker := b.newBox()
	b.attach(asker, l.plug(9, "eth0"))
	for i, mac := range []string{l.plug(2, "").MAC, l.plug(2, "").MAC, "02:00:00:00:00:77", l.plug(2, "").MAC, "02:00:00:00:00:78"} {
		x := b.newBox()
		p := l.plug(2, "eth0")
		p.MAC = mac
		b.attach(x, p)
		name := fmt.Sprint("x", i)
		b.serve(x.Sandbox, "tcp", ":80", name)
		b.reaches("the present holder", asker.Sandbox, "tcp", at4(l.addr4(2), 80), name, "")
		if err := b.plumber.Detach(b.Context(), x.plugs); err != nil {
			b.Fatal(err)
		}
	}
}
