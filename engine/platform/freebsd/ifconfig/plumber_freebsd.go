package ifconfig

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/net/route"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
	"github.com/xcengine/xc/engine/platform/hostlock"
)

// Config is what a Plumber needs.
type Config struct {
	Owner    engine.Owner
	StateDir string
	// Helper is the path of a program that calls Stage first of all: xc-shim.
	Helper string
}

// Plumber implements networks.Plumber. Its methods are safe for concurrent use.
type Plumber struct {
	cfg  Config
	host stack

	aliases sync.Mutex // guards the notes of shared addresses
}

// New opens the plumber of one daemon. Close it.
func New(cfg Config) (*Plumber, error) {
	host, err := openStack()
	if err != nil {
		return nil, fail("open", "", err)
	}
	return &Plumber{cfg: cfg, host: host}, nil
}

// Close closes the sockets. What was made stays.
func (p *Plumber) Close() error {
	p.host.close()
	return nil
}

func fail(op, id string, err error) error {
	var e *engine.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &engine.Error{Op: op, Kind: engine.KindOf(err), Resource: engine.ResourceNetwork, ID: id, Err: err}
}

func missing(op, name string) error {
	return &engine.Error{Op: op, Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: name, Err: fmt.Errorf("interface %s does not exist", name)}
}

// EnsureNetwork implements networks.Plumber.
func (p *Plumber) EnsureNetwork(ctx context.Context, s engine.Segment) error {
	for _, name := range []string{s.Bridge, s.Alias} {
		if name == "" {
			continue
		}
		if err := checkName(name); err != nil {
			return err
		}
	}
	if !s.Managed {
		for _, name := range []string{s.Bridge, s.Alias} {
			if name != "" && !p.host.exists(name) {
				return missing("make network", name)
			}
		}
		return nil
	}
	var undone undo.Stack
	if err := p.makeBridge(s, &undone); err != nil {
		return fail("make network", s.Name, errors.Join(err, undone.Run(ctx)))
	}
	return nil
}

func (p *Plumber) makeBridge(s engine.Segment, undone *undo.Stack) error {
	ours := true
	if p.host.exists(s.Bridge) {
		mark, err := p.mark(s.Bridge)
		if err != nil {
			return err
		}
		if mark != (Mark{}) && (mark.Owner != p.cfg.Owner || mark.Network != string(s.Network)) {
			return &engine.Error{Op: "make network", Kind: engine.Conflict, Resource: engine.ResourceNetwork, ID: s.Name, Err: fmt.Errorf("the interface %s belongs to another network", s.Bridge)}
		}
		ours = mark != (Mark{})
	} else if err := p.newInterface("bridge", s.Bridge, Mark{Owner: p.cfg.Owner, Network: string(s.Network)}, undone); err != nil {
		return err
	}
	if ours {
		if err := errors.Join(p.bridgeMTU(s), p.host.trust6(s.Bridge)); err != nil {
			return err
		}
	}
	if err := p.bridgeAddrs(s, ours); err != nil {
		return err
	}
	if err := p.host.up(s.Bridge); err != nil {
		return err
	}
	return forward(s.EnableV6)
}

// newInterface makes a named, marked interface.
func (p *Plumber) newInterface(cloner, name string, mark Mark, undone *undo.Stack) error {
	made, err := p.host.create(cloner)
	if err != nil {
		return err
	}
	undone.Push(name, func(context.Context) error { return errors.Join(p.host.destroy(made), p.host.destroyOwn(name, mark)) })
	if err := p.host.describe(made, mark.String()); err != nil {
		return err
	}
	if err := p.host.join(made, Group); err != nil {
		return err
	}
	return p.host.rename(made, name)
}

// destroyOwn destroys an interface if it carries a mark.
func (s stack) destroyOwn(name string, mark Mark) error {
	text, err := s.description(name)
	if err != nil || text != mark.String() {
		return nil
	}
	return s.destroy(name)
}

// bridgeMTU sets a bridge's MTU, which must be that of all its members. Only without members the kernel lets it change.
func (p *Plumber) bridgeMTU(s engine.Segment) error {
	now, err := p.host.mtu(s.Bridge)
	if err != nil || s.MTU == 0 || now == s.MTU {
		return err
	}
	members, err := p.host.bridgeMembers(s.Bridge)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := errors.Join(p.host.delMember(s.Bridge, m), p.host.setMTU(m, s.MTU)); err != nil {
			return err
		}
	}
	if err := p.host.setMTU(s.Bridge, s.MTU); err != nil {
		return err
	}
	for _, m := range members {
		if err := p.host.addMember(s.Bridge, m); err != nil {
			return err
		}
	}
	return nil
}

