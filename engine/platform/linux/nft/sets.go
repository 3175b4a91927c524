package nft

import (
	"slices"
	"strings"
)

// set is a named set or, with values, a map.
type set struct {
	name   string
	key    fields
	values fields // of a map
	// interval: keys are ranges of addresses.
	interval bool
}

// The sets. What each is for is said where the rules use it.
var (
	setBridges   = set{name: "bridges", key: fields{iifname}}
	setWithin    = set{name: "within", key: fields{iifname, oifname}}
	setInternal  = set{name: "internal", key: fields{iifname}}
	setIsolated  = set{name: "isolated", key: fields{iifname}}
	setOpen4     = set{name: "open4", key: fields{oifname}}
	setOpen6     = set{name: "open6", key: fields{oifname}}
	setRouted4   = set{name: "routed4", key: fields{oifname}}
	setRouted6   = set{name: "routed6", key: fields{oifname}}
	setThrough4  = set{name: "through4", key: fields{daddr4, l4proto, dport}}
	setThrough6  = set{name: "through6", key: fields{daddr6, l4proto, dport}}
	setOwn4      = set{name: "own4", key: fields{saddr4, oifname}, interval: true}
	setOwn6      = set{name: "own6", key: fields{saddr6, oifname}, interval: true}
	setMasq4     = set{name: "masq4", key: fields{saddr4}, interval: true}
	setMasq6     = set{name: "masq6", key: fields{saddr6}, interval: true}
	mapSNAT4     = set{name: "snat4", key: fields{saddr4}, values: fields{saddr4}, interval: true}
	mapSNAT6     = set{name: "snat6", key: fields{saddr6}, values: fields{saddr6}, interval: true}
	mapAddr4     = set{name: "addr4", key: fields{daddr4, l4proto, dport}, values: fields{daddr4, dport}}
	mapAddr6     = set{name: "addr6", key: fields{daddr6, l4proto, dport}, values: fields{daddr6, dport}}
	mapAny4      = set{name: "any4", key: fields{l4proto, dport}, values: fields{daddr4, dport}}
	mapAny6      = set{name: "any6", key: fields{l4proto, dport}, values: fields{daddr6, dport}}
	setResolve4  = set{name: "resolve4", key: fields{iifname, daddr4, l4proto, dport}}
	setResolve6  = set{name: "resolve6", key: fields{iifname, daddr6, l4proto, dport}}
	mapRedirect4 = set{name: "redirect4", key: fields{iifname, daddr4, l4proto, dport}, values: fields{daddr4, dport}}
	mapRedirect6 = set{name: "redirect6", key: fields{iifname, daddr6, l4proto, dport}, values: fields{daddr6, dport}}
)

// allSets is every set, in the order in which a table has them.
func allSets() []set {
	return []set{
		setBridges, setWithin, setInternal, setIsolated, setOpen4, setOpen6, setRouted4, setRouted6, setThrough4, setThrough6,
		setOwn4, setOwn6, setMasq4, setMasq6, mapSNAT4, mapSNAT6, mapAddr4, mapAddr6, mapAny4, mapAny6,
		setResolve4, setResolve6, mapRedirect4, mapRedirect6,
	}
}

// element is one member of a set: the texts of nft(8) and the bytes of the kernel.
type element struct {
	text           string
	key, end, data []byte
}

func newElement(s set, key []value, data ...value) element {
	e := element{text: joinValues(key), key: concat(key, func(v value) []byte { return v.bytes })}
	if s.interval {
		e.end = concat(key, func(v value) []byte {
			if v.end != nil {
				return v.end
			}
			return v.bytes
		})
	}
	if len(s.values) > 0 {
		e.text += " : " + joinValues(data)
		e.data = concat(data, func(v value) []byte { return v.bytes })
	}
	return e
}

func concat(values []value, part func(value) []byte) []byte {
	var b []byte
	for _, v := range values {
		p := part(v)
		b = append(b, p...)
		if len(values) > 1 {
			b = append(b, make([]byte, padded(len(p))-len(p))...)
		}
	}
	return b
}

func joinValues(values []value) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = v.text
	}
	return strings.Join(parts, " . ")
}

// Contents are the elements of every set, by its name and their texts.
type Contents map[string]map[string]element

func (c Contents) add(s set, key []value, data ...value) {
	if c[s.name] == nil {
		c[s.name] = make(map[string]element)
	}
	e := newElement(s, key, data...)
	c[s.name][e.text] = e
}

// change is what makes one content of a set into another.
type change struct {
	set        set
	remove, in []element
}

// changes lists the sets that differ between two contents.
func changes(from, to Contents) []change {
	var all []change
	for _, s := range allSets() {
		c := change{set: s, remove: missing(from[s.name], to[s.name]), in: missing(to[s.name], from[s.name])}
		if len(c.remove)+len(c.in) > 0 {
			all = append(all, c)
		}
	}
	return all
}

// missing returns those of a that are not in b, sorted.
func missing(a, b map[string]element) []element {
	var out []element
	for text, e := range a {
		if _, ok := b[text]; !ok {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(x, y element) int { return strings.Compare(x.text, y.text) })
	return out
}
