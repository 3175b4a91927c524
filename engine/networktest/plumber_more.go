package networktest

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
)

func isolatedEndpoints(b *bench) {
	l := b.newLAN(1, ours)
	x, y, z := b.newBox(), b.newBox(), b.newBox()
	isolated := func(host byte) engine.Plug {
		p := l.plug(host, "eth0")
		p.Isolated = true
		return p
	}
	b.attach(x, isolated(2))
	b.attach(y, isolated(3))
	b.attach(z, l.plug(4, "eth0"))
	b.serve(x.Sandbox, "tcp", ":80", "x")
	b.reachesNot("isolated to isolated", y.Sandbox, "tcp", at4(l.addr4(2), 80))
	b.reaches("free to isolated", z.Sandbox, "tcp", at4(l.addr4(2), 80), "x", "")
	b.reaches("host to isolated", engine.Sandbox{}, "tcp", at4(l.addr4(2), 80), "x", "")
}

func foreignBridgeStays(b *bench) {
	const name = "adminbr0"
	b.machine.ForeignBridge(b.T, name)
	l := b.newLAN(1, ours)
	for _, managed := range []bool{true, false} {
		s := l.Segment
		s.Network, s.Managed, s.Bridge, s.Alias = engine.NetworkID(engine.NewID()), managed, name, name
		s.Addrs = nil
		if err := b.plumber.EnsureNetwork(b.Context(), s); err != nil {
			b.Fatalf("managed=%v: %v", managed, err)
		}
		x := b.newBox()
		p := l.plug(2, "eth0")
		p.Network, p.Bridge, p.Alias = s.Network, name, name
		b.attach(x, p)
		if inv := b.inventory(); len(inv.Plugs) != 1 || slices.ContainsFunc(inv.Segments, func(s engine.Segment) bool { return s.Bridge == name }) {
			b.Errorf("managed=%v: inventory %+v", managed, inv)
		}
		if err := b.plumber.Detach(b.Context(), x.plugs); err != nil {
			b.Error(err)
		}
		if err := b.plumber.RemoveNetwork(b.Context(), s); err != nil {
			b.Error(err)
		}
		if !slices.Contains(b.machine.Interfaces(b.T), name) {
			b.Fatalf("managed=%v: the administrator's bridge is gone", managed)
		}
	}
}

func missingForeignInterface(b *bench) {
	s := engine.Segment{Network: engine.NetworkID(engine.NewID()), Name: "x", Bridge: "nosuchif0"}
	if err := b.plumber.EnsureNetwork(b.Context(), s); engine.KindOf(err) != engine.NotFound {
		b.Errorf("got %v, want a NotFound", err)
	}
}

func bridgeOfAnotherNetwork(b *bench) {
	l := b.newLAN(1, ours)
	other := l.Segment
	other.Network = engine.NetworkID(engine.NewID())
	if err := b.plumber.EnsureNetwork(b.Context(), other); err == nil {
		b.Error("one bridge serves two networks")
	}
	if err := b.plumber.RemoveNetwork(b.Context(), other); err != nil {
		b.Error(err)
	}
	if inv := b.inventory(); len(inv.Segments) != 1 || inv.Segments[0].Network != l.Network {
		b.Errorf("the bridge of the first is gone: %+v", inv.Segments)
	}
}

// damageIsMended: someone removed the bridge; making it again and attaching again joins what is there to it.
func damageIsMended(b *bench) {
	l := b.newLAN(1, ours)
	x := b.newBox()
	b.attach(x, l.plug(2, "eth0"))
	b.serve(x.Sandbox, "tcp", ":80", "x")
	if err := b.plumber.RemoveNetwork(b.Context(), l.Segment); err != nil {
		b.Fatal(err)
	}
	b.inventory() // waits for its end
	if err := b.plumber.EnsureNetwork(b.Context(), l.Segment); err != nil {
		b.Fatal(err)
	}
	b.attach(x, l.plug(2, "eth0"))
	b.reaches("after the bridge was made again", engine.Sandbox{}, "tcp", at4(l.addr4(2), 80), "x", "")
}

