package netlink

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// guest is what a managed network has on a bridge that the administrator made: addresses, which go with it.
type guest struct {
	Network engine.NetworkID
	Addrs   []netip.Prefix
}

const noteOfGuest = "bridges"

// noteGuest notes that an address is about to be added.
func (p *Plumber) noteGuest(s engine.Segment, a netip.Prefix) error {
	var g guest
	if err := p.note(noteOfGuest, s.Bridge, &g); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if g.Network != s.Network {
		g = guest{Network: s.Network}
	}
	if slices.Contains(g.Addrs, a) {
		return nil
	}
	g.Addrs = append(g.Addrs, a)
	return p.putNote(noteOfGuest, s.Bridge, g)
}

// endGuest takes a network's addresses from the administrator's bridge.
func (p *Plumber) endGuest(link netlink.Link, s engine.Segment) error {
	var g guest
	err := p.note(noteOfGuest, s.Bridge, &g)
	if errors.Is(err, fs.ErrNotExist) || err == nil && g.Network.Short() != s.Network.Short() {
		return nil
	}
	if err != nil {
		return err
	}
	for _, a := range g.Addrs {
		if err := p.host.AddrDel(link, kernelAddr(a)); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("remove address %s: %w", a, err)
		}
	}
	return p.endNote(noteOfGuest, s.Bridge)
}

// guests lists the networks on bridges of the administrator's, which carry addresses.
func (p *Plumber) guests(carried map[string][]netip.Prefix) ([]engine.Segment, error) {
	var all []engine.Segment
	err := eachNote(p, noteOfGuest, func(bridge string, g guest) {
		all = append(all, engine.Segment{Network: g.Network, Managed: true, Bridge: bridge, Addrs: carried[bridge]})
	})
	return all, err
}
