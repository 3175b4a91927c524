package netlink

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
)

// EnsureNetwork makes a network's bridge, or corrects it. A bridge without our mark is the administrator's: it gets the
// addresses, and stays when the network goes.
func (p *Plumber) EnsureNetwork(_ context.Context, s engine.Segment) error {
	if !s.Managed {
		return p.checkForeign(s)
	}
	made := false
	link, err := p.host.LinkByName(s.Bridge)
	if isNotFound(err) {
		link, err = p.makeBridge(s)
		made = err == nil
	}
	if err == nil {
		err = p.claim(link, s)
	}
	if err == nil {
		err = p.shapeBridge(link, s)
	}
	if err != nil && made {
		err = errors.Join(err, p.RemoveNetwork(context.Background(), s))
	}
	if err != nil {
		return fail("make", engine.ResourceNetwork, s.Name, fmt.Errorf("bridge %s: %w", s.Bridge, err))
	}
	return nil
}

func (p *Plumber) checkForeign(s engine.Segment) error {
	for _, name := range []string{s.Bridge, s.Alias} {
		if name == "" {
			continue
		}
		if _, err := p.host.LinkByName(name); err != nil {
			return fail("use", engine.ResourceNetwork, s.Name, fmt.Errorf("interface %s: %w", name, err))
		}
	}
	return nil
}

func (p *Plumber) makeBridge(s engine.Segment) (netlink.Link, error) {
	err := p.send.link(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL,
		nameAttr(s.Bridge), attr(unix.IFLA_ADDRESS, bridgeMAC(s.Network)), bridgeKind())
	if err != nil {
		return nil, err
	}
	if err := p.mark(s); err != nil { // cannot be given with its making
		return nil, err
	}
	return p.host.LinkByName(s.Bridge)
}

func (p *Plumber) mark(s engine.Segment) error {
	return p.send.link(unix.RTM_NEWLINK, 0, nameAttr(s.Bridge), attr(unix.IFLA_IFALIAS, []byte(bridgeMark(p.owner, s.Network))))
}

// claim refuses a bridge that is another network's, and marks one of ours that was never marked.
func (p *Plumber) claim(link netlink.Link, s engine.Segment) error {
	alias := link.Attrs().Alias
	m, ours := parseMark(alias, p.owner)
	switch {
	case ours && m.network != s.Network:
		return fmt.Errorf("belongs to network %s", m.network.Short())
	case !ours && strings.HasPrefix(alias, markPrefix):
		return errors.New("belongs to another daemon")
	case alias == "" && oursByName(s.Bridge, p.owner):
		return p.mark(s)
	}
	return nil
}

func bridgeKind() *nl.RtAttr {
	kind := attr(unix.IFLA_LINKINFO, nil)
	kind.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	return kind
}

// bridgeMAC is a bridge's own address. Without one it would take that of a port, and change with the ports.
func bridgeMAC(id engine.NetworkID) net.HardwareAddr {
	h := fnv.New32a()
	h.Write([]byte(id))
	return append(net.HardwareAddr{0x02, 0x42}, h.Sum(nil)...)
}

// shapeBridge brings an existing bridge to what is wanted.
func (p *Plumber) shapeBridge(link netlink.Link, s engine.Segment) error {
	if link.Type() != "bridge" {
		return fmt.Errorf("is a %s", link.Type())
	}
	a := link.Attrs()
	if s.MTU > 0 && a.MTU != s.MTU {
		if err := p.host.LinkSetMTU(link, s.MTU); err != nil {
			return fmt.Errorf("set MTU %d: %w", s.MTU, err)
		}
	}
	if err := p.allowFamilies(s); err != nil {
		return err
	}
	if err := p.shapeAddrs(link, s); err != nil {
		return err
	}
	if a.Flags&net.FlagUp == 0 {
		return p.host.LinkSetUp(link)
	}
	return nil
}

// allowFamilies sets the host's parameters that the network needs. Routers that containers play are not heard, and nobody has
// to be asked whether he has the bridge's address: asking would keep the host from reaching containers for a second or two.
func (p *Plumber) allowFamilies(s engine.Segment) error {
	for _, name := range []string{"accept_ra", "accept_dad"} {
		if err := setIfThere("ipv6/conf/"+s.Bridge+"/"+name, "0"); err != nil {
			return err
		}
	}
	if err := p.forward4(); err != nil {
		return err
	}
	if !s.EnableV6 {
		return nil
	}
	if err := setIfThere("ipv6/conf/"+s.Bridge+"/disable_ipv6", "0"); err != nil {
		return err
	}
	return p.forward6()
}

// shapeAddrs adds the addresses that are missing. On a bridge of ours there are then no others.
func (p *Plumber) shapeAddrs(link netlink.Link, s engine.Segment) error {
	present, err := p.host.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	_, ours := parseMark(link.Attrs().Alias, p.owner)
	want := make(map[netip.Prefix]bool)
	for _, a := range s.Addrs {
		want[a] = true
	}
	for _, a := range present {
		pre, ok := toPrefix(a.IPNet)
		switch {
		case want[pre]:
			delete(want, pre)
		case ok && ours:
			if err := p.host.AddrDel(link, &a); err != nil {
				return fmt.Errorf("remove address %s: %w", pre, err)
			}
		}
	}
	for _, a := range s.Addrs {
		if !want[a] {
			continue
		}
		if !ours {
			if err := p.noteGuest(s, a); err != nil {
				return fmt.Errorf("note address %s: %w", a, err)
			}
		}
		if err := p.host.AddrAdd(link, kernelAddr(a)); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add address %s: %w", a, err)
		}
	}
	return nil
}

// RemoveNetwork removes a network's bridge if it carries our mark, and from another one what the network had there. Its name and
// addresses are free at once.
func (p *Plumber) RemoveNetwork(_ context.Context, s engine.Segment) error {
	if !s.Managed || s.Bridge == "" {
		return nil
	}
	link, err := p.host.LinkByName(s.Bridge)
	if isNotFound(err) {
		return p.endNote(noteOfGuest, s.Bridge)
	}
	if err == nil {
		err = p.removeFrom(link, s)
	}
	if err != nil && !isNotFound(err) {
		return fail("remove", engine.ResourceNetwork, s.Name, fmt.Errorf("bridge %s: %w", s.Bridge, err))
	}
	return nil
}

func (p *Plumber) removeFrom(link netlink.Link, s engine.Segment) error {
	m, ours := parseMark(link.Attrs().Alias, p.owner)
	switch unmarked := link.Attrs().Alias == "" && oursByName(s.Bridge, p.owner); {
	case unmarked, ours && m.network == s.Network:
		return errors.Join(p.bury(link), p.endNote(noteOfGuest, s.Bridge))
	case ours:
		return nil
	}
	return p.endGuest(link, s)
}

func (p *Plumber) bury(link netlink.Link) error {
	// Down, it has no routes, and can be renamed by every kernel.
	if err := p.send.kill(link.Attrs().Name, p.dead.group); err != nil {
		return err
	}
	p.dead.later()
	return p.host.LinkSetName(link, randomName(deadPrefix, p.owner))
}