func mtuIsSet(b *bench) {
	l := b.newLAN(1, ours)
	l.MTU = 1400
	if err := b.plumber.EnsureNetwork(b.Context(), l.Segment); err != nil {
		b.Fatal(err)
	}
	x := b.newBox()
	p := l.plug(2, "eth0")
	p.MTU = 1400
	b.attach(x, p)
	if got := b.interfaces(x.Sandbox)[x.plugs[0].Interface].MTU; got != 1400 {
		b.Errorf("inside: %d", got)
	}
	if got := b.interfaces(engine.Sandbox{})[l.Bridge].MTU; got != 1400 {
		b.Errorf("bridge: %d", got)
	}
}

func noNetworkButLoopback(b *bench) {
	x := b.newBox()
	b.attach(x)
	b.serve(x.Sandbox, "tcp", "127.0.0.1:80", "x")
	b.reaches("itself", x.Sandbox, "tcp", "127.0.0.1:80", "x", "127.0.0.1")
	if inv := b.inventory(); len(inv.Plugs) != 0 {
		b.Errorf("inventory %+v", inv)
	}
}

func manyAtOnce(b *bench) {
	l := b.newLAN(1, ours)
	const n = 20
	boxes := make([]*box, n)
	for i := range boxes {
		boxes[i] = b.newBox()
	}
	errs := make([]error, n)
	each := func(f func(i int) error) {
		var all sync.WaitGroup
		for i := range boxes {
			all.Go(func() { errs[i] = f(i) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			b.Fatal(err)
		}
	}
	each(func(i int) (err error) {
		x := boxes[i]
		x.plugs, err = b.plumber.Attach(b.Context(), engine.Wiring{Container: x.id, Sandbox: x.Sandbox, Plugs: []engine.Plug{l.plug(byte(i+2), "eth0")}})
		return err
	})
	if got := len(b.inventory().Plugs); got != n {
		b.Errorf("%d plugs of %d", got, n)
	}
	each(func(i int) error { return b.plumber.Detach(b.Context(), boxes[i].plugs) })
	if got := len(b.inventory().Plugs); got != 0 {
		b.Errorf("%d plugs left", got)
	}
}

func inventoryAfterRestart(b *bench, open OpenPlumber) {
	l := b.newLAN(1, ours)
	x := b.newBox()
	b.attach(x, l.plug(2, "eth0"))
	b.serve(x.Sandbox, "tcp", ":80", "x")
	again := &bench{T: b.T, machine: b.machine, plumber: open(b.T, ours)}
	inv := again.inventory()
	if len(inv.Plugs) != 1 || inv.Plugs[0].Host != x.plugs[0].Host ||
		inv.Plugs[0].Container.Short() != x.id.Short() || inv.Plugs[0].Network.Short() != l.Network.Short() {
		b.Fatalf("inventory %+v of %+v", inv.Plugs, x.plugs)
	}
	if err := again.plumber.EnsureNetwork(b.Context(), l.Segment); err != nil {
		b.Fatal(err)
	}
	b.reaches("still", engine.Sandbox{}, "tcp", at4(l.addr4(2), 80), "x", "")
	if err := again.plumber.Detach(b.Context(), inv.Plugs); err != nil {
		b.Error(err)
	}
	if inv := again.inventory(); len(inv.Plugs) != 0 {
		b.Errorf("left: %+v", inv.Plugs)
	}
}

func cleanupTakesOnlyOnesOwn(b *bench, open OpenPlumber) {
	other := &bench{T: b.T, machine: b.machine, plumber: open(b.T, theirs)}
	l1, l2 := b.newLAN(1, ours), other.newLAN(2, theirs)
	x, y := b.newBox(), other.newBox()
	b.attach(x, l1.plug(2, "eth0"))
	other.attach(y, l2.plug(2, "eth0"))
	for range 2 {
		if err := b.plumber.Cleanup(b.Context()); err != nil {
			b.Errorf("cleanup: %v", err)
		}
	}
	if inv := b.inventory(); len(inv.Plugs)+len(inv.Segments) != 0 {
		b.Errorf("ours left: %+v", inv)
	}
	if inv := other.inventory(); len(inv.Plugs) != 1 || len(inv.Segments) != 1 {
		b.Errorf("theirs: %+v", inv)
	}
	b.serve(y.Sandbox, "tcp", ":80", "y")
	b.reaches("theirs", engine.Sandbox{}, "tcp", fmt.Sprint(l2.addr4(2), ":80"), "y", "")
	if err := other.plumber.Cleanup(b.Context()); err != nil {
		b.Error(err)
	}
}
