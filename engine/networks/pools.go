package networks

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/xcengine/xc/engine"
)

var linkLocal6 = netip.MustParsePrefix("fe80::/64")

// validatePools says everything that is wrong with the pools of a request, in the words of dockerd (moby api/types/network,
// ValidateIPAM, version 28). Pools of IPv6 are looked at only when the network has IPv6.
func validatePools(pools []engine.Pool, six bool) error {
	var errs []error
	for _, p := range pools {
		if p.Subnet.Addr().Is6() && !six {
			continue
		}
		errs = append(errs, poolErrors(p)...)
	}
	if len(errs) == 0 {
		return nil
	}
	return joined("invalid network config", errs)
}

func poolErrors(p engine.Pool) []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	family := familyName(p.Subnet.Addr())
	if p.Subnet != p.Subnet.Masked() {
		wrong("invalid subnet %s: it should be %s", p.Subnet, p.Subnet.Masked())
	}
	if p.Range.IsValid() {
		errs = append(errs, rangeErrors(p, family)...)
	}
	within := func(what string, a netip.Addr) {
		switch {
		case a.Is4() != p.Subnet.Addr().Is4():
			wrong("invalid %s: parent subnet is an %s block", what, family)
		case !p.Subnet.Contains(a):
			wrong("invalid %s: parent subnet %s doesn't contain this address", what, p.Subnet)
		}
	}
	if p.Gateway.IsValid() {
		within("gateway "+p.Gateway.String(), p.Gateway)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Aux)) {
		within("auxiliary address "+name, p.Aux[name])
	}
	return errs
}

// special6 refuses subnets of IPv6 that no network can have. dockerd names them by the gateway.
func special6(p engine.Pool) error {
	named := p.Subnet
	if p.Gateway.IsValid() {
		named = netip.PrefixFrom(p.Gateway, p.Subnet.Bits())
	}
	switch {
	case !p.Subnet.Addr().Is6():
	case p.Subnet.Addr().IsMulticast():
		return fmt.Errorf("multicast subnet '%s' is not allowed", named)
	case p.Subnet != linkLocal6 && p.Subnet.Overlaps(linkLocal6):
		return fmt.Errorf("'%s' clashes with the Link-Local prefix 'fe80::/64'", named)
	}
	return nil
}

func rangeErrors(p engine.Pool, family string) []error {
	if p.Range.Addr().Is4() != p.Subnet.Addr().Is4() {
		return []error{fmt.Errorf("invalid ip-range %s: parent subnet is an %s block", p.Range, family)}
	}
	var errs []error
	if p.Range.Bits() < p.Subnet.Bits() {
		errs = append(errs, fmt.Errorf("invalid ip-range %s: CIDR block is bigger than its parent subnet %s", p.Range, p.Subnet))
	}
	if p.Range != p.Range.Masked() {
		errs = append(errs, fmt.Errorf("invalid ip-range %s: it should be %s", p.Range, p.Range.Masked()))
	}
	if !p.Subnet.Overlaps(p.Range) {
		errs = append(errs, fmt.Errorf("invalid ip-range %s: parent subnet %s doesn't contain ip-range", p.Range, p.Subnet))
	}
	return errs
}

func familyName(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
