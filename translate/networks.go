package translate

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types/network"

	"github.com/xcengine/xc/engine"
)

const (
	optEnableIPv4 = "com.docker.network.enable_ipv4"
	optEnableIPv6 = "com.docker.network.enable_ipv6"
)

// NetworkRequest reads a network create.
func NetworkRequest(body network.CreateRequest, v Version) (engine.NetworkRequest, error) {
	apply(networkRules, v, &body)
	req := engine.NetworkRequest{
		Name: body.Name, Driver: body.Driver, EnableIPv4: body.EnableIPv4, EnableIPv6: body.EnableIPv6, Internal: body.Internal,
		Attachable: body.Attachable, Ingress: body.Ingress, ConfigOnly: body.ConfigOnly, Options: body.Options, Labels: body.Labels,
	}
	if err := checkNetwork(body); err != nil {
		return req, err
	}
	if body.ConfigFrom != nil {
		req.ConfigFrom = body.ConfigFrom.Network
	}
	for key, flag := range map[string]**bool{optEnableIPv4: &req.EnableIPv4, optEnableIPv6: &req.EnableIPv6} {
		s, given := body.Options[key]
		if !given || *flag != nil {
			continue
		}
		yes, err := strconv.ParseBool(s)
		if err != nil {
			return req, invalidf("driver-opt %q is not a valid bool", key)
		}
		*flag = &yes
	}
	if body.IPAM == nil {
		return req, nil
	}
	if err := network.ValidateIPAM(body.IPAM, req.EnableIPv6 != nil && *req.EnableIPv6); err != nil {
		return req, invalidf("%w", err)
	}
	req.IPAMDriver, req.IPAMOptions = body.IPAM.Driver, body.IPAM.Options
	for _, c := range body.IPAM.Config {
		p, err := pool(c)
		if err != nil {
			return req, err
		}
		req.Pools = append(req.Pools, p)
	}
	return req, nil
}

// checkNetwork refuses what belongs to a swarm, and the name that is none.
func checkNetwork(body network.CreateRequest) error {
	switch {
	case body.Driver == "overlay":
		return refusef(engine.Forbidden, noManager)
	case body.Name == "":
		return invalidf("invalid name: name is empty")
	case body.Ingress:
		return refusef(engine.Forbidden, "Ingress network can only be global scope network")
	case body.Scope != "" && body.Scope != "local":
		return refusef(engine.Forbidden, "cannot create a %s scoped network when swarm is not active", body.Scope)
	}
	return nil
}

// pool reads one address pool that ValidateIPAM let pass; of those of a family that is not enabled it looks at nothing.
func pool(c network.IPAMConfig) (engine.Pool, error) {
	subnet, err := netip.ParsePrefix(c.Subnet)
	if err != nil {
		return engine.Pool{}, faultf("Invalid subnet %s : %v", c.Subnet, err)
	}
	p := engine.Pool{Subnet: subnet}
	if c.IPRange != "" {
		if p.Range, err = netip.ParsePrefix(c.IPRange); err != nil {
			return p, invalidf("invalid ip-range %s: invalid CIDR block notation", c.IPRange)
		}
	}
	if c.Gateway != "" {
		if p.Gateway, err = netip.ParseAddr(c.Gateway); err != nil {
			return p, invalidf("invalid gateway %s: invalid address", c.Gateway)
		}
	}
	for name, s := range c.AuxAddress {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return p, invalidf("invalid auxiliary address %s: invalid address", name)
		}
		if p.Aux == nil {
			p.Aux = map[string]netip.Addr{}
		}
		p.Aux[name] = a
	}
	return p, nil
}

// NetworkCreated answers a network create.
func NetworkCreated(id engine.NetworkID, warning string) network.CreateResponse {
	return network.CreateResponse{ID: string(id), Warning: warning}
}

