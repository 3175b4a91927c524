package nft

import (
	"net/netip"
	"strings"

	"github.com/xcengine/xc/engine"
)

// field is a part of a packet or of what the kernel knows of it, and so the type of a set's key or a map's value.
type field uint8

const (
	iifname field = iota
	oifname
	saddr4
	daddr4
	saddr6
	daddr6
	l4proto
	dport
	numFields
)

// fieldInfo says how nft(8) writes a field and its type, and how many bytes the kernel keeps of it. In a key of several
// fields each is padded to a multiple of four.
var fieldInfo = [numFields]struct {
	text, typ string
	size      int
}{
	iifname: {"iifname", "ifname", 16},
	oifname: {"oifname", "ifname", 16},
	saddr4:  {"ip saddr", "ipv4_addr", 4},
	daddr4:  {"ip daddr", "ipv4_addr", 4},
	saddr6:  {"ip6 saddr", "ipv6_addr", 16},
	daddr6:  {"ip6 daddr", "ipv6_addr", 16},
	l4proto: {"meta l4proto", "inet_proto", 1},
	dport:   {"th dport", "inet_service", 2},
}

// fields is the key of a set, or the value of a map.
type fields []field

func (f fields) text() string { return f.join(func(x field) string { return fieldInfo[x].text }) }

func (f fields) types() string { return f.join(func(x field) string { return fieldInfo[x].typ }) }

func (f fields) join(part func(field) string) string {
	parts := make([]string, len(f))
	for i, x := range f {
		parts[i] = part(x)
	}
	return strings.Join(parts, " . ")
}

// size is how many bytes a set keeps of the key.
func (f fields) size() int {
	if len(f) == 1 {
		return fieldInfo[f[0]].size
	}
	n := 0
	for _, x := range f {
		n += padded(fieldInfo[x].size)
	}
	return n
}

func padded(n int) int { return (n + 3) &^ 3 }

// family is 4 or 6 when a field belongs to one IP version, else 0.
func (f fields) family() int {
	for _, x := range f {
		switch x {
		case saddr4, daddr4:
			return 4
		case saddr6, daddr6:
			return 6
		}
	}
	return 0
}

// value is one component of an element: its bytes in network order and its text. A prefix also has an end.
type value struct {
	text       string
	bytes, end []byte
}

func nameValue(name string) value {
	b := make([]byte, fieldInfo[iifname].size)
	copy(b, name)
	return value{text: `"` + name + `"`, bytes: b}
}

func addrValue(a netip.Addr) value { return value{text: a.String(), bytes: a.AsSlice()} }

func prefixValue(p netip.Prefix) value {
	v := value{text: p.String(), bytes: p.Masked().Addr().AsSlice(), end: lastOf(p)}
	if p.IsSingleIP() {
		v.text = p.Addr().String()
	}
	return v
}

func portValue(n uint16) value {
	return value{text: itoa(n), bytes: []byte{byte(n >> 8), byte(n)}}
}

var protoNumbers = map[engine.Proto]byte{engine.TCP: 6, engine.UDP: 17, engine.SCTP: 132}

func protoValue(p engine.Proto) value { return value{text: string(p), bytes: []byte{protoNumbers[p]}} }

func lastOf(p netip.Prefix) []byte {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return b
}

func itoa(n uint16) string {
	var b [5]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}
