package networks

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/xcengine/xc/engine"
)

// The networks that always are.
const (
	nameBridge  = "bridge"
	nameHost    = "host"
	nameNone    = "none"
	nameDefault = "default" // no network, but a word for "bridge" that none may have for its name
)

func predefinedName(name string) bool {
	return name == nameBridge || name == nameHost || name == nameNone || name == nameDefault
}

// ensurePredefined makes the records of "bridge", "host" and "none" that are missing, and brings the default network to
// what the configuration wants of it.
func (s *Service) ensurePredefined(ctx context.Context) error {
	for _, p := range []struct{ name, driver string }{{nameNone, driverNull}, {nameHost, driverHost}, {nameBridge, driverBridge}} {
		old := s.byName(p.name)
		r := engine.Network{
			ID: engine.NetworkID(engine.NewID()), Name: p.name, Created: time.Now().UTC(), Driver: p.driver, Scope: "local",
			IPAMDriver: "default", EnableIPv4: true, Predefined: true,
		}
		if old != nil {
			r = old.Network
		}
		changed := old == nil
		if p.driver == driverBridge {
			again, err := s.defaultBridge(ctx, &r)
			if err != nil {
				return err
			}
			changed = changed || again
		}
		if !changed {
			continue
		}
		n, err := newNetwork(r, nil)
		if err != nil {
			return err
		}
		if err := s.Store.PutNetwork(ctx, r); err != nil {
			return fmt.Errorf("write network %s: %w", r.Name, err)
		}
		s.nets[r.ID] = n
	}
	return nil
}

// defaultBridge fills in the default network's record and reports whether it changed.
func (s *Service) defaultBridge(ctx context.Context, r *engine.Network) (changed bool, err error) {
	want := s.DefaultAddr
	if len(r.Pools4) == 0 && !want.IsValid() {
		subnet, err := s.choose(ctx, false)
		if err != nil {
			return false, err
		}
		want = netip.PrefixFrom(subnet.Addr().Next(), subnet.Bits())
	}
	if want.IsValid() && (len(r.Pools4) == 0 || r.Pools4[0].Subnet != want.Masked() || r.Pools4[0].Gateway != want.Addr()) {
		r.Pools4 = []engine.Pool{{Subnet: want.Masked(), Gateway: want.Addr(), Auto: true}}
		changed = true
	}
	bridge := engine.BridgeName(s.Owner, r.ID)
	mtu := strconv.Itoa(s.DefaultMTU)
	if changed || r.Bridge != bridge || r.Options[optMTU] != mtu {
		r.Bridge = bridge
		r.Options = map[string]string{
			optDefault: "true", optICC: "true", optMasquerade: "true", optBinding4: "0.0.0.0", optBridgeName: bridge, optMTU: mtu,
		}
		changed = true
	}
	return changed, nil
}

// byName finds a network by its exact name. The caller holds no lock.
func (s *Service) byName(name string) *network {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.named(name)
}

// named is byName under the lock.
func (s *Service) named(name string) *network {
	for _, n := range s.nets {
		if n.Name == name {
			return n
		}
	}
	return nil
}
