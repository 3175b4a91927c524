package ifconfig

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
)

// lend moves an interface of the administrator's into a jail with a stack of its own, unless it is there already.
func (p *Plumber) lend(plug *engine.Plug, box engine.Sandbox, undone *undo.Stack) error {
	if err := checkName(plug.Device); err != nil {
		return err
	}
	plug.Lent, plug.Interface = box, plug.Device
	if !p.host.exists(plug.Device) {
		return nil // dressDevice says when it is not in the jail either
	}
	if plug.Device == loopback {
		return errors.New("lo0 is the host's, and every jail has its own")
	}
	lent := *plug
	undone.Push("interface "+plug.Device, func(context.Context) error { return p.takeBack(lent) })
	return p.host.toJail(plug.Device, box.JID)
}

// dressDevice gives an interface that was lent its addresses.
func dressDevice(inside stack, plug *engine.Plug) error {
	i := slices.IndexFunc(inside.known, func(s seen) bool { return s.Name == plug.Device })
	if i < 0 {
		return missing("attach", plug.Device)
	}
	plug.MAC = inside.known[i].MAC
	for _, a := range plug.Addrs {
		if slices.Contains(inside.known[i].Addrs, a) {
			continue
		}
		if err := inside.addAddr(plug.Device, a); err != nil {
			return fmt.Errorf("interface %s: %w", plug.Device, err)
		}
	}
	return inside.up(plug.Device)
}

// takeBack brings an interface back from a jail. One whose jail has gone came back by itself.
func (p *Plumber) takeBack(plug engine.Plug) error {
	err := p.host.fromJail(plug.Device, plug.Lent.JID)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}
