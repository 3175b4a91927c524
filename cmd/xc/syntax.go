package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine/nativeapi/wire"
)

// syntaxError shows where a value does not parse.
type syntaxError struct {
	text string
	at   int // byte
	why  string
}

// Error gives the reason, and below it the value with a mark.
func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s\n  %s\n  %s^", e.why, e.text, strings.Repeat(" ", len([]rune(e.text[:e.at]))))
}

// scanner goes through a value from the left.
type scanner struct {
	text string
	pos  int
}

func (s *scanner) failf(at int, format string, args ...any) error {
	return &syntaxError{s.text, at, fmt.Sprintf(format, args...)}
}

func (s *scanner) rest() string { return s.text[s.pos:] }

// take passes a prefix, if it is there.
func (s *scanner) take(prefix string) bool {
	if !strings.HasPrefix(s.rest(), prefix) {
		return false
	}
	s.pos += len(prefix)
	return true
}

// until passes what stands before the first of some characters, or all.
func (s *scanner) until(stops string) string {
	word := s.rest()
	if i := strings.IndexAny(word, stops); i >= 0 {
		word = word[:i]
	}
	s.pos += len(word)
	return word
}

// parsePublish reads -p: [IF[,IF…]|][ADDR[,ADDR…]:][PORT[-PORT]:]PORT[-PORT][/PROTO[,PROTO]]. An address of IPv6 stands in brackets.
// Without PROTO a port of the host that is named is published for tcp and udp, any free one for tcp. A range of the host's leads
// to one port, or to as many. Protocols that are not named are left out when pattern is set.
func parsePublish(text string, pattern bool) ([]wire.Publish, error) {
	s := &scanner{text: text}
	interfaces, err := s.interfaces()
	if err != nil {
		return nil, err
	}
	addrs, err := s.addresses()
	if err != nil {
		return nil, err
	}
	if len(interfaces) > 0 && len(addrs) > 0 {
		return nil, s.failf(0, "interfaces and addresses exclude each other")
	}
	host, port, err := s.ports(len(addrs) > 0)
	if err != nil {
		return nil, err
	}
	protos, err := s.protocols()
	if err != nil {
		return nil, err
	}
	switch {
	case len(protos) > 0:
	case pattern:
		protos = []string{""}
	case host.first == 0:
		protos = []string{"tcp"}
	default:
		protos = []string{"tcp", "udp"}
	}
	return publishes(interfaces, addrs, host, port, protos), nil
}

func publishes(interfaces, addrs []string, host, port portRange, protos []string) (all []wire.Publish) {
	places := []wire.Publish{{}}
	if len(interfaces)+len(addrs) > 0 {
		places = nil
	}
	for _, name := range interfaces {
		places = append(places, wire.Publish{Interface: name})
	}
	for _, a := range addrs {
		places = append(places, wire.Publish{HostIP: a})
	}
	for _, p := range places {
		for _, p.Proto = range protos {
			for i := range max(host.count(), port.count()) {
				p.Port, p.HostPort = port.nth(i), host.nth(i)
				all = append(all, p)
			}
		}
	}
	return all
}

// interfaces reads names before a bar.
func (s *scanner) interfaces() (names []string, err error) {
	if !strings.Contains(s.text, "|") {
		return nil, nil
	}
	for {
		at := s.pos
		name := s.until(",|")
		if !isInterface(name) {
			return nil, s.failf(at, "%q is not the name of an interface", name)
		}
		names = append(names, name)
		if s.take("|") {
			return names, nil
		}
		s.take(",")
	}
}

// isInterface reports whether a word may be the name of a network interface (IFNAMSIZ of both kernels is 16, with a NUL).
func isInterface(name string) bool {
	return name != "" && len(name) < 16 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@") == ""
}

