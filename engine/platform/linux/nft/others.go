package nft

import (
	"strings"

	"github.com/xcengine/xc/engine"
)

// otherTable is what we read of somebody else's table.
type otherTable struct {
	name   string
	owned  bool // the kernel lets nobody but the program that made it change it
	chains []otherChain
	rules  map[string][]otherRule // by chain, in order
}

// otherChain is a base chain.
type otherChain struct {
	name    string
	hook    hook
	version int // of IP; 0: both
	drops   bool
}

// otherRule is as much of a rule as tells whether all packets end there.
type otherRule struct {
	handle  uint64
	comment string
	always  bool // it holds for every packet
	end     ending
	chain   string // of a jump
}

// ending is what a rule does with a packet at last.
type ending uint8

const (
	goesOn ending = iota
	isDropped
	isAccepted
	returns
	jumps
)

// place is where our rules belong in a base chain: behind every rule that drops, or does not, what it chose to, before
// what drops the rest.
type place struct {
	needed bool   // the chain drops what it does not know
	before uint64 // the rule that does so; 0: the policy
	index  int
}

func (t otherTable) place(c otherChain) place {
	for i, r := range t.rules[c.name] {
		switch t.outcome(r, 0) {
		case isDropped:
			return place{needed: true, before: r.handle, index: i}
		case isAccepted, returns:
			return place{needed: c.drops && r.end == returns, before: r.handle, index: i}
		}
	}
	return place{needed: c.drops, index: len(t.rules[c.name])}
}

// maxJumps is how deep the kernel lets chains jump.
const maxJumps = 16

// outcome is what becomes of all packets that come to a rule.
func (t otherTable) outcome(r otherRule, depth int) ending {
	if !r.always || depth > maxJumps {
		return goesOn
	}
	if r.end != jumps {
		return r.end
	}
	for _, inner := range t.rules[r.chain] {
		switch got := t.outcome(inner, depth+1); got {
		case isDropped, isAccepted:
			return got
		case returns:
			return goesOn
		}
	}
	return goesOn
}

// amendment is what makes a chain have our rules as they are wanted.
type amendment struct {
	remove []uint64
	add    []pass
	before uint64
}

func (a amendment) empty() bool { return len(a.remove)+len(a.add) == 0 }

// amend finds what a chain lacks of what it must let through, and what of ours it has beyond.
func (t otherTable) amend(owner engine.Owner, c otherChain, all []pass) amendment {
	at := t.place(c)
	missing := make(map[string]bool)
	var want []pass
	if at.needed {
		want = wantedIn(owner, all, c)
	}
	for _, p := range want {
		missing[p.mark(owner)] = true
	}
	a := amendment{before: at.before}
	for i, r := range t.rules[c.name] {
		switch {
		case !strings.HasPrefix(r.comment, markOf(owner)):
		case missing[r.comment] && i < at.index:
			delete(missing, r.comment)
		default:
			a.remove = append(a.remove, r.handle)
		}
	}
	for _, p := range want {
		if missing[p.mark(owner)] {
			a.add = append(a.add, p)
		}
	}
	return a
}
