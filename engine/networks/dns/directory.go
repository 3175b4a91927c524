package dns

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/xcengine/xc/engine"
)

// Network is what the directory knows of a network.
type Network struct {
	ID   engine.NetworkID
	Name string // names may be qualified by it: "web.backend"
	// Plain: no names of containers are answered (Docker's default bridge); queries are only forwarded.
	Plain bool
}

// Client is one container: who it is and what it may ask.
type Client struct {
	Container engine.ContainerID
	Places    []Place // in the order in which they are searched
	// Upstreams are its own servers. Without any, the host's are asked when Forward holds.
	Upstreams []netip.Addr
	Forward   bool
}

// Place is a container's endpoint in one network.
type Place struct {
	Network engine.NetworkID
	Addrs   []netip.Addr
	Names   []string          // all that are answered for it; the first is the one in PTR records
	Links   map[string]string // names only this container may use, and what they stand for in this network
}

// Directory knows who has which name where. It is safe for concurrent use.
type Directory struct {
	mu      sync.RWMutex
	zones   map[engine.NetworkID]*zone
	clients map[engine.ContainerID]Client
}

type zone struct {
	name  string // lower case
	plain bool
	names map[string][]*record // by lower-case name
	addrs map[netip.Addr]*record
}

type record struct {
	container engine.ContainerID
	addrs     []netip.Addr
	name      string
}

// NewDirectory returns an empty one.
func NewDirectory() *Directory {
	return &Directory{zones: make(map[engine.NetworkID]*zone), clients: make(map[engine.ContainerID]Client)}
}

// PutNetwork adds a network. What is known of its containers stays.
func (d *Directory) PutNetwork(n Network) {
	d.mu.Lock()
	defer d.mu.Unlock()
	z := d.zones[n.ID]
	if z == nil {
		z = &zone{names: make(map[string][]*record), addrs: make(map[netip.Addr]*record)}
		d.zones[n.ID] = z
	}
	z.name, z.plain = strings.ToLower(n.Name), n.Plain
}

// RemoveNetwork forgets a network and every name in it.
func (d *Directory) RemoveNetwork(id engine.NetworkID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.zones, id)
}

// Put makes the directory know of a container exactly this.
func (d *Directory) Put(c Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(c.Container)
	c.Places = slices.Clone(c.Places)
	for i, p := range c.Places {
		c.Places[i].Links = lowerKeys(p.Links)
		d.register(c.Container, p)
	}
	d.clients[c.Container] = c
}

// Remove forgets a container.
func (d *Directory) Remove(id engine.ContainerID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(id)
}

func (d *Directory) register(id engine.ContainerID, p Place) {
	z := d.zones[p.Network]
	if z == nil {
		return
	}
	r := &record{container: id, addrs: slices.Clone(p.Addrs)}
	for _, name := range p.Names {
		name = strings.ToLower(name)
		if r.name == "" {
			r.name = name
		}
		if !slices.Contains(z.names[name], r) {
			z.names[name] = append(z.names[name], r)
		}
	}
	for _, a := range p.Addrs {
		z.addrs[a] = r
	}
}

func (d *Directory) remove(id engine.ContainerID) {
	for _, p := range d.clients[id].Places {
		z := d.zones[p.Network]
		if z == nil {
			continue
		}
		for _, a := range p.Addrs {
			if r := z.addrs[a]; r != nil && r.container == id {
				delete(z.addrs, a)
			}
		}
		for _, name := range p.Names {
			z.unname(strings.ToLower(name), id)
		}
	}
	delete(d.clients, id)
}

func (z *zone) unname(name string, id engine.ContainerID) {
	left := slices.DeleteFunc(slices.Clone(z.names[name]), func(r *record) bool { return r.container == id })
	if len(left) == 0 {
		delete(z.names, name)
		return
	}
	z.names[name] = left
}

// asker is who sent a query.
type asker struct {
	known     bool
	zones     []place
	upstreams []netip.Addr
	forward   bool
}

type place struct {
	*zone
	links map[string]string
}

// who finds the sender of a query that came in by a network. The host itself is known by the address that it was asked at.
// The answer may be used only under the read lock.
func (d *Directory) who(network engine.NetworkID, src, at netip.Addr) asker {
	z := d.zones[network]
	if z == nil {
		return asker{}
	}
	if src == at {
		return asker{known: true, zones: []place{{zone: z}}}
	}
	r := z.addrs[src]
	if r == nil {
		return asker{}
	}
	c := d.clients[r.container]
	a := asker{known: true, upstreams: c.Upstreams, forward: c.Forward}
	for _, p := range c.Places {
		if z := d.zones[p.Network]; z != nil {
			a.zones = append(a.zones, place{z, p.Links})
		}
	}
	return a
}

// addresses finds a name, without the final dot. Found may hold without any address of the wanted family.
func (a asker) addresses(name string) (addrs []netip.Addr, found bool) {
	name = strings.ToLower(name)
	for _, z := range a.zones {
		if z.plain {
			continue
		}
		for _, r := range z.find(name) {
			addrs, found = append(addrs, r.addrs...), true
		}
		if found {
			return addrs, true
		}
	}
	return nil, false
}

func (p place) find(name string) []*record {
	if target, ok := p.links[name]; ok {
		return p.names[strings.ToLower(target)]
	}
	if records := p.names[name]; records != nil {
		return records
	}
	if short, ok := strings.CutSuffix(name, "."+p.name); ok {
		return p.names[short]
	}
	return nil
}

// name finds the name of an address, qualified by its network's.
func (a asker) name(addr netip.Addr) (string, bool) {
	for _, z := range a.zones {
		if r := z.addrs[addr]; r != nil && r.name != "" && !z.plain {
			return r.name + "." + z.name, true
		}
	}
	return "", false
}

func lowerKeys(m map[string]string) map[string]string {
	out := maps.Clone(m)
	for k, v := range m {
		delete(out, k)
		out[strings.ToLower(k)] = v
	}
	return out
}
