package netlink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// device moves an interface of the administrator's into a container, unless it is there, and gives it addresses.
func (p *Plumber) device(in *inside, want engine.Plug, undone *undo.Stack) (engine.Plug, error) {
	got := want
	got.Interface = want.Device
	link, err := in.handle.LinkByName(want.Device)
	if isNotFound(err) {
		undone.Push("interface "+want.Device, func(context.Context) error { return p.takeBack(got) })
		link, err = p.moveIn(in, want)
	}
	if err == nil && link.Attrs().Flags&net.FlagLoopback != 0 {
		err = errors.New("every container has a loopback interface of its own")
	}
	if err != nil {
		return got, err
	}
	got.MAC = link.Attrs().HardwareAddr.String()
	for _, a := range want.Addrs {
		if err := in.handle.AddrAdd(link, kernelAddr(a)); err != nil && !errors.Is(err, unix.EEXIST) {
			return got, fmt.Errorf("add address %s: %w", a, err)
		}
	}
	return got, in.handle.LinkSetUp(link)
}

func (p *Plumber) moveIn(in *inside, plug engine.Plug) (netlink.Link, error) {
	name := plug.Device
	link, err := p.host.LinkByName(name)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(link.Attrs().Alias, markPrefix) || oursByName(name, p.owner) {
		return nil, errors.New("is an interface of the engine's")
	}
	if err := p.noteLoan(link, plug); err != nil {
		return nil, fmt.Errorf("note what it has on the host: %w", err)
	}
	if err := p.host.LinkSetNsFd(link, int(in.ns.Fd())); err != nil {
		return nil, fmt.Errorf("move into the container: %w", err)
	}
	return in.handle.LinkByName(name)
}

// takeBack brings an interface back to the host, where it gets what it had. Of those that are not hardware the kernel deletes what is
// left in a network namespace that ends.
func (p *Plumber) takeBack(plug engine.Plug) error {
	err := p.moveBack(plug)
	if err == nil || isNotFound(err) || errors.Is(err, fs.ErrNotExist) { // the kernel brings hardware back by itself
		err = p.endLoan(plug.Device)
	}
	if err != nil {
		return fail("detach", engine.ResourceContainer, string(plug.Container), fmt.Errorf("bring back interface %s: %w", plug.Device, err))
	}
	return nil
}

func (p *Plumber) moveBack(plug engine.Plug) error {
	ns, err := os.Open(plug.Lent.NetNS)
	if err != nil {
		return err
	}
	defer ns.Close()
	return within(ns, func() error {
		handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer handle.Close()
		link, err := handle.LinkByName(plug.Device)
		if err != nil {
			return err
		}
		return handle.LinkSetNsFd(link, int(p.home.Fd()))
	})
}
