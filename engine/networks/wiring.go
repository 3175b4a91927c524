package networks

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/xcengine/xc/engine"
)

// wire makes the sandbox have the endpoints; there are those of its plugs that are there already. When somebody removed a
// bridge it is made again.
func (s *Service) wire(ctx context.Context, a engine.Attachment, endpoints map[string]engine.Endpoint, there []engine.Plug) ([]engine.Plug, error) {
	w := s.wiring(a, endpoints, there)
	if len(w.Plugs)+len(there) == 0 && a.Sandbox.NetNS == "" && !a.Sandbox.VNET {
		return nil, nil // the host's own network
	}
	got, err := s.Plumber.Attach(ctx, w)
	if engine.KindOf(err) != engine.NotFound {
		return got, err
	}
	for _, e := range endpoints {
		s.mu.Lock()
		n := s.nets[e.Network]
		s.mu.Unlock()
		if n != nil && n.bridged() && s.Plumber.EnsureNetwork(ctx, n.segment()) != nil {
			return nil, err
		}
	}
	return s.Plumber.Attach(ctx, w)
}

// wiring is what the container's sandbox must have.
func (s *Service) wiring(a engine.Attachment, endpoints map[string]engine.Endpoint, there []engine.Plug) engine.Wiring {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := engine.Wiring{Container: a.Container, Sandbox: a.Sandbox}
	four, six := s.gateway(endpoints, false), s.gateway(endpoints, true)
	names := interfaceNames(there, endpoints)
	x, _ := readLabels(a.Labels) // they were checked
	devices := x.plugs(a)
	for _, d := range devices {
		names.taken[d.Interface] = true
	}
	for _, name := range networkOrder(a.Mode, endpoints) {
		e := endpoints[name]
		n := s.nets[e.Network]
		if n == nil || !n.bridged() {
			continue
		}
		p := n.plug(e)
		if name == four {
			p.Gateway4 = e.Gateway4
		}
		if name == six {
			p.Gateway6 = e.Gateway6
		}
		p.Container = a.Container
		p.Interface = names.next(n, e)
		w.Plugs = append(w.Plugs, p)
	}
	w.Plugs = append(w.Plugs, devices...)
	return w
}

// nameInterfaces notes what the interfaces are really called.
func nameInterfaces(endpoints map[string]engine.Endpoint, plugs []engine.Plug) {
	for name, e := range endpoints {
		for _, p := range plugs {
			if p.Network == e.Network {
				e.Interface = p.Interface
				if e.MAC == "" {
					e.MAC = p.MAC
				}
				endpoints[name] = e
			}
		}
	}
}

// plug is an endpoint as the kernel has it, but for its name and its routes.
func (n *network) plug(e engine.Endpoint) engine.Plug {
	p := engine.Plug{
		Network: n.ID, Bridge: n.Bridge, Alias: n.segment().Alias, MAC: e.MAC, MTU: n.opts.mtu,
		Isolated: !n.opts.icc, Sysctls: sysctls(e.Spec.DriverOpts),
	}
	for _, a := range []netip.Prefix{e.IPv4, e.IPv6} {
		if a.IsValid() {
			p.Addrs = append(p.Addrs, a)
		}
	}
	for _, a := range e.Spec.LinkLocal {
		bits := 16 // RFC 3927
		if a.Is6() {
			bits = 64 // RFC 4291 2.5.6
		}
		p.Addrs = append(p.Addrs, netip.PrefixFrom(a, bits))
	}
	return p
}

// ifNames hands out names of interfaces: those that are there stay, others get the first free number.
type ifNames struct {
	there map[engine.NetworkID]string
	taken map[string]bool
}

func interfaceNames(plugs []engine.Plug, endpoints map[string]engine.Endpoint) *ifNames {
	i := &ifNames{there: make(map[engine.NetworkID]string), taken: make(map[string]bool)}
	for _, e := range endpoints {
		if name := e.Spec.DriverOpts[optIfName]; name != "" {
			i.taken[name] = true
		}
	}
	for _, p := range plugs {
		stays := false
		for _, e := range endpoints {
			stays = stays || e.Network == p.Network && e.Interface == p.Interface
		}
		if stays {
			i.there[p.Network], i.taken[p.Interface] = p.Interface, true
		}
	}
	return i
}

func (i *ifNames) next(n *network, e engine.Endpoint) string {
	if name := i.there[n.ID]; name != "" {
		return name
	}
	if name := e.Spec.DriverOpts[optIfName]; name != "" {
		return name
	}
	for k := 0; ; k++ {
		if name := fmt.Sprint(n.opts.ifPrefix, k); !i.taken[name] {
			i.taken[name] = true
			return name
		}
	}
}

// endpointMAC is what was asked for, or made of the address as dockerd made it up to version 27: 02:42 and the address.
func endpointMAC(e engine.Endpoint) string {
	if e.Spec.MAC != "" {
		return e.Spec.MAC
	}
	var tail []byte
	switch {
	case e.IPv4.IsValid():
		tail = e.IPv4.Addr().AsSlice()
	case e.IPv6.IsValid():
		tail = e.IPv6.Addr().AsSlice()[12:]
	default:
		return ""
	}
	return fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", tail[0], tail[1], tail[2], tail[3])
}

// setAddress sets the address of one IP version.
func setAddress(e *engine.Endpoint, addr netip.Prefix, router netip.Addr) {
	if addr.Addr().Is4() {
		e.IPv4, e.Gateway4 = addr, router
	} else {
		e.IPv6, e.Gateway6 = addr, router
	}
}

// answer is what Attach made.
func (t *attaching) answer() engine.Attached {
	a := engine.Attached{Endpoints: t.endpoints}
	for _, p := range t.published {
		a.Ports = append(a.Ports, p.PublishedPort)
		if p.HostPort == 0 {
			continue
		}
		proxy := engine.Proxy{Proto: p.Port.Proto, Listen: netip.AddrPortFrom(p.HostIP, p.HostPort), Target: p.target}
		for _, h := range t.reserved {
			if h.PublishedPort == p.PublishedPort {
				if h.Socket == nil { // a protocol that this host's programs cannot serve
					proxy.Proto = ""
				}
				proxy.Listener = h.Socket
			}
		}
		if proxy.Proto != "" {
			a.Proxies = append(a.Proxies, proxy)
		}
	}
	slices.SortStableFunc(a.Ports, func(x, y engine.PublishedPort) int {
		return cmp.Or(cmp.Compare(x.Port.Number, y.Port.Number), falseFirst(x.HostIP.Is6(), y.HostIP.Is6()))
	})
	return a
}
