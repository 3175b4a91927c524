package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// attachment renders what a container wants of the networks.
func attachment(c engine.Container, box engine.Sandbox) engine.Attachment {
	return engine.Attachment{
		Container: c.ID, Name: c.Name, Hostname: c.Spec.Hostname, Sandbox: box, Mode: c.Spec.Network.Mode, Endpoints: c.Endpoints,
		DNS: c.Spec.Network.DNS, Labels: keysOf(c), Bindings: c.Spec.Network.Bindings, PublishAll: c.Spec.Network.PublishAll, Exposed: c.Spec.ExposedPorts,
	}
}

// keysOf are a container's labels, and the keys that are said as annotations.
func keysOf(c engine.Container) map[string]string {
	return engine.WithAnnotations(c.Spec.Labels, c.Spec.Annotations)
}

func joinsNetwork(c engine.Container) bool {
	return strings.HasPrefix(string(c.Spec.Network.Mode), "container:")
}

// network gives a new sandbox its network and writes the files that name it. A container that joins another's network
// has that one's files.
func (s *Service) network(ctx context.Context, c engine.Container, box engine.Sandbox) (engine.Attached, error) {
	if joinsNetwork(c) {
		return engine.Attached{}, nil
	}
	a, err := s.Networks.Attach(ctx, attachment(c, box))
	if err != nil {
		return a, err
	}
	c.Endpoints = a.Endpoints
	if err := s.writeNames(ctx, c); err != nil {
		closeListeners(a.Proxies)
		return a, err
	}
	return a, nil
}

// attachNetwork converges a running container's network to its record, as after a rename, connect or disconnect. The
// caller holds the operation lock.
func (s *Service) attachNetwork(ctx context.Context, u *unit, r *run) error {
	c := u.snapshot()
	if joinsNetwork(c) {
		return nil
	}
	a, err := s.Networks.Attach(ctx, attachment(c, r.box))
	if err != nil {
		return err
	}
	s.Failpoint("connect.attached")
	err = s.forward(ctx, u, r, a.Proxies)
	closeListeners(a.Proxies)
	if err != nil {
		return err
	}
	if err := s.edit(ctx, "connect", u, func(c *engine.Container) {
		c.Endpoints, c.Ports, c.Status.Intent = a.Endpoints, a.Ports, engine.IntentNone
	}); err != nil {
		return err
	}
	s.Failpoint("connect.noted")
	c = u.snapshot()
	s.tellGroups(c)
	return s.followNames(ctx, c, r.spec)
}

// forward tells the shim of a running container where its published ports lead now.
func (s *Service) forward(ctx context.Context, u *unit, r *run, proxies []engine.Proxy) error {
	if len(proxies)+len(u.snapshot().Ports) == 0 {
		return nil
	}
	err := r.shim.Forward(ctx, proxies)
	switch engine.KindOf(err) {
	case engine.NotImplemented, engine.NotFound: // the proxies stay as they are, or have ended with the container
		s.Log.WarnContext(ctx, "published ports are not led anew", "container", u.snapshot().ID, "error", err)
		return nil
	}
	return err
}

// renderHosts gives hosts(5) as dockerd writes it: the loopback names, extra hosts, links, and the container's own name at
// each of its addresses.
func (s *Service) renderHosts(c engine.Container, res engine.Resolver) ([]byte, error) {
	var b bytes.Buffer
	if c.Spec.Network.Mode == "host" && len(c.Spec.Network.ExtraHosts) == 0 {
		hosts, err := os.ReadFile("/etc/hosts")
		if !errors.Is(err, fs.ErrNotExist) {
			return hosts, err
		}
	}
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n" +
		"ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
	for _, extra := range c.Spec.Network.ExtraHosts {
		name, addr, _ := strings.Cut(extra, ":")
		if addr == "host-gateway" {
			if !res.HostGateway.IsValid() {
				return nil, &engine.Error{Op: "start", Kind: engine.Internal, Resource: engine.ResourceContainer, ID: c.Name, Err: fmt.Errorf("unable to derive the IP value for host-gateway")}
			}
			addr = res.HostGateway.String()
		}
		fmt.Fprintf(&b, "%s\t%s\n", strings.Trim(addr, "[]"), name)
	}
	links, err := s.linkHosts(c)
	if err != nil {
		return nil, err
	}
	b.Write(links)
	b.Write(s.groupHosts(c))
	own := c.Spec.Hostname
	if c.Spec.Domainname != "" {
		own += "." + c.Spec.Domainname
	}
	if short, _, full := strings.Cut(own, "."); full {
		own += " " + short
	}
	for _, ip := range addresses(c) {
		fmt.Fprintf(&b, "%s\t%s\n", ip, own)
	}
	return b.Bytes(), nil
}

