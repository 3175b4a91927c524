package ifconfig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// Attach implements networks.Plumber.
func (p *Plumber) Attach(ctx context.Context, w engine.Wiring) ([]engine.Plug, error) {
	for _, plug := range w.Plugs {
		if len(plug.Sysctls) > 0 {
			return nil, &engine.Error{
				Op: "attach", Kind: engine.NotImplemented, Resource: engine.ResourceNetwork, ID: string(plug.Network), Reason: engine.ReasonUnsupported,
				Args: []string{"sysctls of an interface", "FreeBSD has none"},
			}
		}
	}
	if w.Sandbox.Jail == "" {
		return nil, &engine.Error{Op: "attach", Kind: engine.Invalid, Resource: engine.ResourceNetwork, ID: string(w.Container), Err: errors.New("no jail")}
	}
	if !w.Sandbox.VNET {
		return p.share(ctx, w)
	}
	var undone undo.Stack
	plugs, err := p.wire(ctx, w, &undone)
	if err != nil {
		return nil, fail("attach", string(w.Container), errors.Join(err, undone.Run(ctx)))
	}
	return plugs, nil
}

// wire converges a jail with a stack of its own.
func (p *Plumber) wire(ctx context.Context, w engine.Wiring, undone *undo.Stack) ([]engine.Plug, error) {
	have, err := p.placesOf(w.Container)
	if err != nil {
		return nil, err
	}
	plugs := slices.Clone(w.Plugs)
	for i := range plugs {
		plugs[i].Container = w.Container
		if plugs[i].Device != "" {
			if err := p.lend(&plugs[i], w.Sandbox, undone); err != nil {
				return nil, err
			}
			continue
		}
		if plugs[i].MAC == "" {
			plugs[i].MAC = ownMAC(w.Container, plugs[i].Network)
		}
		if plugs[i].Host, err = p.plugIn(plugs[i], w.Sandbox.JID, have[plugs[i].Network.Short()], undone); err != nil {
			return nil, err
		}
	}
	inside, err := enter(ctx, p.cfg.Helper, w.Sandbox.JID)
	if err != nil {
		return nil, err
	}
	defer inside.close()
	for i := range plugs {
		if plugs[i].Device != "" {
			if err := dressDevice(inside, &plugs[i]); err != nil {
				return nil, err
			}
			continue
		}
		if err := p.dress(inside, &plugs[i]); err != nil {
			return nil, err
		}
	}
	if err := inside.loopback(); err != nil {
		return nil, err
	}
	// What is there beyond the wiring goes before routes are set, which may have led over it.
	for network, name := range have {
		if !slices.ContainsFunc(plugs, func(plug engine.Plug) bool { return plug.Network.Short() == network }) {
			if err := p.host.destroy(name); err != nil {
				return nil, err
			}
		}
	}
	return plugs, defaults(inside, plugs)
}

// loopback brings up a stack's own interface, which has no address of IPv4 at first.
func (s stack) loopback() error {
	localhost := netip.MustParsePrefix("127.0.0.1/8")
	there := slices.ContainsFunc(s.known, func(i seen) bool { return i.Name == loopback && slices.Contains(i.Addrs, localhost) })
	if there {
		return s.up(loopback)
	}
	return errors.Join(s.addAddr(loopback, localhost), s.up(loopback))
}

// placesOf lists the host's ends of a container's epairs by network.
func (p *Plumber) placesOf(id engine.ContainerID) (map[string]string, error) {
	names, err := p.host.members(Group)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, name := range names {
		// An end that could not be named keeps the kernel's name.
		if !strings.HasPrefix(name, containerPrefix(id.Short())) && !strings.HasPrefix(name, "epair") {
			continue
		}
		text, err := p.host.description(name)
		if errors.Is(err, unix.ENXIO) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if m, ok := ParseMark(text); ok && m.Owner == p.cfg.Owner && m.Container == id.Short() {
			found[m.Network] = name
		}
	}
	return found, nil
}

// plugIn makes an epair between a bridge and a jail unless it is there, and joins it to the bridge. It returns the name of the
// host's end.
func (p *Plumber) plugIn(plug engine.Plug, jid int, host string, undone *undo.Stack) (string, error) {
	if err := checkName(plug.Bridge); err != nil {
		return "", err
	}
	if !p.host.exists(plug.Bridge) {
		return "", missing("attach", plug.Bridge)
	}
	mtu := plug.MTU
	if mtu == 0 {
		var err error
		if mtu, err = p.host.mtu(plug.Bridge); err != nil {
			return "", err
		}
	}
	if host == "" {
		var err error
		if host, err = p.newPair(plug, jid, mtu, undone); err != nil {
			return "", err
		}
	}
	if err := p.host.addMember(plug.Bridge, host); err != nil {
		return "", err
	}
	if err := p.host.setPrivate(plug.Bridge, host, plug.Isolated); err != nil {
		return "", err
	}
	return host, p.host.up(host)
}

