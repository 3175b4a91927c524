package ipam

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Block is a prefix that is cut into subnets of Bits length for networks that name none.
type Block struct {
	Base netip.Prefix
	Bits int
}

// String gives the form that ParseBlock reads.
func (b Block) String() string { return "base=" + b.Base.String() + ",size=" + strconv.Itoa(b.Bits) }

// ParseBlock reads dockerd's form of a default address pool, "base=172.30.0.0/16,size=24".
func ParseBlock(s string) (Block, error) {
	var b Block
	for part := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		switch key {
		case "base":
			b.Base, err = netip.ParsePrefix(value)
		case "size":
			b.Bits, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("unexpected key %q", key)
		}
		if err != nil {
			return Block{}, fmt.Errorf("address pool %q: %w", s, err)
		}
	}
	return b, b.valid()
}

func (b Block) valid() error {
	switch {
	case !b.Base.IsValid():
		return fmt.Errorf("address pool without a base")
	case b.Base != b.Base.Masked():
		return fmt.Errorf("address pool %s: the base must be %s", b, b.Base.Masked())
	case b.Bits < b.Base.Bits() || b.Bits > b.Base.Addr().BitLen():
		return fmt.Errorf("address pool %s: the size must lie between %d and %d", b, b.Base.Bits(), b.Base.Addr().BitLen())
	}
	return nil
}

// DefaultBlocks are dockerd's own (moby libnetwork/ipamutils, version 28): 172.17/16 to 172.31/16, then 192.168.x/20.
func DefaultBlocks() []Block {
	blocks := make([]Block, 0, 16)
	for second := range 15 {
		blocks = append(blocks, Block{Base: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(17 + second)}), 16), Bits: 16})
	}
	return append(blocks, Block{Base: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168}), 16), Bits: 20})
}

// UniqueLocal returns the block of /64 subnets below the unique local prefix (RFC 4193) with this global id.
func UniqueLocal(global [5]byte) Block {
	a := [16]byte{0xfd, global[0], global[1], global[2], global[3], global[4]}
	return Block{Base: netip.PrefixFrom(netip.AddrFrom16(a), 48), Bits: 64}
}

// Choose returns the first subnet of the blocks that overlaps nothing of used. False: there is none.
func Choose(blocks []Block, used []netip.Prefix) (netip.Prefix, bool) {
	for _, b := range blocks {
		candidate := netip.PrefixFrom(b.Base.Addr(), b.Bits)
		for candidate.IsValid() && b.Base.Contains(candidate.Addr()) {
			in, found := overlapping(candidate, used)
			if !found {
				return candidate, true
			}
			// What is in the way may be larger than the candidate: go on behind the larger of the two.
			if in.Bits() > candidate.Bits() {
				in = candidate
			}
			candidate = after(in, b.Bits)
		}
	}
	return netip.Prefix{}, false
}

func overlapping(p netip.Prefix, used []netip.Prefix) (netip.Prefix, bool) {
	for _, u := range used {
		if p.Overlaps(u) {
			return u, true
		}
	}
	return netip.Prefix{}, false
}

// after returns the prefix of the given length that begins right behind p, invalid at the end of the address space.
func after(p netip.Prefix, bits int) netip.Prefix {
	next := Last(p).Next()
	if !next.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(next, bits)
}
