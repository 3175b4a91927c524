package nativeapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// Networks are the daemon's networks. ref is a name, an id, or the beginning of an id.
type Networks interface {
	Create(ctx context.Context, req engine.NetworkRequest) (id engine.NetworkID, warning string, err error)
	Inspect(ctx context.Context, ref string) (engine.NetworkDetail, error)
	List(ctx context.Context, q engine.NetworkQuery) ([]engine.NetworkDetail, error)
	Remove(ctx context.Context, ref string) error
	Prune(ctx context.Context, q engine.PruneQuery) (engine.PruneResult, error)
	// Reload makes the kernel have every network and rule again.
	Reload(ctx context.Context) error
}

// Memberships are the containers' places in networks.
type Memberships interface {
	Connect(ctx context.Context, network, container string, spec engine.EndpointSpec) error
	Disconnect(ctx context.Context, network, container string, force bool) error
	// JoinGroup has a container and the others of a network's group name each other in their hosts files: at once, or when
	// RenewGroup is called or one of them comes or goes.
	JoinGroup(ctx context.Context, network, container string, later bool) error
	RenewGroup(ctx context.Context, network string) error
}

const (
	driverXC     = "xc"
	driverBridge = "bridge"
)

func (s *Server) networkRoutes() []route {
	const one = "/v1/networks/{ref}"
	return []route{
		{pattern: "GET /v1/networks", needs: networkManager, handler: s.listNetworks},
		{pattern: "POST /v1/networks", needs: networkManager, handler: s.createNetwork},
		{pattern: "POST /v1/networks/reload", handler: s.reloadNetworks},
		{pattern: "POST /v1/networks/prune", needs: networkManager, handler: s.pruneNetworks},
		{pattern: "GET " + one, needs: networkManager, handler: s.inspectNetwork},
		{pattern: "DELETE " + one, needs: networkManager, handler: s.removeNetwork},
		{pattern: "POST " + one + "/connect", handler: s.connectNetwork},
		{pattern: "POST " + one + "/disconnect", handler: s.disconnectNetwork},
		{pattern: "POST " + one + "/tag", handler: s.tagNetwork},
		{pattern: "POST " + one + "/commit-tag", handler: s.commitNetworkTag},
	}
}

// listNetworks lists networks, the oldest first. Keys that select, each of which may be repeated: id, name (a part of it), driver,
// label, type (builtin or custom); dangling=0 or 1 those with or without containers.
func (s *Server) listNetworks(ctx context.Context, c *call) error {
	v := c.URL.Query()
	q := engine.NetworkQuery{IDs: v["id"], Names: v["name"], Drivers: v["driver"], Types: v["type"], Labels: labelMatches(v["label"])}
	var err error
	if q.Dangling, err = truth(v, "dangling"); err != nil {
		return err
	}
	found, err := s.cfg.Networks.List(ctx, q)
	if err != nil {
		return err
	}
	all := []wire.Network{}
	for _, n := range found {
		all = append(all, network(n))
	}
	return c.answer(all)
}

func (s *Server) inspectNetwork(ctx context.Context, c *call) error {
	n, err := s.cfg.Networks.Inspect(ctx, c.ref())
	if err != nil {
		return err
	}
	return c.answer(network(n))
}

func network(n engine.NetworkDetail) wire.Network {
	w := wire.Network{
		ID: string(n.ID), Name: n.Name, Driver: n.Driver, Created: n.Created, Subnets: []wire.Subnet{}, Bridge: n.Bridge,
		Internal: n.Internal, IPv6: n.EnableIPv6, Builtin: n.Predefined, Options: n.Options, Labels: n.Labels, Attached: []wire.Attached{},
	}
	if n.Driver == driverXC {
		w.Bridge, w.Alias, w.Router = n.Options["bridge"], n.Options["alias"], n.Options["default_router"]
	}
	for _, pools := range [][]engine.Pool{n.Pools4, n.Pools6} {
		for _, p := range pools {
			sub := wire.Subnet{Subnet: text(p.Subnet), Range: text(p.Range), Gateway: text(p.Gateway)}
			for name, a := range p.Aux {
				if sub.Aux == nil {
					sub.Aux = map[string]string{}
				}
				sub.Aux[name] = text(a)
			}
			sub.Start, sub.End = bound(n.Options[optStart], p.Subnet), bound(n.Options[optEnd], p.Subnet)
			w.Subnets = append(w.Subnets, sub)
		}
	}
	for _, a := range n.Attached {
		e := endpoints(map[string]engine.Endpoint{n.Name: a.Endpoint})[0]
		w.Attached = append(w.Attached, wire.Attached{ID: string(a.Container), Name: a.ContainerName, Endpoint: e})
	}
	return w
}

// The options of the driver xc that bound what is handed out.
const (
	optStart = "start"
	optEnd   = "end"
)

// bound is the one of several addresses that is in a subnet.
func bound(list string, in netip.Prefix) string {
	for one := range strings.SplitSeq(list, ",") {
		if a, err := netip.ParseAddr(one); err == nil && in.Contains(a) {
			return one
		}
	}
	return ""
}

func (s *Server) createNetwork(ctx context.Context, c *call) error {
	var body wire.NetworkCreate
	if err := c.read(&body); err != nil {
		return err
	}
	req, err := networkRequest(body)
	if err != nil {
		return &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceNetwork, ID: body.Name, Err: err}
	}
	id, warning, err := s.cfg.Networks.Create(ctx, req)
	if err != nil {
		return err
	}
	return c.answer(wire.NetworkCreated{ID: string(id), Warning: warning})
}

