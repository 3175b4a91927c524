package networks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/xcengine/xc/engine"
)

// Check resolves the networks of a wish to their names and refuses what is wrong with it. Without endpoints the mode alone
// says the network; a mode "container:…" has none. dockerd's words are those of version 28.
func (s *Service) Check(_ context.Context, mode engine.NetworkMode, endpoints map[string]engine.EndpointSpec) (map[string]engine.Endpoint, error) {
	if strings.HasPrefix(string(mode), "container:") {
		return nil, nil
	}
	if len(endpoints) == 0 {
		endpoints = map[string]engine.EndpointSpec{string(mode): {}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	checked := make(map[string]engine.Endpoint, len(endpoints))
	var errs []error
	for _, ref := range slices.Sorted(maps.Keys(endpoints)) {
		n, err := s.find(canonical(ref))
		if err != nil {
			return nil, err
		}
		if n.ConfigOnly {
			return nil, forbidden(n.Name, errors.New("failed to set up container networking: cannot create endpoint on configuration-only network"))
		}
		spec := endpoints[ref]
		if wrong := n.specErrors(spec); len(wrong) > 0 {
			errs = append(errs, fmt.Errorf("invalid config for network %s: %w", ref, joined("invalid endpoint settings", wrong)))
		}
		checked[n.Name] = engine.Endpoint{Spec: spec, Network: n.ID}
	}
	if len(errs) > 0 {
		return nil, &engine.Error{Op: "check", Kind: engine.Invalid, Resource: engine.ResourceEndpoint, Err: errors.Join(errs...)}
	}
	return checked, s.together(checked)
}

// canonical is the network that a word of the API stands for.
func canonical(ref string) string {
	if ref == "" || ref == nameDefault {
		return nameBridge
	}
	return ref
}

// together refuses networks that exclude others. The caller holds the lock.
func (s *Service) together(endpoints map[string]engine.Endpoint) error {
	if len(endpoints) < 2 {
		return nil
	}
	for _, e := range endpoints {
		var err error
		switch s.nets[e.Network].Driver {
		case driverHost:
			err = errors.New("container sharing network namespace with another container or host cannot be connected to any other network")
		case driverNull:
			err = errors.New("container cannot be connected to multiple networks with one of the networks in private (none) mode")
		default:
			continue
		}
		return &engine.Error{Op: "check", Kind: engine.Invalid, Resource: engine.ResourceEndpoint, Err: err}
	}
	return nil
}

// specErrors says everything that is wrong with a wish for an endpoint.
func (n *network) specErrors(e engine.EndpointSpec) []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if n.Predefined {
		if e.IPv4.IsValid() || e.IPv6.IsValid() {
			wrong("user specified IP address is supported on user defined networks only")
		}
		if len(e.Aliases) > 0 {
			wrong("network-scoped alias is supported only for containers in user defined networks")
		}
	}
	addresses := true
	if e.IPv4.IsValid() && (!e.IPv4.Is4() || e.IPv4.IsUnspecified()) {
		addresses = false
		wrong("invalid IPv4 address: %s", e.IPv4)
	}
	if e.IPv6.IsValid() && (!e.IPv6.Is6() || e.IPv6.IsUnspecified()) {
		addresses = false
		wrong("invalid IPv6 address: %s", e.IPv6)
	}
	for _, a := range e.LinkLocal {
		if !a.IsValid() || a.IsUnspecified() {
			wrong("invalid link-local IP address: %s", a)
		}
	}
	if addresses {
		for _, a := range []netip.Addr{e.IPv4, e.IPv6} {
			if err := n.admitAddress(a); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if e.MAC != "" {
		if mac, err := net.ParseMAC(e.MAC); err != nil || len(mac) != 6 {
			wrong("invalid MAC address %s", e.MAC)
		}
	}
	return append(errs, driverOptErrors(e.DriverOpts)...)
}

// admitAddress: a wished address lies in a subnet that the user chose. The default network's counts as chosen, as for dockerd since
// its second start.
func (n *network) admitAddress(a netip.Addr) error {
	if !a.IsValid() {
		return nil
	}
	chosen := false
	for _, p := range n.pools {
		if p.Subnet.Addr().Is4() != a.Is4() || p.Auto && !n.Predefined {
			continue
		}
		chosen = true
		if p.Subnet.Contains(a) {
			return nil
		}
	}
	if chosen {
		return fmt.Errorf("no configured subnet or ip-range contain the IP address %s", a)
	}
	return errors.New("user specified IP address is supported only when connecting to networks with user configured subnets")
}

func driverOptErrors(opts map[string]string) []error {
	var errs []error
	if name, ok := opts[optIfName]; ok {
		if err := interfaceName(new(string))(name); err != nil {
			errs = append(errs, err)
		}
	}
	for _, sysctl := range sysctls(opts) {
		parts := strings.SplitN(sysctl, ".", 5)
		if len(parts) != 5 || !slices.Contains([]string{"ipv4", "ipv6", "mpls"}, parts[1]) || !strings.EqualFold(parts[3], "ifname") || !strings.Contains(parts[4], "=") {
			errs = append(errs, fmt.Errorf("unrecognised network interface sysctl '%s'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'", sysctl))
		}
	}
	return errs
}

// sysctls are the kernel parameters that an endpoint asks for.
func sysctls(opts map[string]string) []string {
	if opts[optSysctls] == "" {
		return nil
	}
	return strings.Split(opts[optSysctls], ",")
}