func (p *Plumber) newPair(plug engine.Plug, jid, mtu int, undone *undo.Stack) (string, error) {
	mac, err := net.ParseMAC(plug.MAC)
	if err == nil && mac[0]&1 != 0 { // the kernel would take it, and nobody reach the interface
		err = fmt.Errorf("%s is the address of a group, which no interface can have", mac)
	}
	if err != nil {
		return "", &engine.Error{Op: "attach", Kind: engine.Invalid, Resource: engine.ResourceNetwork, ID: string(plug.Network), Err: err}
	}
	near, err := p.host.create("epair")
	if err != nil {
		return "", err
	}
	far := strings.TrimSuffix(near, "a") + "b"
	host, mark := near, Mark{Owner: p.cfg.Owner, Container: plug.Container.Short(), Network: plug.Network.Short()}
	undone.Push("epair", func(context.Context) error { return p.host.destroy(host) })
	if err := p.host.describe(near, mark.String()); err != nil {
		return "", err
	}
	if err := p.host.join(near, Group); err != nil {
		return "", err
	}
	if err := errors.Join(p.host.setMTU(near, mtu), p.host.setMTU(far, mtu), p.host.setMAC(far, mac)); err != nil {
		return "", err
	}
	if err := p.host.toJail(far, jid); err != nil {
		return "", err
	}
	// Two networks whose ids begin alike would give one name: then the kernel's stays.
	name := hostName(plug.Container, plug.Network)
	err = p.host.rename(near, name)
	if err == nil {
		host = name
	} else if !errors.Is(err, unix.EEXIST) {
		return "", err
	}
	return host, nil
}

// dress names a jail's interface and gives it what the plug says.
func (p *Plumber) dress(inside stack, plug *engine.Plug) error {
	i := slices.IndexFunc(inside.known, func(s seen) bool { return s.MAC == strings.ToLower(plug.MAC) })
	if i < 0 {
		return fmt.Errorf("the jail has no interface with the address %s", plug.MAC)
	}
	is := &inside.known[i]
	name := freeName(plug.Interface, is.Name, inside.known)
	if name != is.Name {
		if err := inside.rename(is.Name, name); err != nil {
			return err
		}
		is.Name = name
	}
	plug.Interface = name
	if err := p.host.describe(plug.Host, Mark{p.cfg.Owner, plug.Container.Short(), plug.Network.Short(), name}.String()); err != nil {
		return err
	}
	if err := errors.Join(inside.setMTU(name, plug.MTU), inside.trust6(name)); err != nil {
		return err
	}
	for _, a := range is.Addrs {
		if !slices.Contains(plug.Addrs, a) {
			if err := inside.delAddr(name, a.Addr()); err != nil {
				return err
			}
		}
	}
	for _, a := range plug.Addrs {
		if !slices.Contains(is.Addrs, a) {
			if err := inside.addAddr(name, a); err != nil {
				return err
			}
		}
	}
	return inside.up(name)
}

// defaults sets the default routes of a stack.
func defaults(inside stack, plugs []engine.Plug) error {
	var v4, v6 netip.Addr
	for _, plug := range plugs {
		if plug.Gateway4.IsValid() {
			v4 = plug.Gateway4
		}
		if plug.Gateway6.IsValid() {
			v6 = plug.Gateway6
		}
	}
	return errors.Join(inside.setDefault(v4, false), inside.setDefault(v6, true))
}

// Detach implements networks.Plumber.
func (p *Plumber) Detach(ctx context.Context, plugs []engine.Plug) error {
	var errs []error
	for _, plug := range plugs {
		if plug.Device != "" && plug.Lent.VNET {
			errs = append(errs, p.takeBack(plug))
			continue
		}
		if plug.Host == "" {
			continue
		}
		text, err := p.host.description(plug.Host)
		if err != nil && !errors.Is(err, unix.ENXIO) {
			errs = append(errs, err)
			continue
		}
		// The name may be another's by now.
		if m, ok := ParseMark(text); ok && m.Owner == p.cfg.Owner && m.Container != "" {
			if m.Container == plug.Container.Short() {
				errs = append(errs, p.host.destroy(plug.Host))
			}
			continue
		}
		errs = append(errs, p.unshare(ctx, plug))
	}
	return fail("detach", "", errors.Join(errs...))
}