// addresses reads addresses before a colon; there may be none.
func (s *scanner) addresses() (all []string, err error) {
	for {
		at := s.pos
		var word string
		if s.take("[") {
			word = s.until("]")
			if !s.take("]") {
				return nil, s.failf(at, "this bracket is not closed")
			}
			if a, err := netip.ParseAddr(word); err != nil || !a.Is6() {
				return nil, s.failf(at, "%q is not an address of IPv6", word)
			}
		} else {
			word = s.until(",:/")
			a, err := netip.ParseAddr(word)
			switch {
			case err != nil && len(all) == 0 && !strings.Contains(word, "."):
				s.pos = at // a port
				return nil, nil
			case err != nil || !a.Is4():
				return nil, s.failf(at, "%q is not an address", word)
			}
		}
		all = append(all, word)
		switch {
		case s.take(","):
		case s.take(":"):
			return all, nil
		default:
			return nil, s.failf(s.pos, "there must be a colon and a port after the address")
		}
	}
}

// portRange is one port or several in a row.
type portRange struct{ first, last uint16 }

func (r portRange) count() int { return int(r.last-r.first) + 1 }

// nth gives the nth port; of a single one always that.
func (r portRange) nth(n int) uint16 {
	if r.count() == 1 {
		return r.first
	}
	return r.first + uint16(n)
}

// ports reads [HOST]:CONTAINER, or CONTAINER alone.
func (s *scanner) ports(afterAddress bool) (host, port portRange, err error) {
	at := s.pos
	if afterAddress && s.take(":") { // ADDR::PORT
		port, err = s.portRange()
		return host, port, err
	}
	first, err := s.portRange()
	if err != nil {
		return host, port, err
	}
	if !s.take(":") {
		if afterAddress {
			return host, port, s.failf(s.pos, "the port of the container is missing")
		}
		return host, first, nil
	}
	host = first
	if port, err = s.portRange(); err != nil {
		return host, port, err
	}
	if port.count() > 1 && port.count() != host.count() {
		return host, port, s.failf(at, "the ranges differ: %d ports of the host, %d of the container", host.count(), port.count())
	}
	return host, port, nil
}

func (s *scanner) portRange() (r portRange, err error) {
	if r.first, err = s.port(); err != nil {
		return r, err
	}
	r.last = r.first
	if !s.take("-") {
		return r, nil
	}
	at := s.pos
	if r.last, err = s.port(); err != nil {
		return r, err
	}
	if r.last < r.first {
		return r, s.failf(at, "the range ends before it begins")
	}
	return r, nil
}

func (s *scanner) port() (uint16, error) {
	at := s.pos
	word := s.until("-:/,")
	n, err := strconv.ParseUint(word, 10, 16)
	if err != nil || n == 0 || word[0] == '+' {
		return 0, s.failf(at, "%q is not a port: a number from 1 to 65535", word)
	}
	return uint16(n), nil
}

func (s *scanner) protocols() (all []string, err error) {
	if s.rest() == "" {
		return nil, nil
	}
	if !s.take("/") {
		return nil, s.failf(s.pos, "nothing may follow here but /tcp, /udp or /sctp")
	}
	for {
		at := s.pos
		word := s.until(",")
		switch word {
		case "tcp", "udp", "sctp":
		default:
			return nil, s.failf(at, "%q is not tcp, udp or sctp", word)
		}
		all = append(all, word)
		if !s.take(",") {
			return all, nil
		}
	}
}

// parseNetwork reads --network: NETWORK or NETWORK|ADDR[/BITS][,ADDR[/BITS]], one address of each IP version.
func parseNetwork(text string) (j wire.NetworkJoin, err error) {
	s := &scanner{text: text}
	j.Network = s.until("|")
	if j.Network == "" {
		return j, s.failf(0, "the name of the network is missing")
	}
	if s.rest() == "" {
		return j, nil
	}
	s.take("|")
	for {
		at := s.pos
		word := s.until(",")
		addr, err := address(word)
		switch {
		case err != nil:
			return j, s.failf(at, "%q is neither an address nor one with the length of its network's prefix", word)
		case addr.Addr().Is4() && j.IPv4 == "":
			j.IPv4 = word
		case addr.Addr().Is6() && j.IPv6 == "":
			j.IPv6 = strings.NewReplacer("[", "", "]", "").Replace(word)
		default:
			return j, s.failf(at, "a container has one address of each IP version in a network")
		}
		if !s.take(",") {
			return j, nil
		}
	}
}

