package netlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// Attach converges what a container's network namespace has to the wiring.
func (p *Plumber) Attach(ctx context.Context, w engine.Wiring) ([]engine.Plug, error) {
	if w.Sandbox.NetNS == "" {
		if len(w.Plugs) == 0 {
			return nil, nil
		}
		return nil, &engine.Error{
			Op: "attach", Kind: engine.NotImplemented, Resource: engine.ResourceContainer, ID: string(w.Container),
			Reason: engine.ReasonUnsupported, Args: []string{"addresses on the host's network stack", "linux"},
		}
	}
	var undone undo.Stack
	made, err := p.attach(w, &undone)
	if err != nil {
		return nil, fail("attach", engine.ResourceEndpoint, string(w.Container), errors.Join(err, undone.Run(ctx)))
	}
	return made, nil
}

func (p *Plumber) attach(w engine.Wiring, undone *undo.Stack) ([]engine.Plug, error) {
	ns, err := os.Open(w.Sandbox.NetNS)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	var made []engine.Plug
	hairpin := hairpinNeeded() // of the host: a new namespace has parameters of its own
	err = within(ns, func() error {
		in, err := openInside(ns)
		if err != nil {
			return err
		}
		defer in.close()
		in.hairpin = hairpin
		made, err = p.converge(in, w, undone)
		return err
	})
	return made, err
}

func (p *Plumber) converge(in *inside, w engine.Wiring, undone *undo.Stack) ([]engine.Plug, error) {
	if in.lo != nil && in.lo.Attrs().Flags&net.FlagUp == 0 {
		if err := in.handle.LinkSetUp(in.lo); err != nil {
			return nil, fmt.Errorf("bring up the loopback interface: %w", err)
		}
	}
	if err := p.unplugOthers(in, w); err != nil {
		return nil, err
	}
	made := make([]engine.Plug, 0, len(w.Plugs))
	for _, plug := range w.Plugs {
		plug.Container = w.Container
		if plug.Device != "" {
			continue
		}
		got, err := p.plug(in, plug, undone)
		if err != nil {
			return nil, fmt.Errorf("network %s: %w", plug.Network.Short(), err)
		}
		made = append(made, got)
	}
	if err := in.route(made); err != nil {
		return nil, err
	}
	for _, plug := range w.Plugs {
		if plug.Device == "" {
			continue
		}
		plug.Container, plug.Lent = w.Container, w.Sandbox
		got, err := p.device(in, plug, undone)
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", plug.Device, err)
		}
		made = append(made, got)
	}
	return made, nil
}

// unplugOthers deletes what the container has beyond the wiring. The end inside takes the host's end along.
func (p *Plumber) unplugOthers(in *inside, w engine.Wiring) error {
	for network, link := range in.ours {
		if slices.ContainsFunc(w.Plugs, func(plug engine.Plug) bool { return plug.Network.Short() == string(network) }) {
			continue
		}
		if err := in.remove(link); err != nil {
			return err
		}
		delete(in.ours, network)
	}
	return nil
}

// isDead reports whether the host's end of a pair only waits to be deleted, or is already.
func (p *Plumber) isDead(inside netlink.Link) (bool, error) {
	peer, err := p.host.LinkByIndex(inside.Attrs().ParentIndex)
	if isNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("host's end of %s: %w", inside.Attrs().Name, err)
	}
	return peer.Attrs().Group == p.dead.group, nil
}

// plug makes one plug, or corrects one that is there.
func (p *Plumber) plug(in *inside, want engine.Plug, undone *undo.Stack) (engine.Plug, error) {
	link := in.ours[engine.NetworkID(want.Network.Short())]
	if link != nil {
		dead, err := p.isDead(link)
		if err != nil {
			return engine.Plug{}, err
		}
		if !dead {
			return p.correct(in, link, want)
		}
		if err := in.remove(link); err != nil {
			return engine.Plug{}, err
		}
	}
	bridge, err := p.host.LinkByName(want.Bridge)
	if err != nil {
		return engine.Plug{}, fmt.Errorf("bridge %s: %w", want.Bridge, err)
	}
	got := want
	got.Host = randomName(pairPrefix, p.owner)
	got.Interface = in.free(want.Interface)
	undone.Push("pair "+got.Host, func(ctx context.Context) error { return p.Detach(ctx, []engine.Plug{got}) })
	if link, err = p.pair(in, bridge, got); err != nil {
		return engine.Plug{}, err
	}
	if got.MAC == "" {
		got.MAC = link.Attrs().HardwareAddr.String()
	}
	announce := p.tell.need(got)
	if err := in.bringUp(link, got, announce); err != nil || !announce {
		return got, err
	}
	return got, p.announceAgain(in, link, got)
}