// bridgeAddrs gives a bridge its addresses. From one that is not ours none is taken away.
func (p *Plumber) bridgeAddrs(s engine.Segment, ours bool) error {
	have, err := p.addrs(s.Bridge)
	if err != nil {
		return err
	}
	aliases, err := p.aliasesOn(s.Bridge)
	if err != nil {
		return err
	}
	for _, a := range have {
		if ours && !slices.Contains(s.Addrs, a) && !slices.Contains(aliases, a.Addr()) {
			if err := p.host.delAddr(s.Bridge, a.Addr()); err != nil {
				return err
			}
		}
	}
	for _, a := range s.Addrs {
		if !slices.Contains(have, a) {
			if err := p.host.addAddr(s.Bridge, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// mark is the zero Mark for an interface that is not of any daemon's.
func (p *Plumber) mark(name string) (Mark, error) {
	text, err := p.host.description(name)
	if err != nil {
		return Mark{}, err
	}
	m, ok := ParseMark(text)
	if !ok {
		return Mark{}, nil
	}
	return m, nil
}

// RemoveNetwork implements networks.Plumber.
func (p *Plumber) RemoveNetwork(_ context.Context, s engine.Segment) error {
	if !s.Managed || !p.host.exists(s.Bridge) {
		return nil
	}
	mark, err := p.mark(s.Bridge)
	if err != nil || mark.Owner != p.cfg.Owner || mark.Network != string(s.Network) {
		return fail("remove network", s.Name, err)
	}
	return fail("remove network", s.Name, p.host.destroy(s.Bridge))
}

// own lists our interfaces with their marks.
func (p *Plumber) own() (map[string]Mark, error) {
	names, err := p.host.members(Group)
	if err != nil {
		return nil, err
	}
	all := map[string]Mark{}
	for _, name := range names {
		text, err := p.host.description(name)
		if errors.Is(err, unix.ENXIO) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		if m, ok := ParseMark(text); ok && m.Owner == p.cfg.Owner {
			all[name] = m
		}
	}
	return all, nil
}

// Inventory implements networks.Plumber.
func (p *Plumber) Inventory(context.Context) (engine.PlugInventory, error) {
	var inv engine.PlugInventory
	own, err := p.own()
	if err != nil {
		return inv, fail("list networks", "", err)
	}
	for name, m := range own {
		if m.Container == "" {
			s := engine.Segment{Network: engine.NetworkID(m.Network), Bridge: name, Managed: true}
			if s.Addrs, err = p.addrs(name); err != nil && p.host.exists(name) {
				return inv, fail("list networks", name, err)
			}
			inv.Segments = append(inv.Segments, s)
			continue
		}
		inv.Plugs = append(inv.Plugs, engine.Plug{Container: engine.ContainerID(m.Container), Network: engine.NetworkID(m.Network), Host: name, Interface: m.Inside})
	}
	shared, err := p.sharedPlugs()
	inv.Plugs = append(inv.Plugs, shared...)
	return inv, fail("list networks", "", err)
}

// Occupied implements networks.Plumber.
func (p *Plumber) Occupied(context.Context) ([]engine.Occupied, error) {
	all, err := look()
	if err != nil {
		return nil, fail("list addresses", "", err)
	}
	names := make(map[int]string)
	var found []engine.Occupied
	for _, i := range all {
		names[i.Index] = i.Name
		for _, a := range i.Addrs {
			found = append(found, engine.Occupied{Prefix: a.Masked(), Interface: i.Name})
		}
	}
	rib, err := route.FetchRIB(unix.AF_UNSPEC, route.RIBTypeRoute, 0)
	if err != nil {
		return nil, fail("list routes", "", err)
	}
	messages, err := route.ParseRIB(route.RIBTypeRoute, rib)
	if err != nil {
		return nil, fail("list routes", "", err)
	}
	for _, m := range messages {
		if r, ok := m.(*route.RouteMessage); ok {
			if d, ok := destination(r); ok {
				found = append(found, engine.Occupied{Prefix: d, Interface: names[r.Index]})
			}
		}
	}
	return found, nil
}

// destination is a route's, unless it is a default route or of a link.
func destination(r *route.RouteMessage) (netip.Prefix, bool) {
	if len(r.Addrs) <= unix.RTAX_NETMASK {
		return netip.Prefix{}, false
	}
	var addr netip.Addr
	switch d := r.Addrs[unix.RTAX_DST].(type) {
	case *route.Inet4Addr:
		addr = netip.AddrFrom4(d.IP)
	case *route.Inet6Addr:
		addr = netip.AddrFrom16(d.IP)
	default:
		return netip.Prefix{}, false
	}
	if addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsInterfaceLocalMulticast() {
		return netip.Prefix{}, false
	}
	bits := addr.BitLen()
	if r.Flags&unix.RTF_HOST == 0 {
		switch m := r.Addrs[unix.RTAX_NETMASK].(type) {
		case *route.Inet4Addr:
			bits = ones(m.IP[:])
		case *route.Inet6Addr:
			bits = ones(m.IP[:])
		default:
			return netip.Prefix{}, false
		}
	}
	if bits == 0 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, bits).Masked(), true
}

// Exclusive implements networks.Plumber.
func (p *Plumber) Exclusive(ctx context.Context) (release func(), err error) {
	return hostlock.Take(ctx, hostlock.Networks)
}

// Cleanup implements networks.Plumber.
func (p *Plumber) Cleanup(context.Context) error {
	own, err := p.own()
	if err != nil {
		return fail("clean up networks", "", err)
	}
	var errs []error
	for name, m := range own {
		if m.Container != "" {
			errs = append(errs, p.host.destroy(name))
		}
	}
	for name, m := range own {
		if m.Container == "" {
			errs = append(errs, p.host.destroy(name))
		}
	}
	errs = append(errs, p.dropShared())
	return fail("clean up networks", "", errors.Join(errs...))
}
