package networks_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/platform/fake"
)

// shared is a host that several daemons use: each finds only its own.
type shared struct {
	*fake.Plumber
	owner engine.Owner
}

func (p shared) Inventory(ctx context.Context) (engine.PlugInventory, error) {
	inv, err := p.Plumber.Inventory(ctx)
	inv.Segments = slices.DeleteFunc(inv.Segments, func(s engine.Segment) bool {
		return !strings.HasPrefix(s.Bridge, engine.BridgeName(p.owner, ""))
	})
	return inv, err
}

// blind is a host of which a list came short, as one of a host that changes meanwhile can.
type blind struct{ networks.Plumber }

func (blind) Inventory(context.Context) (engine.PlugInventory, error) {
	return engine.PlugInventory{}, nil
}

// neighbour is a daemon that has read its records and not yet looked at the host.
func neighbour(t *testing.T, plumber *fake.Plumber, number int) (*networks.Service, networks.Config) {
	t.Helper()
	owner := engine.Owner(fmt.Sprintf("%04x0000", number))
	cfg := networks.Config{
		Owner:   owner,
		Store:   &memory{networks: map[engine.NetworkID]engine.Network{}, cursors: map[engine.NetworkID]engine.PoolCursor{}},
		Plumber: shared{plumber, owner}, Firewall: new(fake.Firewall), Events: discard{}, Log: slog.New(slog.DiscardHandler),
		ResolvConf: "/nonexistent", ResolvConfUpstream: "/nonexistent",
	}
	s, err := networks.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s, cfg
}

// apart checks that no two of the services have subnets that overlap.
func apart(t *testing.T, all []*networks.Service) {
	t.Helper()
	taken := make(map[netip.Prefix]string)
	for i, s := range all {
		list, err := s.List(t.Context(), engine.NetworkQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			for _, p := range append(n.Pools4, n.Pools6...) {
				for other, whose := range taken {
					if other.Overlaps(p.Subnet) {
						t.Errorf("%s of daemon %d has %s, %s has %s", n.Name, i, p.Subnet, whose, other)
					}
				}
				taken[p.Subnet] = fmt.Sprintf("%s of daemon %d", n.Name, i)
			}
		}
	}
}

func TestDaemonsOfAHostChooseDifferentSubnets(t *testing.T) {
	plumber := new(fake.Plumber)
	var all []*networks.Service
	for i := range 5 {
		s, _ := neighbour(t, plumber, i)
		all = append(all, s) // each sees a host on which nobody has a bridge
	}
	each := func(f func(i int, s *networks.Service) error) {
		t.Helper()
		var running sync.WaitGroup
		for i, s := range all {
			running.Go(func() {
				if err := f(i, s); err != nil {
					t.Errorf("daemon %d: %v", i, err)
				}
			})
		}
		running.Wait()
	}
	each(func(_ int, s *networks.Service) error { return s.Recover(t.Context(), nil, nil) })
	apart(t, all)
	for round := range 4 {
		each(func(_ int, s *networks.Service) error {
			_, _, err := s.Create(t.Context(), engine.NetworkRequest{Name: fmt.Sprint("net", round), EnableIPv6: yes()})
			return err
		})
	}
	apart(t, all)
}

// A daemon that was killed when its bridge had no address yet has shown nobody its choice.
func TestBridgeWithoutAddressHoldsNoSubnet(t *testing.T) {
	plumber := new(fake.Plumber)
	first, _ := neighbour(t, plumber, 1)
	n, err := first.Inspect(t.Context(), "bridge")
	if err != nil {
		t.Fatal(err)
	}
	if err := plumber.EnsureNetwork(t.Context(), engine.Segment{Network: n.ID, Name: n.Name, Managed: true, Bridge: n.Bridge}); err != nil {
		t.Fatal(err)
	}
	second, _ := neighbour(t, plumber, 2)
	for _, s := range []*networks.Service{second, first} {
		if err := s.Recover(t.Context(), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	apart(t, []*networks.Service{first, second})
}

// A network keeps its subnet over restarts, whose address its own bridge carries.
func TestSubnetOfAMadeBridgeStays(t *testing.T) {
	plumber := new(fake.Plumber)
	s, cfg := neighbour(t, plumber, 1)
	subnet := func(s *networks.Service) netip.Prefix {
		t.Helper()
		if err := s.Recover(t.Context(), nil, nil); err != nil {
			t.Fatal(err)
		}
		n, err := s.Inspect(t.Context(), "bridge")
		if err != nil {
			t.Fatal(err)
		}
		return n.Pools4[0].Subnet
	}
	before := subnet(s)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Plumber = blind{cfg.Plumber}
	again, err := networks.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close(context.Background())
	if now := subnet(again); now != before {
		t.Errorf("%s, and %s after a restart", before, now)
	}
}

func TestHostThatIsKeptByAnother(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Create(ctx, engine.NetworkRequest{Name: "late"}); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("a network whose turn does not come: %v", err)
	}
	if list, _ := s.List(t.Context(), engine.NetworkQuery{}); len(list) != 3 {
		t.Errorf("%d networks", len(list))
	}
	if err := s.Recover(ctx, nil, nil); err != nil {
		t.Errorf("a start whose turn does not come: %v", err)
	}
}
