package nft

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// The tables of the older iptables are not nftables': what they drop, no rule of ours lets through, and we do not change them.
// Their layout is that of linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h and linux/netfilter/x_tables.h.

// legacyFamily is what differs between the IP versions.
type legacyFamily struct {
	tool    string // that changes these tables
	names   string // file that lists those that there are
	domain  int    // of the socket that is asked
	level   int    // of its options
	entry   int    // size of an entry without its matches and its target
	targets int    // where in an entry the target's place stands, behind the condition that it begins with, and then the next entry's
	devices int    // where in the condition the names of interfaces stand
	flags   int    // where in the condition its flags stand
	goes    byte   // the flag of a goto
}

const (
	legacyName = 32                 // bytes of a table's name
	legacyInfo = legacyName + 13*4  // struct ipt_getinfo
	legacyHead = legacyName + 4 + 4 // struct ipt_get_entries up to its entries, with padding
	legacyHook = 2                  // NF_INET_FORWARD
	hooksAt    = legacyName         // valid_hooks
	beginsAt   = legacyName + 4     // hook_entry
	sizeAt     = legacyName + (1+5+5+1)*4

	// In a match and in a target, after the size of two bytes.
	legacyKindAt = 2
	legacyKind   = 29
	verdictAt    = 32 // in a target without a name
	verdictLen   = verdictAt + 4

	legacyDrop   = -1
	legacyAccept = -2
	legacyReturn = -5

	ifNameSize = 16
)

// legacyForward is where a table's forward chain begins in its entries, and how large these are. Info is a struct ipt_getinfo.
func legacyForward(info []byte) (at, size uint32, ok bool) {
	if len(info) < legacyInfo || binary.NativeEndian.Uint32(info[hooksAt:])&(1<<legacyHook) == 0 {
		return 0, 0, false
	}
	return binary.NativeEndian.Uint32(info[beginsAt+4*legacyHook:]), binary.NativeEndian.Uint32(info[sizeAt:]), true
}

// legacyWalk follows packets of which nothing is known but that they come from or go to a bridge of ours through a table's entries.
type legacyWalk struct {
	legacyFamily
	entries []byte
	bridges string // how their names begin
	// in and out: packets from, and to, our bridges were accepted on the way.
	in, out bool
	steps   int
}

// maxSteps ends a walk through tables that are not as the kernel makes them.
const maxSteps = 100_000

// drops reports whether the chain that begins at a place drops packets of ours, by a rule that holds for all or by its policy, which
// stands as its last rule.
func (w *legacyWalk) drops(at int) bool { return w.outcome(at, 0) == isDropped && !(w.in && w.out) }

func (w *legacyWalk) outcome(at, depth int) ending {
	for depth <= maxJumps {
		e, ok := w.at(at)
		if w.steps++; !ok || w.steps > maxSteps {
			break
		}
		end, jump := e.ending()
		switch {
		case end == isAccepted && e.devices(w.bridges, 0):
			w.in = true
		case end == isAccepted && e.devices(w.bridges, 1):
			w.out = true
		case !e.always():
		case end == jumps && jump != at+e.next:
			if got := w.outcome(jump, depth+1); got != returns {
				return got
			}
			if e.condition[w.flags]&w.goes != 0 {
				return returns
			}
		case end != goesOn && end != jumps:
			return end
		}
		at += e.next
	}
	return goesOn
}

// legacyEntry is one rule.
type legacyEntry struct {
	legacyFamily
	condition, matches, target []byte
	next                       int // how far on the next one is
}

func (w *legacyWalk) at(at int) (legacyEntry, bool) {
	if at < 0 || at+w.entry > len(w.entries) {
		return legacyEntry{}, false
	}
	b := w.entries[at:]
	target, next := int(binary.NativeEndian.Uint16(b[w.targets:])), int(binary.NativeEndian.Uint16(b[w.targets+2:]))
	if target < w.entry || next < target+verdictAt || next > len(b) {
		return legacyEntry{}, false
	}
	return legacyEntry{w.legacyFamily, b[:w.targets], b[w.entry:target], b[target:next], next}, true
}

// ending is what the rule does with a packet that it holds for.
func (e legacyEntry) ending() (end ending, jump int) {
	switch kind := legacyKindOf(e.target); {
	case kind == "REJECT":
		return isDropped, 0
	case kind != "" || len(e.target) < verdictLen:
		return goesOn, 0
	}
	switch verdict := int32(binary.NativeEndian.Uint32(e.target[verdictAt:])); {
	case verdict == legacyDrop:
		return isDropped, 0
	case verdict == legacyAccept:
		return isAccepted, 0
	case verdict == legacyReturn:
		return returns, 0
	case verdict >= 0:
		return jumps, int(verdict)
	}
	return goesOn, 0 // to a program
}

// always reports whether the rule holds for every packet.
func (e legacyEntry) always() bool {
	condition := slices.Clone(e.condition)
	condition[e.flags] &^= e.goes
	return !slices.ContainsFunc(condition, func(b byte) bool { return b != 0 }) && e.onlyCommented()
}

// devices reports whether the rule holds for every packet by interfaces whose names begin so: of those that it comes from (0), or goes
// to (1).
func (e legacyEntry) devices(begin string, which int) bool {
	want := make([]byte, len(e.condition))
	name := e.legacyFamily.devices + which*ifNameSize
	mask := name + 2*ifNameSize
	has := slices.Clone(e.condition)
	for i := range ifNameSize {
		has[name+i] &= has[mask+i] // the "+" stays in the name
	}
	for n := range len(begin) {
		if want[name+n], want[mask+n] = begin[n], 0xff; bytes.Equal(want, has) {
			return e.onlyCommented()
		}
	}
	return false
}

// onlyCommented reports whether the rule has no matches that are conditions.
func (e legacyEntry) onlyCommented() bool {
	for left := e.matches; len(left) > 0; {
		if len(left) < verdictAt || legacyKindOf(left) != "comment" {
			return false
		}
		size := int(binary.NativeEndian.Uint16(left))
		if size < verdictAt || size > len(left) {
			return false
		}
		left = left[size:]
	}
	return true
}

func legacyKindOf(b []byte) string {
	kind, _, _ := bytes.Cut(b[legacyKindAt:legacyKindAt+legacyKind], []byte{0})
	return string(kind)
}
