package nft

import "encoding/binary"

// The tables of the older iptables are not nftables': what they drop, no rule of ours lets through, and we do not change them.
// Their layout is that of linux/netfilter_ipv4/ip_tables.h and linux/netfilter_ipv6/ip6_tables.h.

// legacyFamily is what differs between the IP versions.
type legacyFamily struct {
	tool    string // that changes these tables
	names   string // file that lists those that there are
	domain  int    // of the socket that is asked
	level   int    // of its options
	entry   int    // size of an entry without its matches and its target
	targets int    // where in an entry the target's place stands
}

const (
	legacyName = 32                       // bytes of a table's name
	legacyInfo = legacyName + 13*4        // struct ipt_getinfo
	legacyHead = legacyName + 4 + 4       // struct ipt_get_entries up to its entries, with padding
	legacyHook = 2                        // NF_INET_FORWARD
	verdictAt  = 32                       // in a standard target
	verdictLen = verdictAt + 4            // without its padding
	legacyDrop = ^uint32(0)               // -NF_DROP-1
	hooksAt    = legacyName               // valid_hooks
	policiesAt = legacyName + (1+5)*4     // underflow
	sizeAt     = legacyName + (1+5+5+1)*4 // size of all entries
)

// legacyPolicy is where the forward chain's policy stands in a table's entries, and how large these are. Info is a struct ipt_getinfo.
func legacyPolicy(info []byte) (at, size uint32, ok bool) {
	if len(info) < legacyInfo || binary.NativeEndian.Uint32(info[hooksAt:])&(1<<legacyHook) == 0 {
		return 0, 0, false
	}
	return binary.NativeEndian.Uint32(info[policiesAt+4*legacyHook:]), binary.NativeEndian.Uint32(info[sizeAt:]), true
}

// drops reports whether the entry at a place in a table's entries is one whose target drops.
func (l legacyFamily) drops(entries []byte, at uint32) bool {
	if uint64(at)+uint64(l.entry) > uint64(len(entries)) {
		return false
	}
	e := entries[at:]
	target := int(binary.NativeEndian.Uint16(e[l.targets:]))
	if target+verdictLen > len(e) {
		return false
	}
	return binary.NativeEndian.Uint32(e[target+verdictAt:]) == legacyDrop
}
