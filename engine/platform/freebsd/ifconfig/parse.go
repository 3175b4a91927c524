package ifconfig

import (
	"net/netip"
	"strings"
)

// Interface is one of the host's, as ifconfig -a -f inet:cidr,inet6:cidr prints it.
type Interface struct {
	Name    string
	Descr   string
	Ether   string
	Groups  []string
	Members []string // of a bridge
	Addrs   []netip.Prefix
	Up      bool
}

// Parse reads the output of "ifconfig -f inet:cidr,inet6:cidr -a". Lines that are not known are passed over.
func Parse(out string) []Interface {
	var all []Interface
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != '\t' && line[0] != ' ' {
			name, rest, ok := strings.Cut(line, ": ")
			if !ok {
				continue
			}
			all = append(all, Interface{Name: name, Up: flagged(rest, "UP")})
			continue
		}
		if len(all) > 0 {
			all[len(all)-1].read(strings.TrimSpace(line))
		}
	}
	return all
}

func flagged(rest, flag string) bool {
	_, list, _ := strings.Cut(rest, "<")
	list, _, _ = strings.Cut(list, ">")
	for _, f := range strings.Split(list, ",") {
		if f == flag {
			return true
		}
	}
	return false
}

// read takes one indented line.
func (i *Interface) read(line string) {
	if d, ok := strings.CutPrefix(line, "description: "); ok {
		i.Descr = d
		return
	}
	f := strings.Fields(line)
	if len(f) < 2 {
		return
	}
	switch f[0] {
	case "ether":
		i.Ether = f[1]
	case "groups:":
		i.Groups = f[1:]
	case "member:":
		i.Members = append(i.Members, f[1])
	case "inet", "inet6":
		// A link-local address carries its zone, "fe80::1%em0/64".
		addr, bits, _ := strings.Cut(f[1], "/")
		addr, _, _ = strings.Cut(addr, "%")
		if p, err := netip.ParsePrefix(addr + "/" + bits); err == nil {
			i.Addrs = append(i.Addrs, p)
		}
	}
}
