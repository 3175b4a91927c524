package ipam

import (
	"net/netip"
	"testing"
)

func TestChoose(t *testing.T) {
	one := func(base string, bits int) []Block { return []Block{{prefix(base), bits}} }
	for _, c := range []struct {
		name   string
		blocks []Block
		used   []string
		want   string
	}{
		{"the first", DefaultBlocks(), nil, "172.17.0.0/16"},
		{"behind what is used", DefaultBlocks(), []string{"172.17.0.0/16", "172.18.0.0/16"}, "172.19.0.0/16"},
		{"a small route is enough to skip", DefaultBlocks(), []string{"172.17.200.0/24"}, "172.18.0.0/16"},
		{"a large one covers several", DefaultBlocks(), []string{"172.16.0.0/12"}, "192.168.0.0/20"},
		{"in steps of the size", DefaultBlocks(), []string{"172.16.0.0/12", "192.168.1.0/24", "192.168.16.1/32"}, "192.168.32.0/20"},
		{"none left", one("10.0.0.0/24", 25), []string{"10.0.0.0/25", "10.0.0.128/32"}, ""},
		{"a hole between", one("10.0.0.0/16", 24), []string{"10.0.2.0/24", "10.0.0.0/24"}, "10.0.1.0/24"},
		{"the whole block", one("10.0.0.0/16", 16), nil, "10.0.0.0/16"},
		{"of IPv6", []Block{UniqueLocal([5]byte{1, 2, 3, 4, 5})}, []string{"fd01:203:405::/64"}, "fd01:203:405:1::/64"},
		{"other families are not in the way", one("10.0.0.0/16", 24), []string{"fd00::/8"}, "10.0.0.0/24"},
		{"the end of the address space", one("255.255.255.0/24", 25), []string{"255.255.255.0/24"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var used []netip.Prefix
			for _, u := range c.used {
				used = append(used, prefix(u))
			}
			got, ok := Choose(c.blocks, used)
			if got != prefix(c.want) || ok != (c.want != "") {
				t.Errorf("got %v, %v; want %q", got, ok, c.want)
			}
		})
	}
}

func TestParseBlock(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"base=10.0.0.0/8,size=24", "base=10.0.0.0/8,size=24"},
		{"size=24, base=10.0.0.0/8", "base=10.0.0.0/8,size=24"},
		{"base=10.0.0.1/8,size=24", ""},
		{"base=10.0.0.0/24,size=16", ""},
		{"base=10.0.0.0/24,size=33", ""},
		{"size=24", ""},
		{"base=ten,size=24", ""},
		{"base=10.0.0.0/8,size=24,more=1", ""},
		{"", ""},
	} {
		b, err := ParseBlock(c.in)
		if (err == nil) != (c.want != "") || err == nil && b.String() != c.want {
			t.Errorf("ParseBlock(%q) = %v, %v; want %q", c.in, b, err, c.want)
		}
	}
}
