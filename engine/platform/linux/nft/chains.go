package nft

import (
	"net/netip"
	"strconv"
	"strings"
)

// statement is one step of a rule. The tagged files compile each kind for the kernel.
type statement interface{ text() string }

type (
	// matchSet holds when the key is, or with not is not, in the set.
	matchSet struct {
		key fields
		not bool
		set set
	}
	// matchPrefix holds for addresses in a prefix.
	matchPrefix struct {
		field  field
		prefix netip.Prefix
	}
	matchProto       struct{ number byte } // of the transport
	matchEstablished struct{}              // belongs to, or is caused by, a connection that was let through
	matchTranslated  struct{}              // the connection's destination was translated
	matchNotLocal    struct{}              // the destination is no address of this host
	matchLoopback    struct{}              // leaves by the loopback interface
	matchVersion     struct{ version int } // of IP
	// translate sends to what the map says: a new destination, or with source a new source.
	translate struct {
		source  bool
		version int
		key     fields
		to      set
	}
	masquerade struct{}
	jump       struct{ chain string }
	verdict    string
)

const (
	accept verdict = "accept"
	drop   verdict = "drop"
	leave  verdict = "return"
)

func (m matchSet) text() string {
	if m.not {
		return m.key.text() + " != @" + m.set.name
	}
	return m.key.text() + " @" + m.set.name
}

func (m matchPrefix) text() string {
	if m.prefix.IsSingleIP() {
		return fieldInfo[m.field].text + " " + m.prefix.Addr().String()
	}
	return fieldInfo[m.field].text + " " + m.prefix.String()
}

func (m matchProto) text() string { return "meta l4proto " + protoNames[m.number] }

func (matchEstablished) text() string { return "ct state established,related" }

func (matchTranslated) text() string { return "ct status dnat" }

func (matchNotLocal) text() string { return "fib daddr type != local" }

func (matchLoopback) text() string { return `oifname "lo"` }

func (m matchVersion) text() string { return "meta nfproto ipv" + strconv.Itoa(m.version) }

func (t translate) text() string {
	kind := "dnat"
	if t.source {
		kind = "snat"
	}
	ip := map[int]string{4: " ip to ", 6: " ip6 to "}[t.version]
	return kind + ip + t.key.text() + " map @" + t.to.name
}

func (masquerade) text() string { return "masquerade" }

func (j jump) text() string { return "jump " + j.chain }

func (v verdict) text() string { return string(v) }

const (
	protoICMP   = 1
	protoICMPv6 = 58
)

var protoNames = map[byte]string{protoICMP: "icmp", protoICMPv6: "ipv6-icmp"}

// hook is where a chain begins. The empty hook is a chain that others jump to.
type hook string

const (
	hookPrerouting  hook = "prerouting"
	hookForward     hook = "forward"
	hookOutput      hook = "output"
	hookPostrouting hook = "postrouting"
)

type chain struct {
	name     string
	kind     string // "nat", "filter"
	hook     hook
	priority int
	rules    []rule
}

type rule []statement

func (r rule) text() string {
	parts := make([]string, len(r))
	for i, s := range r {
		parts[i] = s.text()
	}
	return strings.Join(parts, " ")
}

// The priorities of nft(8)'s names dstnat, srcnat and filter.
const (
	priorityDstnat = -100
	prioritySrcnat = 100
	priorityFilter = 0
)

// chains is the whole table but its sets.
func chains() []chain {
	return []chain{
		{name: "publish", rules: publishRules()},
		{name: "prerouting", kind: "nat", hook: hookPrerouting, priority: priorityDstnat, rules: preroutingRules()},
		{name: "output", kind: "nat", hook: hookOutput, priority: priorityDstnat, rules: outputRules()},
		{name: "postrouting", kind: "nat", hook: hookPostrouting, priority: prioritySrcnat, rules: postroutingRules()},
		{name: "forward", kind: "filter", hook: hookForward, priority: priorityFilter, rules: forwardRules()},
	}
}

// publishRules lead what is for a published port of this host to its container.
func publishRules() []rule {
	return []rule{
		{matchNotLocal{}, leave},
		{dnat(4, mapAddr4)},
		{matchVersion{4}, dnat(4, mapAny4)},
		{dnat(6, mapAddr6)},
		{matchVersion{6}, dnat(6, mapAny6)},
	}
}

func dnat(version int, to set) translate { return translate{version: version, key: to.key, to: to} }

// preroutingRules: name queries at a gateway are the resolver's, also when a container publishes port 53. What containers
// that are kept apart send to published ports is left to the proxies.
func preroutingRules() []rule {
	return []rule{
		{dnat(4, mapRedirect4)},
		{dnat(6, mapRedirect6)},
		{matchSet{key: setResolve4.key, set: setResolve4}, accept},
		{matchSet{key: setResolve6.key, set: setResolve6}, accept},
		{matchSet{key: fields{iifname}, set: setIsolated}, accept},
		{jump{"publish"}},
	}
}

// outputRules: the host reaches published ports by every address but those that only a proxy can serve.
func outputRules() []rule {
	return []rule{
		{matchPrefix{daddr4, netip.MustParsePrefix("127.0.0.0/8")}, leave},
		{matchPrefix{daddr6, netip.MustParsePrefix("::1/128")}, leave},
		{matchPrefix{daddr6, netip.MustParsePrefix("fe80::/10")}, leave},
		{jump{"publish"}},
	}
}

// postroutingRules: a container that reaches another of its network (or itself) through a published port gets the host's
// address, so that the answer comes back by the host; what leaves the network gets it unless the network is routed. What
// the host sends to itself, from a gateway's address, leaves nothing.
func postroutingRules() []rule {
	of := func(own, masq, snat set, version int) []rule {
		return []rule{
			{matchSet{key: own.key, set: own}, matchTranslated{}, masquerade{}},
			{matchSet{key: own.key, set: own}, accept},
			{translate{source: true, version: version, key: snat.key, to: snat}},
			{matchSet{key: masq.key, set: masq}, masquerade{}},
		}
	}
	rules := append([]rule{{matchLoopback{}, accept}}, of(setOwn4, setMasq4, mapSNAT4, 4)...)
	return append(rules, of(setOwn6, setMasq6, mapSNAT6, 6)...)
}

// forwardRules keep networks apart from each other, and from outside but for published ports. Within one network everything
// passes (frames come here too where bridges are filtered by br_netfilter). What belongs to a connection that was let
// through is not looked at again: that is nearly every packet.
func forwardRules() []rule {
	toOurs := matchSet{key: fields{oifname}, set: setBridges}
	fromElsewhere := matchSet{key: fields{iifname}, not: true, set: setBridges}
	return []rule{
		{matchEstablished{}, accept},
		{matchSet{key: setWithin.key, set: setWithin}, accept},
		{matchSet{key: fields{iifname}, set: setInternal}, drop},
		{matchSet{key: fields{oifname}, set: setInternal}, drop},
		{toOurs, matchTranslated{}, accept},
		{matchSet{key: setThrough4.key, set: setThrough4}, accept},
		{matchSet{key: setThrough6.key, set: setThrough6}, accept},
		{fromElsewhere, matchSet{key: setRouted4.key, set: setRouted4}, matchProto{protoICMP}, accept},
		{fromElsewhere, matchSet{key: setRouted6.key, set: setRouted6}, matchProto{protoICMPv6}, accept},
		{fromElsewhere, matchSet{key: setOpen4.key, set: setOpen4}, matchVersion{4}, accept},
		{fromElsewhere, matchSet{key: setOpen6.key, set: setOpen6}, matchVersion{6}, accept},
		{toOurs, drop},
	}
}
