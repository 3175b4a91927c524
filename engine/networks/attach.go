package networks

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
	"github.com/xcengine/xc/engine/networks/ipam"
	"github.com/xcengine/xc/engine/networks/ports"
)

// Attach converges a container's network to what is asked, before its process starts or while it runs. After an error the
// container has what it had before.
func (s *Service) Attach(ctx context.Context, a engine.Attachment) (engine.Attached, error) {
	b := s.enter(a.Container)
	defer s.leave(b)
	t := &attaching{Service: s, box: b, want: a, before: maps.Clone(b.endpoints)}
	if err := t.run(ctx); err != nil {
		return engine.Attached{}, errors.Join(err, t.undo.Run(ctx))
	}
	t.tell()
	return t.answer(), nil
}

// attaching is one Attach under way.
type attaching struct {
	*Service
	box  *box
	want engine.Attachment
	undo undo.Stack

	before    map[string]engine.Endpoint // what the box had
	endpoints map[string]engine.Endpoint // what it will have
	came      map[string]engine.Endpoint // the new ones among them
	replaced  map[string]engine.Endpoint // those of before that a new one in the same network takes the place of
	reserved  []ports.Held               // sockets bound by this Attach
	published []publication              // what will be published
	surplus   []publication              // what is published and will not be
}

func (t *attaching) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{t.address, t.publish, t.plug, t.commit} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// address decides the endpoints and takes addresses for new ones. The box has them at once, together with those that are to
// go, so that nobody removes their networks.
func (t *attaching) address(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo.Push("addresses", func(context.Context) error { t.restore(); return nil })
	t.endpoints = make(map[string]engine.Endpoint, len(t.want.Endpoints))
	t.came, t.replaced = make(map[string]engine.Endpoint), make(map[string]engine.Endpoint)
	if err := t.lend(t.want); err != nil {
		return err
	}
	both := maps.Clone(t.before)
	for _, name := range networkOrder(t.want.Mode, t.want.Endpoints) {
		wish := t.want.Endpoints[name]
		n, err := t.wanted(name, wish)
		if err != nil {
			return err
		}
		e, err := t.endpoint(n, wish)
		if err != nil {
			return err
		}
		t.endpoints[n.Name], both[n.Name] = e, e
	}
	t.box.endpoints = both
	return nil
}

// wanted finds the network of a wish: by the id that its name had, else by the name.
func (t *attaching) wanted(name string, wish engine.Endpoint) (*network, error) {
	if n := t.nets[wish.Network]; n != nil && !n.removing {
		return n, nil
	}
	return t.find(canonical(name))
}

// endpoint is the one that is there, if it is as wished, or a new one. Names are always made anew: the container may have
// another one by now.
func (t *attaching) endpoint(n *network, wish engine.Endpoint) (engine.Endpoint, error) {
	e, there := t.before[n.Name]
	if there && e.Network == n.ID && sameAddresses(e.Spec, wish.Spec) {
		e.Spec = wish.Spec
	} else {
		if there {
			t.release(e)
			t.replaced[n.Name] = e
		}
		e = engine.Endpoint{Spec: wish.Spec, Network: n.ID, ID: engine.NewID()}
		if err := t.take(n, &e); err != nil {
			return e, err
		}
		t.came[n.Name] = e
	}
	e.DNSNames = n.dnsNames(t.want, e.Spec)
	return e, nil
}

func sameAddresses(a, b engine.EndpointSpec) bool {
	return a.IPv4 == b.IPv4 && a.IPv6 == b.IPv6 && a.MAC == b.MAC && slices.Equal(a.LinkLocal, b.LinkLocal)
}

// take gives a new endpoint its addresses. The caller holds the lock.
func (s *Service) take(n *network, e *engine.Endpoint) error {
	if !n.bridged() {
		return nil
	}
	for _, six := range []bool{false, true} {
		wished := e.Spec.IPv4
		if six {
			wished = e.Spec.IPv6
		}
		p := n.pool(six, wished)
		switch {
		case p == nil && wished.IsValid():
			return addressError(n, six, wished, ipam.ErrOutside)
		case p == nil:
			continue
		}
		addr, err := takeFrom(p, wished)
		if err != nil {
			s.release(*e)
			return addressError(n, six, wished, err)
		}
		if !wished.IsValid() {
			s.cursors.note(n.ID, p)
		}
		setAddress(e, netip.PrefixFrom(addr, p.Subnet.Bits()), n.router(p))
	}
	e.MAC = endpointMAC(*e)
	return nil
}

func takeFrom(p *pool, wished netip.Addr) (netip.Addr, error) {
	if !wished.IsValid() {
		return p.addrs.Next()
	}
	return wished, p.addrs.Take(wished)
}

// addressError says why an address could not be had, in the terms of engine's reasons.
func addressError(n *network, six bool, wished netip.Addr, err error) error {
	e := &engine.Error{Op: "address", Kind: engine.Forbidden, Resource: engine.ResourceEndpoint, ID: n.Name}
	switch {
	case errors.Is(err, ipam.ErrTaken):
		e.Reason, e.Args = engine.ReasonAddressTaken, []string{wished.String()}
	case errors.Is(err, ipam.ErrFull):
		e.Kind, e.Reason = engine.Unavailable, engine.ReasonNoAddress
		e.Args = []string{"IPv4", n.Name, string(n.ID)}
		if six {
			e.Args[0] = "IPv6"
		}
	default:
		e.Kind, e.Err = engine.Invalid, errors.New("requested address is out of range")
	}
	return e
}

// router is the default router that the network's containers have in a pool; invalid: none.
func (n *network) router(p *pool) netip.Addr {
	six := p.Subnet.Addr().Is6()
	aux, own := auxRouter4, n.opts.router4
	if six {
		aux, own = auxRouter6, n.opts.router6
	}
	switch {
	case n.Internal:
		return netip.Addr{}
	case p.Aux[aux].IsValid():
		return p.Aux[aux]
	case n.Driver == driverXC && own.IsValid():
		return own
	}
	return p.Gateway
}

// release gives an endpoint's addresses back. The caller holds the lock.
func (s *Service) release(e engine.Endpoint) {
	n := s.nets[e.Network]
	if n == nil {
		return
	}
	for _, a := range endpointAddrs(e) {
		if p := n.pool(a.Is6(), a); p != nil {
			p.addrs.Release(a)
		}
	}
}

// restore makes the box's endpoints those of before, and gives back what was taken since.
func (t *attaching) restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.came {
		t.release(e)
	}
	for _, e := range t.replaced {
		t.retake(e)
	}
	t.box.endpoints = t.before
}

// retake takes the addresses of an endpoint that exists. Another one cannot have got them; if it did, nothing would help.
func (s *Service) retake(e engine.Endpoint) {
	n := s.nets[e.Network]
	if n == nil {
		return
	}
	for _, a := range endpointAddrs(e) {
		p := n.pool(a.Is6(), a)
		if p == nil {
			s.Log.Warn("endpoint outside its network's subnets", "network", n.Name, "address", a)
			continue
		}
		if err := p.addrs.Take(a); err != nil {
			s.Log.Warn("address of an endpoint is not free", "network", n.Name, "address", a, "error", err)
		}
	}
}
