package translate

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"github.com/xcengine/xc/engine"
)

// parsePorts reads "80", "80/tcp" or "8000-8010/udp". What is wrong with it is told by ok.
func parsePorts(s string) (r engine.PortRange, ok bool) {
	numbers, proto, has := strings.Cut(s, "/")
	r.Proto = engine.Proto(strings.ToLower(proto))
	if !has || proto == "" {
		r.Proto = engine.TCP
	}
	if !slices.Contains([]engine.Proto{engine.TCP, engine.UDP, engine.SCTP}, r.Proto) {
		return r, false
	}
	first, last, isRange := strings.Cut(numbers, "-")
	if !isRange {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 16)
	b, err2 := strconv.ParseUint(last, 10, 16)
	r.First, r.Last = uint16(a), uint16(b)
	return r, err1 == nil && err2 == nil && a <= b
}

// exposedPorts reads the ports that a container exposes, in order.
func exposedPorts(set nat.PortSet) ([]engine.Port, error) {
	var out []engine.Port
	for key := range set {
		r, ok := parsePorts(string(key))
		if !ok || r.First == 0 {
			return nil, badPort(string(key))
		}
		for n := int(r.First); n <= int(r.Last); n++ {
			out = append(out, engine.Port{Number: uint16(n), Proto: r.Proto})
		}
	}
	slices.SortFunc(out, comparePorts)
	return slices.Compact(out), nil
}

func badPort(s string) error { return invalidf("invalid port specification: %q", s) }

func comparePorts(a, b engine.Port) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Proto, b.Proto))
}

// portBindings reads the ports to be published. Ports that name no binding are returned apart: they only come back in
// inspect.
func portBindings(m nat.PortMap) (out []engine.PortBinding, unbound nat.PortMap, err error) {
	if m != nil {
		out = []engine.PortBinding{}
	}
	for key, bindings := range m {
		r, ok := parsePorts(string(key))
		if !ok || r.First == 0 || r.First != r.Last {
			number, _, _ := strings.Cut(string(key), "/")
			return nil, nil, badPort(number)
		}
		if len(bindings) == 0 {
			if unbound == nil {
				unbound = nat.PortMap{}
			}
			unbound[key] = bindings
		}
		for _, b := range bindings {
			e, err := portBinding(engine.Port{Number: r.First, Proto: r.Proto}, b)
			if err != nil {
				return nil, nil, err
			}
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b engine.PortBinding) int { return comparePorts(a.Port, b.Port) })
	return out, unbound, nil
}

func portBinding(p engine.Port, b nat.PortBinding) (engine.PortBinding, error) {
	e := engine.PortBinding{Port: p, HostIPRaw: b.HostIP, HostPortRaw: b.HostPort}
	if b.HostPort != "" {
		r, ok := parsePorts(b.HostPort)
		if !ok {
			return e, badPort(b.HostPort)
		}
		e.HostFirst, e.HostLast = r.First, r.Last
	}
	if b.HostIP != "" {
		addr, err := netip.ParseAddr(strings.Trim(b.HostIP, "[]"))
		if err != nil {
			return e, invalidf("invalid IP address: %s", b.HostIP)
		}
		e.HostIP = addr.Unmap()
	}
	return e, nil
}

// portSet gives exposed ports back.
func portSet(ports []engine.Port) nat.PortSet {
	if len(ports) == 0 {
		return nil
	}
	set := nat.PortSet{}
	for _, p := range ports {
		set[natPort(p)] = struct{}{}
	}
	return set
}

func natPort(p engine.Port) nat.Port {
	return nat.Port(strconv.Itoa(int(p.Number)) + "/" + string(p.Proto))
}

// portMap gives wanted bindings back as they were asked for.
func portMap(bindings []engine.PortBinding, unbound nat.PortMap) nat.PortMap {
	if bindings == nil {
		return nil
	}
	m := nat.PortMap{}
	maps.Copy(m, unbound)
	for _, b := range bindings {
		host := b.HostIPRaw
		if host == "" && b.HostIP.IsValid() {
			host = b.HostIP.String()
		}
		port := b.HostPortRaw
		if port == "" && b.HostFirst != 0 {
			port = strconv.Itoa(int(b.HostFirst))
			if b.HostLast > b.HostFirst {
				port += "-" + strconv.Itoa(int(b.HostLast))
			}
		}
		m[natPort(b.Port)] = append(m[natPort(b.Port)], nat.PortBinding{HostIP: host, HostPort: port})
	}
	return m
}

// openPorts lists the ports of a container that runs in networks of its own: every exposed or bound one, with where it is
// published. A container that stands still, shares another's network or has only networks without a way out has none.
func openPorts(c engine.Container) map[engine.Port][]engine.PublishedPort {
	open := map[engine.Port][]engine.PublishedPort{}
	if !c.Status.State.Alive() || !hasOwnNetwork(c) || len(c.Ports) == 0 && !hasGateway(c) {
		return open
	}
	for _, p := range c.Spec.ExposedPorts {
		open[p] = nil
	}
	for _, b := range c.Spec.Network.Bindings {
		open[b.Port] = nil
	}
	for _, p := range c.Ports {
		open[p.Port] = append(open[p.Port], p)
	}
	return open
}

// hasOwnStack reports whether the container has interfaces that are its own, be it a loopback interface alone.
func hasOwnStack(c engine.Container) bool {
	return c.Spec.Network.Mode != "host" && !joinsAnother(c)
}

// joinsAnother reports whether the container's network is another container's.
func joinsAnother(c engine.Container) bool {
	return strings.HasPrefix(string(c.Spec.Network.Mode), "container:")
}

// hasOwnNetwork reports whether ports of the container are its own.
func hasOwnNetwork(c engine.Container) bool {
	mode := c.Spec.Network.Mode
	return mode != "host" && mode != "none" && !strings.HasPrefix(string(mode), "container:") && !c.Spec.Network.Disabled
}

// hasGateway reports whether one of the container's networks leads out.
func hasGateway(c engine.Container) bool {
	for _, e := range c.Endpoints {
		if e.Gateway4.IsValid() || e.Gateway6.IsValid() {
			return true
		}
	}
	return false
}

// portsInForce renders NetworkSettings.Ports. What is let through in a routed network has no port of the host.
func portsInForce(c engine.Container) nat.PortMap {
	m := nat.PortMap{}
	for p, published := range openPorts(c) {
		var bindings []nat.PortBinding
		for _, b := range published {
			host := nat.PortBinding{HostIP: b.HostIP.String()}
			if b.HostPort != 0 {
				host.HostPort = strconv.Itoa(int(b.HostPort))
			}
			bindings = append(bindings, host)
		}
		m[natPort(p)] = bindings
	}
	return m
}

// portList renders the ports of a list's row, in order.
func portList(c engine.Container) []container.Port {
	list := []container.Port{}
	for p, published := range openPorts(c) {
		row := container.Port{PrivatePort: p.Number, Type: string(p.Proto)}
		if len(published) == 0 {
			list = append(list, row)
		}
		for _, b := range published {
			row.IP, row.PublicPort = b.HostIP.String(), b.HostPort
			list = append(list, row)
		}
	}
	slices.SortFunc(list, func(a, b container.Port) int {
		return cmp.Or(cmp.Compare(a.PrivatePort, b.PrivatePort), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.PublicPort, b.PublicPort), cmp.Compare(a.IP, b.IP))
	})
	return list
}