// planEndpoints resolves the networks that a new container wants. One that is not there has to be at the start only, as with
// dockerd: its endpoint names no network yet.
func (s *Service) planEndpoints(ctx context.Context, mode engine.NetworkMode, wanted map[string]engine.EndpointSpec) (map[string]engine.Endpoint, error) {
	all, err := s.Networks.Check(ctx, mode, wanted)
	if engine.KindOf(err) != engine.NotFound {
		return all, err
	}
	if len(wanted) == 0 {
		wanted = map[string]engine.EndpointSpec{string(mode): {}}
	}
	all = make(map[string]engine.Endpoint, len(wanted))
	for name, spec := range wanted {
		one, err := s.Networks.Check(ctx, mode, map[string]engine.EndpointSpec{name: spec})
		if engine.KindOf(err) == engine.NotFound {
			one, err = map[string]engine.Endpoint{name: {Spec: spec}}, nil
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(all, one)
	}
	return all, nil
}

// addresses lists a container's addresses, networks in the order of their names.
func addresses(c engine.Container) []netip.Addr {
	var ips []netip.Addr
	for _, name := range slices.Sorted(maps.Keys(c.Endpoints)) {
		ips = append(ips, endpointAddrs(c.Endpoints[name])...)
	}
	return ips
}

func endpointAddrs(e engine.Endpoint) []netip.Addr {
	var ips []netip.Addr
	for _, p := range []netip.Prefix{e.IPv4, e.IPv6} {
		if p.IsValid() {
			ips = append(ips, p.Addr())
		}
	}
	return ips
}

// resolvConf is what a container's resolv.conf holds when the engine gives it one.
func (s *Service) resolvConf(spec engine.NetworkSpec, res engine.Resolver) ([]byte, error) {
	switch spec.DNSFrom {
	case engine.DNSNone:
		return nil, nil
	case engine.DNSHost:
		b, err := os.ReadFile(s.HostResolv)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return b, err
	}
	return renderResolv(spec, res), nil
}

// renderResolv gives resolv.conf(5). The user's servers replace the network's, unless the engine's own resolver serves it:
// that one asks the user's.
func renderResolv(spec engine.NetworkSpec, res engine.Resolver) []byte {
	var b bytes.Buffer
	servers, search, options := res.Servers, res.Search, res.Options
	if len(spec.DNS) > 0 && !res.Embedded {
		servers = spec.DNS
	}
	if len(spec.DNSSearch) > 0 {
		search = spec.DNSSearch
	}
	if len(spec.DNSOptions) > 0 {
		options = spec.DNSOptions
	}
	for _, ip := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", ip)
	}
	// A single "." asks for no search list at all.
	if len(search) > 0 && !(len(search) == 1 && search[0] == ".") {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	if len(options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(options, " "))
	}
	return b.Bytes()
}

// Connect gives a container a place in a further network, at once if it runs.
func (s *Service) Connect(ctx context.Context, network, container string, spec engine.EndpointSpec) error {
	u, unlock, err := s.operate(ctx, container)
	if err != nil {
		return err
	}
	defer unlock()
	c := u.snapshot()
	wanted, err := s.Networks.Check(ctx, engine.NetworkMode(network), map[string]engine.EndpointSpec{network: spec})
	if err != nil {
		return err
	}
	endpoints := maps.Clone(c.Endpoints)
	if endpoints == nil {
		endpoints = map[string]engine.Endpoint{}
	}
	for name, e := range wanted {
		if err := canConnect(c, name); err != nil {
			return err
		}
		e.DNSNames = willBe(c, e.Spec)
		endpoints[name] = e
	}
	return s.setEndpoints(ctx, u, endpoints)
}

