package netlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/platform/hostlock"
)

// Plumber is the networks service's driver for interfaces. It works in the network namespace in which New was called.
type Plumber struct {
	owner engine.Owner
	state string // directory in which loans are noted
	log   *slog.Logger
	home  *os.File // the host's network namespace
	host  *netlink.Handle
	send  *requester // for what netlink.Handle has no one request
	dead  *burial
	tell  announcements
}

// New returns the plumber of an owner, which keeps notes below the directory state. It changes nothing. Close ends it.
func New(owner engine.Owner, state string, log *slog.Logger) (*Plumber, error) {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		home.Close()
		return nil, fmt.Errorf("reach the kernel's network (netlink): %w", err)
	}
	send, err := newRequester()
	if err != nil {
		home.Close()
		host.Close()
		return nil, fmt.Errorf("reach the kernel's network (netlink): %w", err)
	}
	return &Plumber{owner: owner, state: state, log: log, home: home, host: host, send: send, dead: newBurial(send, deadGroup(owner), log)}, nil
}

// Close deletes what waits for it and gives up the plumber's socket. What was made stays.
func (p *Plumber) Close() {
	p.dead.flush()
	p.send.close()
	p.host.Close()
	p.home.Close()
}

// Inventory lists the bridges and pairs that carry the owner's mark or name, and the administrator's interfaces that are lent.
func (p *Plumber) Inventory(context.Context) (engine.PlugInventory, error) {
	p.dead.flush()
	links, err := p.links()
	if err != nil {
		return engine.PlugInventory{}, err
	}
	bridges := make(map[int]string) // by index
	for _, l := range links {
		if l.Type() == "bridge" {
			bridges[l.Attrs().Index] = l.Attrs().Name
		}
	}
	carried, err := p.carried(bridges)
	if err != nil {
		return engine.PlugInventory{}, err
	}
	var inv engine.PlugInventory
	for _, l := range links {
		a := l.Attrs()
		m, ok := parseMark(a.Alias, p.owner)
		switch {
		case !ok && (a.Alias != "" || !oursByName(a.Name, p.owner)):
		case l.Type() == "bridge":
			inv.Segments = append(inv.Segments, engine.Segment{Network: m.network, Managed: true, Bridge: a.Name, Addrs: carried[a.Name]})
		default:
			inv.Plugs = append(inv.Plugs, engine.Plug{Container: m.container, Network: m.network, Bridge: bridges[a.MasterIndex], Host: a.Name})
		}
	}
	lent, err := p.loans()
	if err != nil {
		return inv, err
	}
	guests, err := p.guests(carried)
	inv.Plugs, inv.Segments = append(inv.Plugs, lent...), append(inv.Segments, guests...)
	return inv, err
}

// carried lists the addresses of interfaces, by name. They are given by index.
func (p *Plumber) carried(names map[int]string) (map[string][]netip.Prefix, error) {
	addrs, err := p.addrs()
	carried := make(map[string][]netip.Prefix)
	for _, a := range addrs {
		if pre, ok := toPrefix(a.IPNet); ok && names[a.LinkIndex] != "" {
			carried[names[a.LinkIndex]] = append(carried[names[a.LinkIndex]], pre)
		}
	}
	return carried, err
}

// links is every interface of the host.
func (p *Plumber) links() ([]netlink.Link, error) { return whole(p.host.LinkList) }

// addrs is every address of the host.
func (p *Plumber) addrs() ([]netlink.Addr, error) {
	return whole(func() ([]netlink.Addr, error) { return p.host.AddrList(nil, netlink.FAMILY_ALL) })
}

// whole reads a list that the kernel gives in parts. One that changed meanwhile may lack what did not change, and is read again.
func whole[T any](list func() ([]T, error)) (all []T, err error) {
	const attempts = 20
	for range attempts {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return nil, err
}

// Occupied lists the host's addresses and routes. Of the dead, and of link-local ones that every interface has, there are none.
func (p *Plumber) Occupied(context.Context) ([]engine.Occupied, error) {
	links, err := p.links()
	if err != nil {
		return nil, err
	}
	names, dead := make(map[int]string), make(map[int]bool)
	for _, l := range links {
		names[l.Attrs().Index], dead[l.Attrs().Index] = l.Attrs().Name, l.Attrs().Group == deadGroup(p.owner)
	}
	addrs, err := p.addrs()
	if err != nil {
		return nil, err
	}
	routes, err := whole(func() ([]netlink.Route, error) { return p.host.RouteList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	var all []engine.Occupied
	for _, a := range addrs {
		if pre, ok := toPrefix(a.IPNet); ok && !dead[a.LinkIndex] {
			all = append(all, engine.Occupied{Prefix: pre.Masked(), Interface: names[a.LinkIndex]})
		}
	}
	for _, r := range routes {
		if pre, ok := toPrefix(r.Dst); ok && pre.Bits() > 0 && !dead[r.LinkIndex] {
			all = append(all, engine.Occupied{Prefix: pre.Masked(), Interface: names[r.LinkIndex]})
		}
	}
	return all, nil
}

// Exclusive implements networks.Plumber.
func (p *Plumber) Exclusive(ctx context.Context) (release func(), err error) {
	return hostlock.Take(ctx, hostlock.Networks)
}

// ShareUDP implements networks.UDPSharer. Linux looks at the option of both sockets, socket(7).
func (p *Plumber) ShareUDP(fd uintptr, may bool) error {
	value := 0
	if may {
		value = 1
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, value))
}

// Cleanup removes every bridge and pair of the owner.
func (p *Plumber) Cleanup(ctx context.Context) error {
	inv, err := p.Inventory(ctx)
	if err != nil {
		return err
	}
	errs := []error{p.Detach(ctx, inv.Plugs)}
	for _, s := range inv.Segments {
		errs = append(errs, p.RemoveNetwork(ctx, s))
	}
	p.dead.flush()
	return errors.Join(errs...)
}

func fail(op string, resource engine.Resource, id string, err error) error {
	kind := engine.Internal
	if isNotFound(err) {
		kind = engine.NotFound
	}
	return &engine.Error{Op: op, Kind: kind, Resource: resource, ID: id, Err: err}
}

func isNotFound(err error) bool {
	var gone netlink.LinkNotFoundError
	return errors.As(err, &gone) || errors.Is(err, unix.ENODEV)
}