// address reads ADDR[/BITS], an address of IPv6 with brackets or without.
func address(word string) (netip.Prefix, error) {
	if inner, ok := strings.CutPrefix(word, "["); ok {
		addr, bits, closed := strings.Cut(inner, "]")
		if !closed || bits != "" && bits[0] != '/' || !strings.Contains(addr, ":") {
			return netip.Prefix{}, strconv.ErrSyntax
		}
		word = addr + bits
	}
	if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(word)
}

// checkInterface reads --ip: IF or IF|ADDR[/BITS][,ADDR[/BITS]…].
func checkInterface(text string) error {
	s := &scanner{text: text}
	if name := s.until("|"); !isInterface(name) {
		return s.failf(0, "%q is not the name of an interface", name)
	}
	if s.rest() == "" {
		return nil
	}
	for s.take("|") || s.take(",") {
		at := s.pos
		if word := s.until(","); word == "" {
			return s.failf(at, "an address is missing")
		} else if _, err := address(word); err != nil {
			return s.failf(at, "%q is neither an address nor one with the length of its network's prefix", word)
		}
	}
	return nil
}

// parts cuts a value at its colons; "\:" is a colon of the value itself. offsets tells where each part begins.
func parts(text string) (all []string, offsets []int) {
	var part strings.Builder
	begin := 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == ':':
			i++
			part.WriteByte(':')
		case text[i] == ':':
			all, offsets = append(all, part.String()), append(offsets, begin)
			part.Reset()
			begin = i + 1
		default:
			part.WriteByte(text[i])
		}
	}
	return append(all, part.String()), append(offsets, begin)
}

// volume is a value of -v.
type volume struct {
	source, target string // the target may be the name that the image gives a mount
	readOnly       bool
}

// parseVolume reads -v: SOURCE:TARGET[:ro|rw], or TARGET alone for a new volume. A source that begins with . or / is a path of the
// host, else the name of a volume; a target that does not begin with / is the name of a mount that the image declares.
func parseVolume(text string) (v volume, err error) {
	s := &scanner{text: text}
	p, at := parts(text)
	switch len(p) {
	case 1:
		if v.target = p[0]; !strings.HasPrefix(v.target, "/") {
			return v, s.failf(len(text), "the target is missing: SOURCE:TARGET")
		}
		return v, nil
	case 2, 3:
		v.source, v.target = p[0], p[1]
	default:
		return v, s.failf(at[3]-1, "nothing may follow here")
	}
	switch {
	case v.source == "":
		return v, s.failf(0, "the source is missing")
	case v.target == "":
		return v, s.failf(at[1], "the target is missing")
	case len(p) == 3 && p[2] != "ro" && p[2] != "rw":
		return v, s.failf(at[2], "%q is neither ro nor rw", p[2])
	}
	v.readOnly = len(p) == 3 && p[2] == "ro"
	return v, nil
}

// isPath reports whether a word names a path of the host, and not a volume.
func isPath(word string) bool { return strings.HasPrefix(word, "/") || strings.HasPrefix(word, ".") }

// parseDataset checks -z: [ENV:]DATASET.
func parseDataset(text string) error {
	s := &scanner{text: text}
	name := text
	if env, rest, ok := strings.Cut(text, ":"); ok && !strings.Contains(env, "/") {
		if env == "" {
			return s.failf(0, "the name of the variable is missing")
		}
		s.pos, name = len(env)+1, rest
	}
	switch {
	case name == "":
		return s.failf(s.pos, "the dataset is missing")
	case strings.HasPrefix(name, "/"):
		return s.failf(s.pos, "a dataset's name does not begin with a slash")
	}
	return nil
}

// pair reads KEY=VALUE.
func pair(text string) (key, value string, err error) {
	key, value, ok := strings.Cut(text, "=")
	s := &scanner{text: text}
	switch {
	case key == "":
		return "", "", s.failf(0, "the name is missing: NAME=VALUE")
	case !ok:
		return "", "", s.failf(len(text), "the value is missing: NAME=VALUE")
	}
	return key, value, nil
}
