package netlink

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// loan is what an interface of the administrator's had before it moved into a container: it loses its addresses and goes down by
// that, and again when it comes back.
type loan struct {
	Container engine.ContainerID
	NetNS     string
	Up        bool
	Addrs     []netip.Prefix
}

const noteOfLoan = "lent"

// noteLoan notes what an interface of the host has now.
func (p *Plumber) noteLoan(link netlink.Link, plug engine.Plug) error {
	addrs, err := p.host.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	l := loan{Container: plug.Container, NetNS: plug.Lent.NetNS, Up: link.Attrs().Flags&net.FlagUp != 0}
	for _, a := range addrs {
		if prefix, ok := toPrefix(a.IPNet); ok {
			l.Addrs = append(l.Addrs, prefix)
		}
	}
	return p.putNote(noteOfLoan, plug.Device, l)
}

// endLoan gives an interface that is back what it had. Routes by it, other than to its networks, are not kept.
func (p *Plumber) endLoan(device string) error {
	var l loan
	err := p.note(noteOfLoan, device, &l)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	link, err := p.host.LinkByName(device)
	if err == nil {
		err = p.restore(link, l)
	}
	if err != nil && !isNotFound(err) { // it may have gone with its container
		return err
	}
	return p.endNote(noteOfLoan, device)
}

func (p *Plumber) restore(link netlink.Link, l loan) error {
	for _, a := range l.Addrs {
		if err := p.host.AddrAdd(link, kernelAddr(a)); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add address %s: %w", a, err)
		}
	}
	if l.Up {
		return p.host.LinkSetUp(link)
	}
	return nil
}

// loans lists the interfaces that are lent, or were when a daemon ended.
func (p *Plumber) loans() ([]engine.Plug, error) {
	var all []engine.Plug
	err := eachNote(p, noteOfLoan, func(device string, l loan) {
		all = append(all, engine.Plug{Container: l.Container, Device: device, Alias: device, Interface: device, Lent: engine.Sandbox{NetNS: l.NetNS}})
	})
	return all, err
}
