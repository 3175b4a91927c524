package fake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/xcengine/xc/engine"
)

// Plumber is networks.Plumber in memory. Like a kernel it outlives the daemons that use it. Its zero value is a host without
// interfaces.
type Plumber struct {
	mu       sync.Mutex
	segments map[engine.NetworkID]engine.Segment
	plugs    map[string]engine.Plug // by the host's end
	made     int
	foreign  map[string]bool
	routes   []netip.Prefix
	fail     func(call string) error
	turn     sync.Mutex // Exclusive
}

// FailOn makes calls fail: f is asked before each with its name; what it returns is the call's error.
func (p *Plumber) FailOn(f func(call string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = f
}

// AddRoutes gives the host routes that networks must avoid.
func (p *Plumber) AddRoutes(routes ...netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.routes = append(p.routes, routes...)
}

// AddInterface gives the host an interface of the administrator's.
func (p *Plumber) AddInterface(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.foreign == nil {
		p.foreign = make(map[string]bool)
	}
	p.foreign[name] = true
}

// enter locks the host for a call. The caller unlocks, unless there is an error.
func (p *Plumber) enter(call string) error {
	p.mu.Lock()
	if p.fail != nil {
		if err := p.fail(call); err != nil {
			p.mu.Unlock()
			return fmt.Errorf("%s: %w", call, err)
		}
	}
	return nil
}

// EnsureNetwork notes the segment.
func (p *Plumber) EnsureNetwork(_ context.Context, s engine.Segment) error {
	if err := p.enter("EnsureNetwork"); err != nil {
		return err
	}
	defer p.mu.Unlock()
	if !s.Managed {
		for _, name := range []string{s.Bridge, s.Alias} {
			if name != "" && !p.foreign[name] {
				return &engine.Error{Op: "use", Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: s.Name, Err: fmt.Errorf("interface %s: not found", name)}
			}
		}
	}
	if p.segments == nil {
		p.segments = make(map[engine.NetworkID]engine.Segment)
	}
	p.segments[s.Network] = s
	return nil
}

// RemoveNetwork forgets the segment.
func (p *Plumber) RemoveNetwork(_ context.Context, s engine.Segment) error {
	if err := p.enter("RemoveNetwork"); err != nil {
		return err
	}
	defer p.mu.Unlock()
	delete(p.segments, s.Network)
	return nil
}

// Attach makes the container's plugs be those of the wiring.
func (p *Plumber) Attach(_ context.Context, w engine.Wiring) ([]engine.Plug, error) {
	if err := p.enter("Attach"); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	for _, plug := range w.Plugs {
		if plug.Device != "" {
			if !p.foreign[plug.Device] {
				return nil, &engine.Error{Op: "attach", Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: string(w.Container), Err: fmt.Errorf("interface %s: not found", plug.Device)}
			}
			continue
		}
		if s, ok := p.segments[plug.Network]; !ok || s.Bridge != plug.Bridge {
			return nil, &engine.Error{Op: "attach", Kind: engine.NotFound, Resource: engine.ResourceContainer, ID: string(w.Container), Err: fmt.Errorf("bridge %s: not found", plug.Bridge)}
		}
	}
	before := make(map[string]engine.Plug)
	place := func(plug engine.Plug) string { return string(plug.Network) + plug.Device }
	for host, plug := range p.plugs {
		if plug.Container == w.Container {
			before[place(plug)] = plug
			delete(p.plugs, host)
		}
	}
	if p.plugs == nil {
		p.plugs = make(map[string]engine.Plug)
	}
	made := make([]engine.Plug, 0, len(w.Plugs))
	for _, plug := range w.Plugs {
		plug.Container = w.Container
		plug.Host = before[place(plug)].Host
		if plug.Device != "" {
			plug.Lent = w.Sandbox
		}
		if plug.Host == "" {
			p.made++
			plug.Host = fmt.Sprint("pair", p.made)
		}
		plug.MAC = cmp.Or(plug.MAC, "02:42:00:00:00:01")
		p.plugs[plug.Host] = plug
		made = append(made, plug)
	}
	return made, nil
}

// Detach takes plugs away.
func (p *Plumber) Detach(_ context.Context, plugs []engine.Plug) error {
	if err := p.enter("Detach"); err != nil {
		return err
	}
	defer p.mu.Unlock()
	for _, plug := range plugs {
		delete(p.plugs, plug.Host)
	}
	return nil
}

// Inventory lists everything, plugs as a kernel tells of them: ids cut to their first 12 digits.
func (p *Plumber) Inventory(context.Context) (engine.PlugInventory, error) {
	if err := p.enter("Inventory"); err != nil {
		return engine.PlugInventory{}, err
	}
	defer p.mu.Unlock()
	var inv engine.PlugInventory
	for _, id := range slices.Sorted(maps.Keys(p.segments)) {
		if s := p.segments[id]; s.Managed {
			inv.Segments = append(inv.Segments, engine.Segment{Network: id, Managed: true, Bridge: s.Bridge, Addrs: slices.Clone(s.Addrs)})
		}
	}
	for _, host := range slices.Sorted(maps.Keys(p.plugs)) {
		plug := p.plugs[host]
		inv.Plugs = append(inv.Plugs, engine.Plug{
			Container: engine.ContainerID(plug.Container.Short()), Network: engine.NetworkID(plug.Network.Short()), Bridge: plug.Bridge, Host: host,
		})
	}
	return inv, nil
}

// Plugs lists a container's plugs as they were made, by interface.
func (p *Plumber) Plugs(id engine.ContainerID) []engine.Plug {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []engine.Plug
	for _, plug := range p.plugs {
		if plug.Container == id {
			all = append(all, plug)
		}
	}
	slices.SortFunc(all, func(a, b engine.Plug) int { return cmp.Compare(a.Interface, b.Interface) })
	return all
}

// Occupied lists the segments' subnets and the host's routes.
func (p *Plumber) Occupied(context.Context) ([]engine.Occupied, error) {
	if err := p.enter("Occupied"); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	var all []engine.Occupied
	for _, r := range p.routes {
		all = append(all, engine.Occupied{Prefix: r})
	}
	for _, s := range p.segments {
		for _, a := range s.Addrs {
			all = append(all, engine.Occupied{Prefix: a.Masked(), Interface: s.Bridge})
		}
	}
	return all, nil
}

// Exclusive locks the host for one service after the other.
func (p *Plumber) Exclusive(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.turn.Lock()
	return p.turn.Unlock, nil
}

// Cleanup forgets everything.
func (p *Plumber) Cleanup(context.Context) error {
	if err := p.enter("Cleanup"); err != nil {
		return err
	}
	defer p.mu.Unlock()
	p.segments, p.plugs = nil, nil
	return nil
}
