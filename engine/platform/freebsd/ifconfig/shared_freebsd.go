package ifconfig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/wholefile"
	"github.com/xcengine/xc/engine/platform/freebsd/jail"
)

// note is what one container has of the host's stack.
type note struct {
	Container engine.ContainerID
	Jail      string
	Places    []place
}

// place is a container's addresses in one network.
type place struct {
	Network   engine.NetworkID
	Interface string
	Addrs     []netip.Addr
	// Bits are the lengths of the addresses' prefixes, on an interface that has no other address of the same network; all
	// others stand beside one, and are host addresses.
	Bits map[netip.Addr]int `json:",omitempty"`
}

// prefix is an address as the interface is given it.
func (p place) prefix(a netip.Addr) netip.Prefix {
	if bits, known := p.Bits[a]; known {
		return netip.PrefixFrom(a, bits)
	}
	return netip.PrefixFrom(a, a.BitLen())
}

func (p *Plumber) notesDir() string { return filepath.Join(p.cfg.StateDir, "aliases") }

func (p *Plumber) noteFile(id engine.ContainerID) string {
	return filepath.Join(p.notesDir(), id.Short()+".json")
}

// readNote returns an empty note where there is none.
func (p *Plumber) readNote(id engine.ContainerID) (note, error) {
	var n note
	b, err := os.ReadFile(p.noteFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	return n, json.Unmarshal(b, &n)
}

// writeNote removes a note that says nothing.
func (p *Plumber) writeNote(n note) error {
	file := p.noteFile(n.Container)
	if len(n.Places) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.notesDir(), 0o700); err != nil {
		return err
	}
	return wholefile.Write(file, b)
}

// notes reads all of them.
func (p *Plumber) notes() ([]note, error) {
	files, err := filepath.Glob(filepath.Join(p.notesDir(), "*.json"))
	if err != nil {
		return nil, err
	}
	var all []note
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var n note
		if err := json.Unmarshal(b, &n); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		all = append(all, n)
	}
	return all, nil
}

// aliasesOn lists the addresses that containers have on an interface.
func (p *Plumber) aliasesOn(name string) ([]netip.Addr, error) {
	p.aliases.Lock()
	defer p.aliases.Unlock()
	all, err := p.notes()
	if err != nil {
		return nil, err
	}
	var found []netip.Addr
	for _, n := range all {
		for _, at := range n.Places {
			if at.Interface == name {
				found = append(found, at.Addrs...)
			}
		}
	}
	return found, nil
}

func (n note) addrs() []netip.Addr {
	var all []netip.Addr
	for _, at := range n.Places {
		all = append(all, at.Addrs...)
	}
	return all
}

// share converges a jail that uses the host's stack.
func (p *Plumber) share(_ context.Context, w engine.Wiring) ([]engine.Plug, error) {
	p.aliases.Lock()
	defer p.aliases.Unlock()
	old, err := p.readNote(w.Container)
	if err != nil {
		return nil, fail("attach", string(w.Container), err)
	}
	plugs, wanted := slices.Clone(w.Plugs), note{Container: w.Container, Jail: w.Sandbox.Jail}
	for i := range plugs {
		at, err := p.place(&plugs[i], w.Container)
		if err != nil {
			return nil, err
		}
		wanted.Places = append(wanted.Places, at)
	}
	if err := p.converge(old, wanted); err != nil {
		// Back to what it was, as far as that goes.
		return nil, fail("attach", string(w.Container), errors.Join(err, p.converge(wanted, old)))
	}
	return plugs, nil
}

