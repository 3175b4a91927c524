package networks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/internal/undo"
	"github.com/xcengine/xc/engine/networks/ipam"
)

// The drivers.
const (
	driverBridge = "bridge"
	driverHost   = "host"
	driverNull   = "null"
	driverXC     = "xc"
)

// Drivers lists the network drivers, for the daemon's info.
func Drivers() []string { return []string{driverBridge, driverHost, driverNull, driverXC} }

// dockerd's sentences.
const (
	ingressOnlyGlobal   = sentence("Ingress network can only be global scope network")
	configurationFields = sentence("configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.")
)

// Create makes a network. The warning is for the client and may be empty.
func (s *Service) Create(ctx context.Context, req engine.NetworkRequest) (id engine.NetworkID, warning string, err error) {
	s.create.Lock()
	defer s.create.Unlock()
	if err := s.admit(req); err != nil {
		return "", "", err
	}
	record, err := s.record(ctx, req)
	if err != nil {
		return "", "", err
	}
	if err := s.make(ctx, record); err != nil {
		return "", "", err
	}
	s.publish("create", record, nil)
	return record.ID, "", nil
}

// admit refuses what is wrong before anything is looked for.
func (s *Service) admit(req engine.NetworkRequest) error {
	if strings.TrimSpace(req.Name) == "" {
		return invalid(req.Name, errors.New("invalid name: name is empty"))
	}
	if predefinedName(req.Name) {
		return &engine.Error{Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: req.Name, Reason: engine.ReasonPredefined}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nets {
		if n.Name == req.Name {
			return &engine.Error{Op: "create", Kind: engine.Conflict, Resource: engine.ResourceNetwork, ID: req.Name, Reason: engine.ReasonNameTaken, Args: []string{string(n.ID)}}
		}
	}
	switch {
	case req.Ingress && !req.ConfigOnly:
		return forbidden(req.Name, ingressOnlyGlobal)
	case req.ConfigOnly && (req.Ingress || req.Internal || req.Attachable):
		return forbidden(req.Name, configurationFields)
	case req.ConfigOnly && req.ConfigFrom != "":
		return forbidden(req.Name, errors.New("a configuration network cannot depend on another configuration network"))
	}
	return admitDriver(req)
}

func admitDriver(req engine.NetworkRequest) error {
	if req.IPAMDriver != "" && req.IPAMDriver != "default" {
		return unknownDriver(req.Name, req.IPAMDriver)
	}
	switch req.Driver {
	case "", driverBridge, driverXC:
		return nil
	case driverHost, driverNull:
		return &engine.Error{Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, ID: req.Name, Reason: engine.ReasonPredefined, Args: []string{req.Driver}}
	}
	if req.ConfigOnly {
		return nil
	}
	return unknownDriver(req.Name, req.Driver)
}

func unknownDriver(name, driver string) error {
	return &engine.Error{Op: "create", Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: name, Reason: engine.ReasonDriverUnknown, Args: []string{driver}}
}

// record is the network that the request asks for, with everything chosen.
func (s *Service) record(ctx context.Context, req engine.NetworkRequest) (engine.Network, error) {
	r := engine.Network{
		ID: engine.NetworkID(engine.NewID()), Name: req.Name, Created: time.Now().UTC(), Driver: req.Driver, Scope: "local",
		IPAMDriver: "default", IPAMOptions: maps.Clone(req.IPAMOptions), EnableIPv4: true,
		Internal: req.Internal, Attachable: req.Attachable, ConfigOnly: req.ConfigOnly, ConfigFrom: req.ConfigFrom,
		Options: maps.Clone(req.Options), Labels: maps.Clone(req.Labels),
	}
	if r.Driver == "" {
		r.Driver = driverBridge
	}
	if err := enable(&r, req); err != nil {
		return r, err
	}
	pools := req.Pools
	if req.ConfigFrom != "" {
		from, err := s.configuration(req)
		if err != nil {
			return r, err
		}
		r.EnableIPv4, r.EnableIPv6 = from.EnableIPv4, from.EnableIPv6
		r.Options, r.Labels, r.IPAMOptions = maps.Clone(from.Options), maps.Clone(from.Labels), maps.Clone(from.IPAMOptions)
		pools = append(slices.Clone(from.Pools4), from.Pools6...)
	}
	if err := validatePools(pools, r.EnableIPv6); err != nil {
		return r, invalid(r.Name, err)
	}
	for _, p := range pools {
		p.Aux = maps.Clone(p.Aux)
		if p.Subnet.Addr().Is6() {
			r.Pools6 = append(r.Pools6, p)
		} else {
			r.Pools4 = append(r.Pools4, p)
		}
	}
	if r.ConfigOnly {
		r.Driver = driverNull
		return r, nil
	}
	return r, s.complete(ctx, &r)
}

// enable decides which IP versions the network has: by the request's member, else by an option.
func enable(r *engine.Network, req engine.NetworkRequest) error {
	for _, v := range []struct {
		asked  *bool
		option string
		to     *bool
	}{{req.EnableIPv4, optEnable4, &r.EnableIPv4}, {req.EnableIPv6, optEnable6, &r.EnableIPv6}} {
		text, given := r.Options[v.option]
		on, err := strconv.ParseBool(text)
		switch {
		case v.asked != nil:
			*v.to = *v.asked
			if given && (err != nil || on != *v.asked) {
				delete(r.Options, v.option) // it would be shown and not hold
			}
		case given && err != nil:
			return invalid(r.Name, fmt.Errorf("driver-opt %q is not a valid bool", v.option))
		case given:
			*v.to = on
		}
	}
	return nil
}

// configuration finds the configuration-only network that a request refers to.
func (s *Service) configuration(req engine.NetworkRequest) (engine.Network, error) {
	plain := (req.EnableIPv4 == nil || *req.EnableIPv4) && (req.EnableIPv6 == nil || !*req.EnableIPv6)
	if !plain || len(req.Labels)+len(req.IPAMOptions)+len(req.Pools) > 0 {
		return engine.Network{}, forbidden(req.Name, errors.New("user specified configurations are not supported if the network depends on a configuration network"))
	}
	if len(req.Options) > 0 {
		return engine.Network{}, forbidden(req.Name, errors.New("network driver options are not supported if the network depends on a configuration network"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nets {
		if n.ConfigOnly && n.Name == req.ConfigFrom {
			return n.Network, nil
		}
	}
	return engine.Network{}, &engine.Error{Op: "create", Kind: engine.NotFound, ID: req.Name, Err: fmt.Errorf("configuration network %q does not exist", req.ConfigFrom)}
}

// complete chooses subnets, gateways and the interface, and refuses what does not go together.
func (s *Service) complete(ctx context.Context, r *engine.Network) error {
	opts, err := parseOptions(r.Driver, r.Options)
	if err != nil {
		return err
	}
	if err := admitOptions(r, opts); err != nil {
		return err
	}
	r.Bridge = opts.bridge
	if r.Bridge == "" && r.Driver == driverBridge {
		r.Bridge = engine.BridgeName(s.Owner, r.ID)
	}
	if r.EnableIPv4 {
		if r.Pools4, err = s.completePools(ctx, r, r.Pools4, opts.mode4 == engine.GatewayIsolated || opts.inhibit4 && r.Internal, false); err != nil {
			return err
		}
	}
	if r.EnableIPv6 {
		if r.Pools6, err = s.completePools(ctx, r, r.Pools6, opts.mode6 == engine.GatewayIsolated, true); err != nil {
			return err
		}
	}
	return s.sameBridge(r)
}

func admitOptions(r *engine.Network, opts options) error {
	isolated := opts.mode4 == engine.GatewayIsolated || opts.mode6 == engine.GatewayIsolated
	switch {
	case !r.EnableIPv4 && !r.EnableIPv6:
		return invalid(r.Name, errors.New("IPv4 or IPv6 must be enabled"))
	case isolated && !r.Internal:
		return invalid(r.Name, errors.New("gateway mode 'isolated' can only be used for an internal network"))
	case r.Driver == driverXC && opts.bridge == "" && opts.alias == "":
		return invalid(r.Name, errors.New("a network of driver xc needs an interface: option bridge, for containers with a network stack of their own, or alias, for the others"))
	}
	return nil
}

// completePools chooses what a family's pools leave open. noGateway: the host has no address in the network.
func (s *Service) completePools(ctx context.Context, r *engine.Network, pools []engine.Pool, noGateway, six bool) ([]engine.Pool, error) {
	if len(pools) > 1 && r.Driver == driverBridge {
		return nil, forbidden(r.Name, errors.New("bridge driver doesn't support multiple subnets"))
	}
	if len(pools) == 0 {
		if r.Driver == driverXC {
			return nil, invalid(r.Name, errors.New("a network of driver xc needs a subnet"))
		}
		subnet, err := s.choose(ctx, six)
		if err != nil {
			return nil, err
		}
		pools = []engine.Pool{{Subnet: subnet, Auto: true}}
	}
	out := slices.Clone(pools)
	for i := range out {
		if err := s.completePool(r, &out[i], noGateway || r.Driver == driverXC); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) completePool(r *engine.Network, p *engine.Pool, noGateway bool) error {
	if err := s.overlaps(p.Subnet); err != nil {
		return err
	}
	addrs, err := reserved(*p, netip.Addr{})
	if err != nil {
		return &engine.Error{Op: "create", Resource: engine.ResourceNetwork, ID: r.Name, Err: err}
	}
	if !p.Gateway.IsValid() && !noGateway {
		if p.Gateway, err = addrs.First(); err != nil {
			return &engine.Error{Op: "create", Kind: engine.Unavailable, Resource: engine.ResourceNetwork, ID: r.Name, Reason: engine.ReasonNoAddress, Args: []string{p.Subnet.String()}}
		}
		p.GatewayAuto = true
	}
	if err := special6(*p); err != nil {
		return invalid(r.Name, err)
	}
	return nil
}

// choose finds a subnet that neither the host nor another network uses.
func (s *Service) choose(ctx context.Context, six bool) (netip.Prefix, error) {
	used, err := s.Plumber.Occupied(ctx)
	if err != nil {
		return netip.Prefix{}, &engine.Error{Op: "create", Resource: engine.ResourceNetwork, Err: fmt.Errorf("list what the host's addresses and routes occupy: %w", err)}
	}
	used = append(used, s.subnets()...)
	for _, a := range s.host.Conf().Servers {
		used = append(used, netip.PrefixFrom(a.WithZone(""), a.BitLen())) // a name server is not to be hidden
	}
	var blocks []ipam.Block
	for _, b := range s.Pools {
		if b.Base.Addr().Is6() == six {
			blocks = append(blocks, b)
		}
	}
	subnet, ok := ipam.Choose(blocks, used)
	if !ok {
		return netip.Prefix{}, &engine.Error{Op: "create", Kind: engine.Invalid, Resource: engine.ResourceNetwork, Reason: engine.ReasonPoolsExhausted}
	}
	return subnet, nil
}

// subnets are those of the networks that there are.
func (s *Service) subnets() []netip.Prefix {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []netip.Prefix
	for _, n := range s.nets {
		for _, p := range n.pools {
			all = append(all, p.Subnet)
		}
	}
	return all
}

func (s *Service) overlaps(subnet netip.Prefix) error {
	for _, other := range s.subnets() {
		if other.Overlaps(subnet) {
			return &engine.Error{
				Op: "create", Kind: engine.Forbidden, Resource: engine.ResourceNetwork, Reason: engine.ReasonOverlap,
				Args: []string{subnet.String(), other.String()},
			}
		}
	}
	return nil
}

// sameBridge refuses a second network on a managed bridge.
func (s *Service) sameBridge(r *engine.Network) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nets {
		if r.Driver == driverBridge && n.Driver == driverBridge && n.Bridge == r.Bridge && !n.ConfigOnly {
			return forbidden(r.Name, fmt.Errorf("cannot create network %s (%s): conflicts with network %s (%s): networks have same bridge name", r.ID, r.Bridge, n.ID, n.Bridge))
		}
	}
	return nil
}

// make writes the record and makes the host's side: a crash in between is mended by Recover.
func (s *Service) make(ctx context.Context, r engine.Network) error {
	n, err := newNetwork(r, nil)
	if err != nil {
		return err
	}
	var undone undo.Stack
	undone.Push("record", func(ctx context.Context) error { return s.Store.DeleteNetwork(ctx, r.ID) })
	if err = s.Store.PutNetwork(ctx, r); err == nil {
		undone.Push("network", func(ctx context.Context) error { return s.lose(ctx, n) })
		s.mu.Lock()
		s.nets[r.ID] = n
		s.mu.Unlock()
		err = s.realise(ctx, n)
	}
	if err != nil {
		return errors.Join(err, undone.Run(ctx))
	}
	return nil
}

// realise makes the kernel and the resolver have the network.
func (s *Service) realise(ctx context.Context, n *network) error {
	if !n.bridged() {
		return nil
	}
	if err := s.Plumber.EnsureNetwork(ctx, n.segment()); err != nil {
		return err
	}
	s.listen(n)
	return s.filtering.sync(ctx)
}

// lose takes the network out of memory, resolver, packet filter and kernel.
func (s *Service) lose(ctx context.Context, n *network) error {
	s.mu.Lock()
	delete(s.nets, n.ID)
	s.mu.Unlock()
	s.deaf(n)
	err := s.filtering.sync(ctx)
	if !n.bridged() {
		return err
	}
	return errors.Join(err, s.Plumber.RemoveNetwork(ctx, n.segment()))
}

func (s *Service) publish(action string, n engine.Network, more map[string]string) {
	attrs := map[string]string{"name": n.Name, "type": n.Driver}
	maps.Copy(attrs, more)
	s.Events.Publish(engine.Event{Type: engine.EventNetwork, Action: action, ID: string(n.ID), Attributes: attrs})
}
