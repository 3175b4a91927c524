//go:build !freebsd

package ports

import "net/netip"

// wider is for systems that let an address be bound beside all of them.
func wider(netip.AddrPort) error { return nil }
