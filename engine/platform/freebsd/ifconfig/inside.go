package ifconfig

import (
	"net"
	"net/netip"
)

// loopback is the interface that every stack begins with.
const loopback = "lo0"

// seen is an interface as a process of its stack sees it. Addresses that the kernel gave itself are left out.
type seen struct {
	Name  string
	Index int
	MAC   string
	Addrs []netip.Prefix
}

// look lists the interfaces of the stack that this process is in.
func look() ([]seen, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var found []seen
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		s := seen{Name: i.Name, Index: i.Index, MAC: i.HardwareAddr.String()}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
				s.Addrs = append(s.Addrs, p)
			}
		}
		found = append(found, s)
	}
	return found, nil
}

// answer is what the helper says.
type answer struct {
	Interfaces []seen
}