// NetworkQuery reads the filters of a network list.
func NetworkQuery(f Filters) (engine.NetworkQuery, error) {
	q := engine.NetworkQuery{Names: f["name"], IDs: f["id"], Drivers: f["driver"], Scopes: f["scope"], Types: f["type"], Labels: f.Labels("label")}
	if err := f.Only("dangling", "driver", "id", "label", "name", "scope", "type"); err != nil {
		return q, err
	}
	for _, t := range f["type"] {
		if t != "builtin" && t != "custom" {
			return q, faultf("invalid filter: 'type'='%s'", t)
		}
	}
	switch d := f["dangling"]; {
	case len(d) > 1:
		return q, invalidf(`got more than one value for filter key "dangling"`)
	case len(d) == 1:
		yes := d[0] == "1" || d[0] == "true"
		if !yes && d[0] != "0" && d[0] != "false" {
			return q, invalidf(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`)
		}
		q.Dangling = &yes
	}
	return q, nil
}

// CheckVerbose reads the parameter that asks an inspect for the services of a swarm, of which there are none.
func CheckVerbose(s string) error {
	if s == "" {
		return nil
	}
	if _, err := strconv.ParseBool(s); err != nil {
		return invalidf("invalid value for verbose: %s: %v", s, err)
	}
	return nil
}

// NetworkScope is NotFound for a network that is not of the wanted scope; the empty one is any.
func NetworkScope(n engine.NetworkDetail, ref, scope string) error {
	if scope == "" || scope == n.Scope {
		return nil
	}
	return &engine.Error{Op: "inspect", Kind: engine.NotFound, Resource: engine.ResourceNetwork, ID: ref}
}

// NetworksPruned answers a network prune.
func NetworksPruned(r engine.PruneResult) network.PruneReport {
	return network.PruneReport{NetworksDeleted: r.Deleted}
}

// Connect reads a request to put a container into a network.
func Connect(ref string, body network.ConnectOptions) (engine.EndpointSpec, error) {
	if err := CheckRef(body.Container); err != nil {
		return engine.EndpointSpec{}, err
	}
	return Endpoint(ref, body.EndpointConfig)
}

// Networks renders a network list.
func Networks(list []engine.NetworkDetail, v Version) []network.Summary {
	out := make([]network.Summary, 0, len(list))
	for _, n := range list {
		apply(networkListRules, v, &n)
		out = append(out, Network(n))
	}
	return out
}

// Network renders a network with what is attached to it.
func Network(n engine.NetworkDetail) network.Inspect {
	out := network.Inspect{
		Name: n.Name, ID: string(n.ID), Created: n.Created, Scope: n.Scope, Driver: n.Driver, EnableIPv4: n.EnableIPv4,
		EnableIPv6: n.EnableIPv6, IPAM: network.IPAM{Driver: n.IPAMDriver, Options: n.IPAMOptions},
		Internal: n.Internal, Attachable: n.Attachable, Ingress: n.Ingress,
		ConfigFrom: network.ConfigReference{Network: n.ConfigFrom}, ConfigOnly: n.ConfigOnly,
		Containers: map[string]network.EndpointResource{}, Options: orEmptyMap(n.Options), Labels: orEmptyMap(n.Labels),
	}
	for _, chosen := range []bool{false, true} { // those that were asked for come first
		for _, p := range slices.Concat(n.Pools4, n.Pools6) {
			if p.Auto == chosen {
				out.IPAM.Config = append(out.IPAM.Config, poolConfig(p))
			}
		}
	}
	for _, a := range n.Attached {
		out.Containers[string(a.Container)] = network.EndpointResource{
			Name: a.ContainerName, EndpointID: a.Endpoint.ID, MacAddress: a.Endpoint.MAC,
			IPv4Address: prefix(a.Endpoint.IPv4), IPv6Address: prefix(a.Endpoint.IPv6),
		}
	}
	return out
}

// poolConfig renders what was asked for, and of a pool that was chosen the choice.
func poolConfig(p engine.Pool) network.IPAMConfig {
	c := network.IPAMConfig{Subnet: prefix(p.Subnet), IPRange: prefix(p.Range)}
	if p.Auto || !p.GatewayAuto {
		c.Gateway = address(p.Gateway)
	}
	for name, a := range p.Aux {
		if c.AuxAddress == nil {
			c.AuxAddress = map[string]string{}
		}
		c.AuxAddress[name] = a.String()
	}
	return c
}

// prefix renders a prefix; the invalid one is "".
func prefix(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// orEmptyMap renders an absent map as an empty one.
func orEmptyMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
