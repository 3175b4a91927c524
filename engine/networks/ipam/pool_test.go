package ipam

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func prefix(s string) netip.Prefix {
	if s == "" {
		return netip.Prefix{}
	}
	return netip.MustParsePrefix(s)
}

func TestPoolGivesEveryHostAddressOnce(t *testing.T) {
	for _, c := range []struct {
		subnet, span, last string
		want               []string
	}{
		{subnet: "10.0.0.0/29", want: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}},
		{subnet: "10.0.0.0/30", want: []string{"10.0.0.1", "10.0.0.2"}},
		{subnet: "10.0.0.0/31", want: []string{"10.0.0.0", "10.0.0.1"}},
		{subnet: "10.0.0.7/32", want: []string{"10.0.0.7"}},
		{subnet: "10.0.0.0/24", span: "10.0.0.0/30", want: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		{subnet: "10.0.0.0/24", span: "10.0.0.252/30", want: []string{"10.0.0.252", "10.0.0.253", "10.0.0.254"}},
		{subnet: "10.0.0.0/24", span: "10.0.0.8/31", want: []string{"10.0.0.8", "10.0.0.9"}},
		{subnet: "10.0.0.0/29", last: "10.0.0.4", want: []string{"10.0.0.5", "10.0.0.6", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}},
		{subnet: "10.0.0.0/30", last: "10.0.0.2", want: []string{"10.0.0.1", "10.0.0.2"}},
		{subnet: "10.0.0.0/30", last: "10.9.9.9", want: []string{"10.0.0.1", "10.0.0.2"}},
		{subnet: "fd00::/126", want: []string{"fd00::1", "fd00::2", "fd00::3"}},
		{subnet: "fd00::/127", want: []string{"fd00::1"}},
		{subnet: "255.255.255.248/29", want: []string{"255.255.255.249", "255.255.255.250", "255.255.255.251", "255.255.255.252", "255.255.255.253", "255.255.255.254"}},
		{subnet: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", want: []string{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
	} {
		t.Run(c.subnet+" "+c.span, func(t *testing.T) {
			p := New(prefix(c.subnet), prefix(c.span), addr(c.last))
			var got []string
			for range len(c.want) {
				a, err := p.Next()
				if err != nil {
					t.Fatalf("after %v: %v", got, err)
				}
				got = append(got, a.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if a, err := p.Next(); !errors.Is(err, ErrFull) {
				t.Errorf("one more gave %v, %v; want ErrFull", a, err)
			}
		})
	}
}

func TestPoolTake(t *testing.T) {
	p := New(prefix("10.0.0.0/24"), prefix("10.0.0.128/25"), netip.Addr{})
	for _, c := range []struct {
		addr string
		want error
	}{
		{"10.0.0.5", nil}, // outside the range but inside the subnet
		{"10.0.0.5", ErrTaken},
		{"10.0.0.200", nil},
		{"10.0.0.0", ErrTaken},
		{"10.0.0.255", ErrTaken},
		{"10.0.1.1", ErrOutside},
		{"fd00::1", ErrOutside},
	} {
		if err := p.Take(addr(c.addr)); !errors.Is(err, c.want) {
			t.Errorf("Take(%s) = %v, want %v", c.addr, err, c.want)
		}
	}
	p.Release(addr("10.0.0.5"))
	if err := p.Take(addr("10.0.0.5")); err != nil {
		t.Errorf("after release: %v", err)
	}
}

func TestReleasedAddressIsNotReusedAtOnce(t *testing.T) {
	p := New(prefix("10.0.0.0/24"), netip.Prefix{}, netip.Addr{})
	first, _ := p.Next()
	p.Release(first)
	second, _ := p.Next()
	if first == second {
		t.Errorf("%v was handed out again right after its release", first)
	}
	if again := New(prefix("10.0.0.0/24"), netip.Prefix{}, p.Cursor()); again.Cursor() != second {
		t.Errorf("the cursor did not survive: %v, want %v", again.Cursor(), second)
	}
}

func TestFirstDoesNotTake(t *testing.T) {
	p := New(prefix("10.0.0.0/24"), prefix("10.0.0.64/26"), netip.Addr{})
	for range 2 {
		if a, err := p.First(); err != nil || a != addr("10.0.0.64") {
			t.Errorf("First = %v, %v", a, err)
		}
	}
}

// TestPoolAgainstModel compares long random runs with the plainest possible model.
func TestPoolAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := New(prefix("10.1.0.0/27"), netip.Prefix{}, netip.Addr{})
	held := map[netip.Addr]bool{}
	for step := range 20000 {
		switch rng.IntN(3) {
		case 0:
			a, err := p.Next()
			switch {
			case err != nil && len(held) != 30:
				t.Fatalf("step %d: %v with %d of 30 held", step, err, len(held))
			case err == nil && held[a]:
				t.Fatalf("step %d: %v handed out twice", step, a)
			case err == nil:
				held[a] = true
			}
		case 1:
			for a := range held {
				p.Release(a)
				delete(held, a)
				break
			}
		case 2:
			a := netip.AddrFrom4([4]byte{10, 1, 0, byte(rng.IntN(40))})
			err := p.Take(a)
			if ok := !held[a] && a.As4()[3] > 0 && a.As4()[3] < 31; ok != (err == nil) {
				t.Fatalf("step %d: Take(%v) = %v with held=%v", step, a, err, held[a])
			}
			if err == nil {
				held[a] = true
			}
		}
	}
}

func BenchmarkNextInCrowdedPool(b *testing.B) {
	p := New(prefix("172.17.0.0/16"), netip.Prefix{}, netip.Addr{})
	for range 60000 {
		if _, err := p.Next(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		a, err := p.Next()
		if err != nil {
			b.Fatal(err)
		}
		p.Release(a)
	}
}

func TestPoolBound(t *testing.T) {
	p := New(netip.MustParsePrefix("10.0.0.0/24"), netip.Prefix{}, netip.MustParseAddr("10.0.0.99"))
	p.Bound(netip.MustParseAddr("10.0.0.10"), false)
	p.Bound(netip.MustParseAddr("10.0.0.11"), true)
	for _, want := range []string{"10.0.0.10", "10.0.0.11"} {
		if a, err := p.Next(); err != nil || a.String() != want {
			t.Errorf("%s, %v, want %s", a, err, want)
		}
	}
	if _, err := p.Next(); !errors.Is(err, ErrFull) {
		t.Errorf("behind the end: %v", err)
	}
	if err := p.Take(netip.MustParseAddr("10.0.0.200")); err != nil {
		t.Errorf("an address that was asked for: %v", err)
	}
}
