package translate

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/xcengine/xc/engine"
)

// Endpoint reads what a container wants of a network; nil wants nothing in particular. The error is Invalid.
func Endpoint(networkName string, s *network.EndpointSettings) (engine.EndpointSpec, error) {
	if s == nil {
		return engine.EndpointSpec{}, nil
	}
	e := engine.EndpointSpec{Aliases: s.Aliases, Links: s.Links, DriverOpts: s.DriverOpts, GwPriority: s.GwPriority}
	if err := checkEndpoint(networkName, s); err != nil {
		return e, err
	}
	if mac, err := net.ParseMAC(s.MacAddress); err == nil {
		e.MAC = mac.String()
	}
	if a := s.IPAMConfig; a != nil {
		e.IPv4, _ = netip.ParseAddr(a.IPv4Address)
		e.IPv6, _ = netip.ParseAddr(a.IPv6Address)
		e.LinkLocal = make([]netip.Addr, 0, len(a.LinkLocalIPs))
		for _, l := range a.LinkLocalIPs {
			addr, _ := netip.ParseAddr(l)
			e.LinkLocal = append(e.LinkLocal, addr)
		}
	}
	return e, nil
}

// checkEndpoint refuses settings in dockerd's words.
func checkEndpoint(name string, s *network.EndpointSettings) error {
	var faults []string
	// Whether an address can be had the networks say, which know the subnets.
	if !container.NetworkMode(name).IsUserDefined() && len(s.Aliases) > 0 {
		faults = append(faults, "network-scoped alias is supported only for containers in user defined networks")
	}
	if err := s.IPAMConfig.Validate(); err != nil {
		var several interface{ Unwrap() []error }
		if errors.As(err, &several) {
			for _, one := range several.Unwrap() {
				faults = append(faults, one.Error())
			}
		}
	}
	if s.MacAddress != "" {
		if mac, err := net.ParseMAC(s.MacAddress); err != nil || len(mac) != 6 {
			return invalidf("invalid MAC address %s", s.MacAddress)
		}
	}
	switch len(faults) {
	case 0:
		return nil
	case 1:
		return invalidf("invalid endpoint settings:\n%s", faults[0])
	}
	return invalidf("invalid endpoint settings:\n* %s", strings.Join(faults, "\n* "))
}

// endpoints reads the endpoints of a create request.
func endpoints(settings map[string]*network.EndpointSettings) (map[string]engine.EndpointSpec, error) {
	if len(settings) == 0 {
		return nil, nil
	}
	out := map[string]engine.EndpointSpec{}
	for name, s := range settings {
		if s == nil {
			return nil, invalidf("invalid config for network %s: EndpointsConfig is nil", name)
		}
		e, err := Endpoint(name, s)
		if err != nil {
			return nil, invalidf("invalid config for network %s: %s", name, Message(err))
		}
		out[name] = e
	}
	return out, nil
}

// endpointSettings renders a container's place in a network. Before the first start it shows the address that was asked for.
func endpointSettings(c engine.Container, networkName string, e engine.Endpoint) *network.EndpointSettings {
	s := &network.EndpointSettings{
		IPAMConfig: ipamConfig(e.Spec), Links: e.Spec.Links, Aliases: e.Spec.Aliases, DriverOpts: e.Spec.DriverOpts,
		GwPriority: e.Spec.GwPriority, NetworkID: string(e.Network), EndpointID: e.ID, DNSNames: e.DNSNames,
		MacAddress: e.MAC, Gateway: address(e.Gateway4), IPv6Gateway: address(e.Gateway6),
	}
	if e.IPv4.IsValid() {
		s.IPAddress, s.IPPrefixLen = e.IPv4.Addr().String(), e.IPv4.Bits()
	}
	if e.IPv6.IsValid() {
		s.GlobalIPv6Address, s.GlobalIPv6PrefixLen = e.IPv6.Addr().String(), e.IPv6.Bits()
	}
	if c.Status.Started.IsZero() && e.ID == "" {
		s.MacAddress, s.NetworkID = e.Spec.MAC, ""
	}
	// In networks that it was created with it has no names before its first start.
	if e.ID == "" && (!c.Status.Started.IsZero() || c.Status.Error != "" || e.DNSNames != nil) {
		s.DNSNames = names(c, networkName, e.Spec)
	}
	return s
}

// names are those by which a container that does not run, but was to, was known in a network and will be.
func names(c engine.Container, networkName string, e engine.EndpointSpec) []string {
	if !container.NetworkMode(networkName).IsUserDefined() {
		return nil
	}
	var all []string
	for _, name := range slices.Concat([]string{c.Name}, e.Aliases, []string{c.ID.Short(), c.Spec.Hostname}) {
		if name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// ipamConfig gives the wanted addresses back; nil when the request said nothing of them.
func ipamConfig(e engine.EndpointSpec) *network.EndpointIPAMConfig {
	if !e.IPv4.IsValid() && !e.IPv6.IsValid() && e.LinkLocal == nil {
		return nil
	}
	a := &network.EndpointIPAMConfig{IPv4Address: address(e.IPv4), IPv6Address: address(e.IPv6)}
	for _, l := range e.LinkLocal {
		a.LinkLocalIPs = append(a.LinkLocalIPs, l.String())
	}
	return a
}

// address renders an address; the invalid one is "".
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// addresses reads a list of addresses, such as DNS servers; what names the list.
func addresses(what string, list []string) ([]netip.Addr, error) {
	if list == nil {
		return nil, nil
	}
	out := make([]netip.Addr, 0, len(list))
	for _, s := range list {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, invalidf("invalid %s: %s", what, s)
		}
		out = append(out, a)
	}
	return out, nil
}

// strs renders a list, nil as nil.
func strs[T fmt.Stringer](list []T) []string {
	if list == nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, v.String())
	}
	return out
}