// place decides where a plug's addresses go.
func (p *Plumber) place(plug *engine.Plug, id engine.ContainerID) (place, error) {
	plug.Host = plug.Alias
	if plug.Host == "" {
		plug.Host = plug.Bridge
	}
	if err := checkName(plug.Host); err != nil {
		return place{}, err
	}
	if !p.host.exists(plug.Host) {
		return place{}, missing("attach", plug.Host)
	}
	plug.Container, plug.Interface = id, plug.Host
	at := place{Network: plug.Network, Interface: plug.Host}
	for _, a := range plug.Addrs {
		at.Addrs = append(at.Addrs, a.Addr())
		if plug.Device != "" {
			if at.Bits == nil {
				at.Bits = map[netip.Addr]int{}
			}
			at.Bits[a.Addr()] = a.Bits()
		}
	}
	return at, nil
}

// converge makes addresses and the jail's use of them what is wanted. The note names everything that may exist at any moment.
func (p *Plumber) converge(old, wanted note) error {
	if wanted.Container == "" {
		wanted.Container, wanted.Jail = old.Container, old.Jail
	}
	both := wanted
	both.Places = slices.Concat(old.Places, wanted.Places)
	if err := p.writeNote(both); err != nil {
		return err
	}
	have, err := p.present(both)
	if err != nil {
		return err
	}
	for _, at := range wanted.Places {
		for _, a := range at.Addrs {
			if slices.Contains(have[at.Interface], a) {
				continue
			}
			if err := p.host.addAddr(at.Interface, at.prefix(a)); err != nil {
				return err
			}
		}
	}
	// A jail that is gone uses none.
	if err := jail.Update(wanted.Jail, jail.Addresses(wanted.addrs())); err != nil && (engine.KindOf(err) != engine.NotFound || len(wanted.Places) > 0) {
		return err
	}
	for _, at := range old.Places {
		for _, a := range at.Addrs {
			if slices.Contains(wanted.addrs(), a) {
				continue
			}
			if err := p.host.delAddr(at.Interface, a); err != nil {
				return err
			}
		}
	}
	return p.writeNote(wanted)
}

// present lists the addresses of the interfaces that a note names.
func (p *Plumber) present(n note) (map[string][]netip.Addr, error) {
	have := map[string][]netip.Addr{}
	for _, at := range n.Places {
		if _, known := have[at.Interface]; known {
			continue
		}
		prefixes, err := p.addrs(at.Interface)
		if err != nil && !errors.Is(err, unix.ENXIO) {
			return nil, err
		}
		have[at.Interface] = []netip.Addr{}
		for _, a := range prefixes {
			have[at.Interface] = append(have[at.Interface], a.Addr())
		}
	}
	return have, nil
}

// unshare takes one place's addresses away.
func (p *Plumber) unshare(_ context.Context, plug engine.Plug) error {
	p.aliases.Lock()
	defer p.aliases.Unlock()
	old, err := p.readNote(plug.Container)
	if err != nil || len(old.Places) == 0 {
		return err
	}
	wanted := old
	wanted.Places = slices.DeleteFunc(slices.Clone(old.Places), func(at place) bool {
		return at.Network.Short() == plug.Network.Short() && at.Interface == plug.Host
	})
	return p.converge(old, wanted)
}

// sharedPlugs lists what the notes say.
func (p *Plumber) sharedPlugs() ([]engine.Plug, error) {
	p.aliases.Lock()
	defer p.aliases.Unlock()
	all, err := p.notes()
	var plugs []engine.Plug
	for _, n := range all {
		for _, at := range n.Places {
			plug := engine.Plug{Container: n.Container, Network: at.Network, Alias: at.Interface, Host: at.Interface, Interface: at.Interface}
			for _, a := range at.Addrs {
				plug.Addrs = append(plug.Addrs, netip.PrefixFrom(a, a.BitLen()))
			}
			plugs = append(plugs, plug)
		}
	}
	return plugs, err
}

// dropShared removes every address that a note names.
func (p *Plumber) dropShared() error {
	p.aliases.Lock()
	defer p.aliases.Unlock()
	all, err := p.notes()
	errs := []error{err}
	for _, n := range all {
		errs = append(errs, p.converge(n, note{Container: n.Container, Jail: n.Jail}))
	}
	return errors.Join(errs...)
}