func networkRequest(b wire.NetworkCreate) (engine.NetworkRequest, error) {
	req := engine.NetworkRequest{Name: b.Name, Driver: b.Driver, Internal: b.Internal, Options: map[string]string{}, Labels: b.Labels}
	maps.Copy(req.Options, b.Options)
	own := b.Bridge != "" || b.Alias != "" || len(b.DefaultRouters) > 0
	switch {
	case req.Driver == "" && own:
		req.Driver = driverXC
	case req.Driver == "":
		req.Driver = driverBridge
	case own && req.Driver != driverXC:
		return req, fmt.Errorf("bridge, alias and default router are of the driver xc, not of %s", req.Driver)
	}
	for option, value := range map[string]string{"bridge": b.Bridge, "alias": b.Alias, "default_router": strings.Join(b.DefaultRouters, ",")} {
		if value != "" {
			req.Options[option] = value
		}
	}
	w := &wish{}
	version := map[bool]bool{}
	var starts, ends []string
	for _, sub := range b.Subnets {
		p := w.pool(sub)
		req.Pools = append(req.Pools, p)
		version[p.Subnet.Addr().Is6()] = true
		starts, ends = w.bounds(p.Subnet, sub, starts, ends)
	}
	if len(starts)+len(ends) > 0 && req.Driver != driverXC {
		w.failf("a first and a last address are of the driver xc; with %s a range of CIDR form bounds what is handed out", req.Driver)
	}
	for option, list := range map[string][]string{optStart: starts, optEnd: ends} {
		if len(list) > 0 {
			req.Options[option] = strings.Join(list, ",")
		}
	}
	four, six := version[false] || !version[true], version[true] || b.IPv6
	req.EnableIPv4, req.EnableIPv6 = &four, &six
	return req, errors.Join(w.errs...)
}

func (w *wish) pool(s wire.Subnet) engine.Pool {
	p := engine.Pool{Subnet: w.prefix("subnet", s.Subnet)}
	if s.Range != "" {
		p.Range = w.prefix("range", s.Range)
	}
	if s.Gateway != "" {
		p.Gateway = w.addr("gateway", s.Gateway)
	}
	for name, a := range s.Aux {
		if p.Aux == nil {
			p.Aux = map[string]netip.Addr{}
		}
		p.Aux[name] = w.addr("reserved address "+name, a)
	}
	return p
}

func (w *wish) prefix(what, s string) netip.Prefix {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		w.failf("invalid %s %s: must be ADDRESS/BITS, as in 192.168.17.0/24", what, s)
	case p != p.Masked():
		w.failf("invalid %s %s: it should be %s", what, s, p.Masked())
	}
	return p
}

// bounds reads the first and the last address that are handed out of a subnet.
func (w *wish) bounds(in netip.Prefix, s wire.Subnet, starts, ends []string) (newStarts, newEnds []string) {
	one := func(what, text string, to *[]string) netip.Addr {
		if text == "" {
			return netip.Addr{}
		}
		a := w.addr(what, text)
		if a.IsValid() && !in.Contains(a) {
			w.failf("%s %s is not in %s", what, text, in)
		}
		*to = append(*to, text)
		return a
	}
	first, last := one("the first address", s.Start, &starts), one("the last address", s.End, &ends)
	if first.IsValid() && last.IsValid() && last.Less(first) {
		w.failf("the last address %s comes before the first, %s", last, first)
	}
	return starts, ends
}

func (s *Server) reloadNetworks(ctx context.Context, c *call) error {
	return c.done(s.cfg.Networks.Reload(ctx))
}

func (s *Server) removeNetwork(ctx context.Context, c *call) error {
	return c.done(s.cfg.Networks.Remove(ctx, c.ref()))
}

func (s *Server) pruneNetworks(ctx context.Context, c *call) error {
	return s.prune(ctx, c, s.cfg.Networks.Prune)
}

// prune serves those prunes that answer alike.
func (s *Server) prune(ctx context.Context, c *call, do func(context.Context, engine.PruneQuery) (engine.PruneResult, error)) error {
	q, err := pruneQuery(c)
	if err != nil {
		return err
	}
	gone, err := do(ctx, q)
	if err != nil {
		return err
	}
	return c.answer(wire.Pruned{Deleted: append([]string{}, gone.Deleted...), Reclaimed: gone.Reclaimed})
}

func (s *Server) connectNetwork(ctx context.Context, c *call) error {
	var body wire.Connect
	if err := c.read(&body); err != nil {
		return err
	}
	w := &wish{}
	spec := w.endpoints([]wire.NetworkJoin{{Network: c.ref(), IPv4: body.IPv4, IPv6: body.IPv6, Aliases: body.Aliases}})[c.ref()]
	if err := errors.Join(w.errs...); err != nil {
		return invalid(err)
	}
	return c.done(s.cfg.Memberships.Connect(ctx, c.ref(), body.Container, spec))
}

func (s *Server) disconnectNetwork(ctx context.Context, c *call) error {
	var body wire.Disconnect
	if err := c.read(&body); err != nil {
		return err
	}
	return c.done(s.cfg.Memberships.Disconnect(ctx, c.ref(), body.Container, body.Force))
}

func (s *Server) tagNetwork(ctx context.Context, c *call) error {
	var body wire.NetworkTag
	if err := c.read(&body); err != nil {
		return err
	}
	return c.done(s.cfg.Memberships.JoinGroup(ctx, c.ref(), body.Container, body.Later))
}

func (s *Server) commitNetworkTag(ctx context.Context, c *call) error {
	return c.done(s.cfg.Memberships.RenewGroup(ctx, c.ref()))
}