// portTimeout bounds the wait for a bridge to learn that a port's other end is up.
const portTimeout = time.Second

// announceAgain tells the neighbours once more: the bridge learns a moment after an end inside is up that its port is, and passes
// nothing on before, the first announcement neither. To be given its address, be it the same, makes the kernel announce it.
func (p *Plumber) announceAgain(in *inside, link netlink.Link, plug engine.Plug) error {
	for end := time.Now().Add(portTimeout); time.Now().Before(end); time.Sleep(time.Millisecond) {
		port, err := p.host.LinkByName(plug.Host)
		if err != nil {
			return fmt.Errorf("host's end of %s: %w", plug.Interface, err)
		}
		if port.Attrs().OperState == netlink.OperUp {
			break
		}
	}
	mac, err := parseMAC(plug.MAC)
	if err != nil {
		return err
	}
	if err := in.handle.LinkSetHardwareAddr(link, mac); err != nil {
		return fmt.Errorf("announce the address of %s: %w", plug.Interface, err)
	}
	return nil
}

// pair makes both ends and marks them.
func (p *Plumber) pair(in *inside, bridge netlink.Link, plug engine.Plug) (netlink.Link, error) {
	mtu := plug.MTU
	if mtu == 0 && bridge.Attrs().MTU != defaultMTU {
		mtu = bridge.Attrs().MTU
	}
	mac, err := parseMAC(plug.MAC)
	if err != nil {
		return nil, err
	}
	err = p.send.makePair(pair{host: plug.Host, bridge: bridge.Attrs().Index, inside: plug.Interface, netns: int(in.ns.Fd()), mac: mac, mtu: mtu})
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", plug.Interface, err)
	}
	err = p.send.setPort(plug.Host, pairMark(p.owner, plug.Container, plug.Network), port{hairpin: in.hairpin, isolated: plug.Isolated})
	if err != nil {
		return nil, fmt.Errorf("set up %s: %w", plug.Host, err)
	}
	link, err := in.handle.LinkByName(plug.Interface)
	if err != nil {
		return nil, err
	}
	return link, in.send.link(unix.RTM_NEWLINK, 0, nameAttr(plug.Interface), attr(unix.IFLA_IFALIAS, []byte(insideMark(plug.Network))))
}

const defaultMTU = 1500 // of Ethernet, and so of a new pair

func parseMAC(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return net.ParseMAC(s)
}

// correct brings a plug that is there to what is wanted: addresses added, up.
func (p *Plumber) correct(in *inside, link netlink.Link, want engine.Plug) (engine.Plug, error) {
	a := link.Attrs()
	got := want
	got.Interface, got.MAC = a.Name, a.HardwareAddr.String()
	peer, err := p.host.LinkByIndex(a.ParentIndex)
	if err != nil {
		return engine.Plug{}, fmt.Errorf("host's end of %s: %w", a.Name, err)
	}
	got.Host = peer.Attrs().Name
	if err := p.correctPort(in, peer, want); err != nil {
		return engine.Plug{}, err
	}
	for _, addr := range want.Addrs {
		if err := in.handle.AddrAdd(link, kernelAddr(addr)); err != nil && !errors.Is(err, unix.EEXIST) {
			return engine.Plug{}, fmt.Errorf("add address %s: %w", addr, err)
		}
	}
	if a.Flags&net.FlagUp == 0 {
		return got, in.handle.LinkSetUp(link)
	}
	return got, nil
}

func (p *Plumber) correctPort(in *inside, peer netlink.Link, want engine.Plug) error {
	bridge, err := p.host.LinkByName(want.Bridge)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", want.Bridge, err)
	}
	if peer.Attrs().MasterIndex == bridge.Attrs().Index {
		return nil
	}
	if err := p.host.LinkSetMasterByIndex(peer, bridge.Attrs().Index); err != nil {
		return fmt.Errorf("join %s to %s: %w", peer.Attrs().Name, want.Bridge, err)
	}
	return p.send.setPort(peer.Attrs().Name, pairMark(p.owner, want.Container, want.Network), port{hairpin: in.hairpin, isolated: want.Isolated})
}

// Detach takes pairs out of use at once. They are deleted a moment later.
func (p *Plumber) Detach(_ context.Context, plugs []engine.Plug) error {
	var errs []error
	for _, plug := range plugs {
		if plug.Device != "" {
			errs = append(errs, p.takeBack(plug))
			continue
		}
		if plug.Host == "" {
			continue
		}
		err := p.send.kill(plug.Host, p.dead.group)
		if err != nil && !isNotFound(err) {
			errs = append(errs, fail("detach", engine.ResourceContainer, string(plug.Container), fmt.Errorf("%s: %w", plug.Host, err)))
			continue
		}
		p.dead.later()
	}
	return errors.Join(errs...)
}
