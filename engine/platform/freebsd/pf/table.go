package pf

import (
	"net/netip"
	"slices"
	"unsafe"
)

// Sizes and flags of sys/net/pfvar.h; the families are FreeBSD's.
const (
	anchorSize = 1024 // MAXPATHLEN
	tableSize  = 32   // PF_TABLE_NAME_SIZE

	tablePersists = 1 // PFR_TFLAG_PERSIST

	familyIPv4 = 2  // AF_INET
	familyIPv6 = 28 // AF_INET6
)

// tableSpec is struct pfr_table: a table of the main ruleset when the anchor is empty.
type tableSpec struct {
	Anchor   [anchorSize]byte
	Name     [tableSize]byte
	Flags    uint32
	Feedback uint8
	_        [3]byte
}

// tableAddr is struct pfr_addr.
type tableAddr struct {
	Addr              [16]byte // in network order, IPv4 in the first four
	Family, Bits, Not uint8
	Feedback          uint8
}

// tableRequest is struct pfioc_table, the argument of the DIOCR ioctls (pf(4)).
type tableRequest struct {
	Table                    tableSpec
	Buffer                   unsafe.Pointer // Size elements of ElementSize bytes
	ElementSize, Size, Size2 int32
	Added, Deleted, Changed  int32
	Flags                    int32
	Ticket                   uint32
}

func newTableSpec(name string) tableSpec {
	var s tableSpec
	copy(s.Name[:tableSize-1], name)
	return s
}

// tableAddrs are single addresses, each once and in order.
func tableAddrs(addrs []netip.Addr) []tableAddr {
	var list []tableAddr
	for _, a := range slices.Compact(slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare)) {
		e := tableAddr{Family: familyIPv6, Bits: uint8(a.BitLen())}
		if a.Is4() {
			e.Family = familyIPv4
		}
		copy(e.Addr[:], a.AsSlice())
		list = append(list, e)
	}
	return list
}
