package dns

import (
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/xcengine/xc/engine"
)

// ttl is short: a name's addresses change with every restart of its container.
const ttl = 5 // seconds

// verdict is what is to be done with a query.
type verdict struct {
	reply     *dns.Msg // answer with this, or forward when it is nil
	upstreams []netip.Addr
	forward   bool // to the host's servers
}

// judge answers a query from the directory as far as it can.
func (d *Directory) judge(network engine.NetworkID, src, at netip.Addr, query *dns.Msg) verdict {
	if query.Opcode != dns.OpcodeQuery {
		return verdict{reply: rcode(query, dns.RcodeNotImplemented)}
	}
	if len(query.Question) != 1 {
		return verdict{reply: rcode(query, dns.RcodeFormatError)}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	who := d.who(network, src, at)
	if !who.known {
		return verdict{reply: rcode(query, dns.RcodeRefused)}
	}
	q := query.Question[0]
	if q.Qclass == dns.ClassINET {
		if reply := who.local(query, q); reply != nil {
			return verdict{reply: reply}
		}
	}
	if src == at {
		return verdict{reply: rcode(query, dns.RcodeRefused)}
	}
	return verdict{upstreams: who.upstreams, forward: who.forward}
}

// local answers what is ours; nil: it is not.
func (a asker) local(query *dns.Msg, q dns.Question) *dns.Msg {
	if q.Qtype == dns.TypePTR {
		return a.pointer(query, q)
	}
	addrs, found := a.addresses(strings.TrimSuffix(q.Name, "."))
	if !found {
		return nil
	}
	// A name that is ours has no records of other types: an empty answer says so, where an upstream would say that the
	// name does not exist.
	reply := success(query)
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	for _, addr := range addrs {
		header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: ttl}
		switch {
		case q.Qtype == dns.TypeA && addr.Is4():
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: addr.AsSlice()})
		case q.Qtype == dns.TypeAAAA && addr.Is6():
			reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: addr.AsSlice()})
		}
	}
	return reply
}

func (a asker) pointer(query *dns.Msg, q dns.Question) *dns.Msg {
	addr, ok := parseReverse(q.Name)
	if !ok {
		return nil
	}
	name, ok := a.name(addr)
	if !ok {
		return nil
	}
	reply := success(query)
	reply.Answer = []dns.RR{&dns.PTR{
		Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: ttl},
		Ptr: dns.Fqdn(name),
	}}
	return reply
}

func success(query *dns.Msg) *dns.Msg {
	reply := new(dns.Msg).SetReply(query)
	reply.RecursionAvailable = true
	return reply
}

func rcode(query *dns.Msg, code int) *dns.Msg {
	reply := new(dns.Msg).SetRcode(query, code)
	reply.RecursionAvailable = true
	return reply
}

// parseReverse reads the names of RFC 1035 3.5 ("2.0.17.172.in-addr.arpa.") and RFC 3596 2.5 (32 nibbles and "ip6.arpa.").
func parseReverse(name string) (netip.Addr, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(labels, ".")
		if len(parts) != 4 {
			return netip.Addr{}, false
		}
		a, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
		return a, err == nil && a.Is4()
	}
	labels, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(labels) != 63 {
		return netip.Addr{}, false
	}
	var b [16]byte
	for i := range 32 {
		digit := strings.IndexByte("0123456789abcdef", labels[62-2*i])
		if digit < 0 || i < 31 && labels[61-2*i] != '.' {
			return netip.Addr{}, false
		}
		b[i/2] |= byte(digit) << (4 * (1 - i%2))
	}
	return netip.AddrFrom16(b), true
}
