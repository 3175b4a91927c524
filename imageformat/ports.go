package imageformat

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// span is a range of ports of one protocol.
type span struct {
	proto     string
	low, high int
}

// singlePorts says "8000-8010/udp" as single ports in Docker's words, each once, sorted. What is no port gives nothing.
func singlePorts(specs []string) []string {
	var all []span
	for _, spec := range specs {
		if s, ok := parseSpan(spec); ok {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(cmp.Compare(a.proto, b.proto), cmp.Compare(a.low, b.low)) })
	var ports []string
	var last span
	for _, s := range all {
		// Ranges lie upon each other as often as an image likes: no port is written twice.
		low := s.low
		if s.proto == last.proto {
			low = max(low, last.high+1)
			s.high = max(s.high, last.high)
		}
		for p := low; p <= s.high; p++ {
			ports = append(ports, strconv.Itoa(p)+"/"+s.proto)
		}
		last = s
	}
	slices.Sort(ports)
	return ports
}

func parseSpan(spec string) (span, bool) {
	ports, proto, ok := strings.Cut(spec, "/")
	if !ok {
		proto = "tcp"
	}
	if !slices.Contains([]string{"tcp", "udp", "sctp"}, proto) {
		return span{}, false
	}
	low, high, ok := strings.Cut(ports, "-")
	if !ok {
		high = low
	}
	from, err1 := strconv.ParseUint(low, 10, 16)
	to, err2 := strconv.ParseUint(high, 10, 16)
	return span{proto, int(from), int(to)}, err1 == nil && err2 == nil && from > 0 && from <= to
}