// willBe is the names by which a container will be known in a network that was told of it before the first start.
func willBe(c engine.Container, e engine.EndpointSpec) []string {
	return slices.Concat([]string{c.Name}, e.Aliases, []string{c.ID.Short()})
}

func canConnect(c engine.Container, network string) error {
	refuse := func(format string, args ...any) error {
		return &engine.Error{Op: "connect", Kind: engine.Invalid, Resource: engine.ResourceEndpoint, ID: c.Name, Err: fmt.Errorf(format, args...)}
	}
	if _, there := c.Endpoints[network]; there {
		return &engine.Error{Op: "connect", Kind: engine.Forbidden, Resource: engine.ResourceEndpoint, ID: c.Name, Reason: engine.ReasonAlreadyConnected, Args: []string{network}}
	}
	switch {
	case joinsNetwork(c):
		return refuse("container sharing network namespace with another container or host cannot be connected to any other network")
	case network == "host":
		return refuse("cannot connect container to host network - container must be created in host network mode")
	case c.Spec.Network.Mode == "host":
		return refuse("container sharing network namespace with another container or host cannot be connected to any other network")
	}
	if _, none := c.Endpoints["none"]; none || network == "none" && len(c.Endpoints) > 0 {
		return refuse("container cannot be connected to multiple networks with one of the networks in private (none) mode")
	}
	return nil
}

// Disconnect takes a container out of a network, at once if it runs. The container may be gone when force is set.
func (s *Service) Disconnect(ctx context.Context, network, container string, force bool) error {
	u, unlock, err := s.operate(ctx, container)
	if err != nil {
		return err
	}
	defer unlock()
	c := u.snapshot()
	names, err := s.Networks.Check(ctx, engine.NetworkMode(network), map[string]engine.EndpointSpec{network: {}})
	if err != nil {
		return err
	}
	endpoints := maps.Clone(c.Endpoints)
	for name := range names {
		if _, there := endpoints[name]; !there {
			return &engine.Error{Op: "disconnect", Kind: engine.Internal, Resource: engine.ResourceEndpoint, ID: string(c.ID), Reason: engine.ReasonNotConnected, Args: []string{name}}
		}
		if name == "host" {
			return &engine.Error{Op: "disconnect", Kind: engine.Invalid, Resource: engine.ResourceEndpoint, ID: c.Name, Err: errors.New("cannot disconnect container from host network - container was created in host network mode")}
		}
		delete(endpoints, name)
	}
	return s.setEndpoints(ctx, u, endpoints)
}

// setEndpoints records a container's places and applies them when it runs. When that fails the record is as before.
func (s *Service) setEndpoints(ctx context.Context, u *unit, endpoints map[string]engine.Endpoint) error {
	return s.renet(ctx, u, func(c *engine.Container) { c.Endpoints = endpoints })
}

// renet changes what a container wants of its network, in its record and, when it runs, at once. When that fails the record is as
// before.
func (s *Service) renet(ctx context.Context, u *unit, change func(*engine.Container)) error {
	before, r := u.current()
	err := s.edit(ctx, "connect", u, func(c *engine.Container) {
		change(c)
		if r != nil {
			c.Status.Intent = engine.IntentConnect
		}
	})
	if err != nil || r == nil {
		return err
	}
	s.Failpoint("connect.intent")
	err = s.attachNetwork(ctx, u, r)
	if err != nil {
		s.logged(ctx, "restore network record", u, s.edit(ctx, "connect", u, func(c *engine.Container) {
			c.Endpoints, c.Spec.Network.Bindings = before.Endpoints, before.Spec.Network.Bindings
		}))
		s.logged(ctx, "restore network", u, s.attachNetwork(context.WithoutCancel(ctx), u, r))
	}
	return err
}

// NetworkUsers lists the endpoints that containers have in a network, also those of containers that do not run.
func (s *Service) NetworkUsers(_ context.Context, id engine.NetworkID) ([]engine.AttachedEndpoint, error) {
	var users []engine.AttachedEndpoint
	for _, c := range s.users() {
		for _, e := range c.Endpoints {
			if e.Network == id {
				users = append(users, engine.AttachedEndpoint{Container: c.ID, ContainerName: c.Name, Endpoint: e})
			}
		}
	}
	return users, nil
}
