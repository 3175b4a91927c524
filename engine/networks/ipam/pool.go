package ipam

import (
	"errors"
	"net/netip"
)

// The failures of a pool.
var (
	ErrFull    = errors.New("no address is left in the pool")
	ErrTaken   = errors.New("the address is in use")
	ErrOutside = errors.New("the address does not belong to the pool")
)

// Pool is the addresses of one subnet. The zero value is not usable. It is not safe for concurrent use.
type Pool struct {
	subnet netip.Prefix
	lo, hi netip.Addr // of the range that Next hands out, both included
	last   netip.Addr // handed out by Next most recently
	taken  map[netip.Addr]bool
}

// New returns a pool in which nothing is taken. An invalid span means the whole subnet; otherwise it must lie within it.
// The network and broadcast addresses of IPv4 (except in /31 and /32, RFC 3021) and the subnet-router anycast address of
// IPv6 (RFC 4291, 2.6.1) are never handed out. last is where an earlier pool had come to; invalid: nowhere.
func New(subnet, span netip.Prefix, last netip.Addr) *Pool {
	p := &Pool{subnet: subnet.Masked(), taken: make(map[netip.Addr]bool)}
	if !span.IsValid() {
		span = p.subnet
	}
	p.lo, p.hi = span.Masked().Addr(), Last(span)
	if p.special(p.lo) && p.lo != p.hi {
		p.lo = p.lo.Next()
	}
	if p.special(p.hi) && p.lo != p.hi {
		p.hi = p.hi.Prev()
	}
	if p.contains(last) {
		p.last = last
	}
	return p
}

// Bound narrows the range to what does not come before a, or with last after a, which must lie in the subnet. A range that has
// nothing left is one address.
func (p *Pool) Bound(a netip.Addr, last bool) {
	switch {
	case last && a.Less(p.hi):
		p.hi = a
	case !last && p.lo.Less(a):
		p.lo = a
	}
	if p.hi.Less(p.lo) {
		p.lo = p.hi
	}
	if !p.contains(p.last) {
		p.last = netip.Addr{}
	}
}

// Subnet is what the pool was made of.
func (p *Pool) Subnet() netip.Prefix { return p.subnet }

// Cursor is the address that Next gave most recently; invalid when it gave none.
func (p *Pool) Cursor() netip.Addr { return p.last }

// First returns the lowest address that can be handed out and is free, without taking it. Gateways are chosen by it.
func (p *Pool) First() (netip.Addr, error) { return p.search(p.lo) }

// Next takes a free address of the range: the first one behind the last one given, or from the range's start again.
func (p *Pool) Next() (netip.Addr, error) {
	start := p.lo
	if p.last.IsValid() && p.last.Less(p.hi) {
		start = p.last.Next()
	}
	a, err := p.search(start)
	if err != nil {
		return netip.Addr{}, err
	}
	p.taken[a], p.last = true, a
	return a, nil
}

// Take takes one certain address, which may lie outside the range but not outside the subnet. Those that no host can have
// are always taken.
func (p *Pool) Take(a netip.Addr) error {
	switch {
	case !p.subnet.Contains(a):
		return ErrOutside
	case p.taken[a] || p.special(a):
		return ErrTaken
	}
	p.taken[a] = true
	return nil
}

// Release gives an address back. It may be free already.
func (p *Pool) Release(a netip.Addr) { delete(p.taken, a) }

// Taken reports whether the address is handed out.
func (p *Pool) Taken(a netip.Addr) bool { return p.taken[a] }

func (p *Pool) search(start netip.Addr) (netip.Addr, error) {
	a := start
	for {
		if !p.taken[a] && !p.special(a) {
			return a, nil
		}
		if a == p.hi {
			a = p.lo
		} else {
			a = a.Next()
		}
		if a == start {
			return netip.Addr{}, ErrFull
		}
	}
}

func (p *Pool) contains(a netip.Addr) bool {
	return a.IsValid() && p.subnet.Contains(a) && !a.Less(p.lo) && !p.hi.Less(a)
}

// special reports whether no host can have the address.
func (p *Pool) special(a netip.Addr) bool {
	host := p.subnet.Addr().BitLen() - p.subnet.Bits()
	if a.Is4() {
		return host > 1 && (a == p.subnet.Addr() || a == Last(p.subnet))
	}
	return host > 0 && a == p.subnet.Addr()
}

// Last returns a prefix's highest address.
func Last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
