package networks_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/networks/ipam"
)

func TestChosenSubnets(t *testing.T) {
	s := newSite(t)
	s.plumber.AddRoutes(netip.MustParsePrefix("172.18.5.0/24"), netip.MustParsePrefix("10.0.0.0/8"))
	a := s.make(engine.NetworkRequest{Name: "a"})
	b := s.make(engine.NetworkRequest{Name: "b", EnableIPv6: yes()})
	if a.Pools4[0].Subnet.String() != "172.19.0.0/16" || !a.Pools4[0].Auto || b.Pools4[0].Subnet.String() != "172.20.0.0/16" {
		t.Errorf("chose %v, %v", a.Pools4, b.Pools4)
	}
	six := b.Pools6[0]
	if !netip.MustParsePrefix("fd78:a1b:2c3d::/48").Contains(six.Subnet.Addr()) || six.Subnet.Bits() != 64 || six.Gateway != six.Subnet.Addr().Next() {
		t.Errorf("IPv6: %+v", six)
	}
	only6 := s.make(engine.NetworkRequest{Name: "six", EnableIPv4: no(), EnableIPv6: yes()})
	if len(only6.Pools4) != 0 || only6.EnableIPv4 || len(only6.Pools6) != 1 {
		t.Errorf("IPv6 only: %+v", only6)
	}
	ranged := s.make(engine.NetworkRequest{Name: "ranged", Pools: []engine.Pool{pool("192.0.2.0/24", func(p *engine.Pool) {
		p.Range = netip.MustParsePrefix("192.0.2.64/26")
		p.Aux = map[string]netip.Addr{"a": netip.MustParseAddr("192.0.2.64")}
	})}})
	if p := ranged.Pools4[0]; p.Gateway.String() != "192.0.2.65" || !p.GatewayAuto || p.Auto {
		t.Errorf("ranged: %+v", p)
	}
	_, got := s.start("c", map[string]engine.EndpointSpec{"ranged": {}})
	if e := got.Endpoints["ranged"]; e.IPv4.String() != "192.0.2.66/24" || e.MAC != "02:42:c0:00:02:42" || e.Gateway4.String() != "192.0.2.65" {
		t.Errorf("endpoint %+v", e)
	}
}

// TestSubnetTakenWhileStopped: what another daemon chose while this one was stopped is its.
func TestSubnetTakenWhileStopped(t *testing.T) {
	s := newSite(t)
	s.make(engine.NetworkRequest{Name: "auto"})
	s.make(engine.NetworkRequest{Name: "fixed", Pools: []engine.Pool{pool("10.1.0.0/24")}})
	s.make(engine.NetworkRequest{Name: "stays"})
	show := func() string {
		var all []string
		for _, name := range []string{"bridge", "auto", "fixed", "stays"} {
			d, err := s.Inspect(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, d.Pools4[0].Subnet.String()+" "+d.Pools4[0].Gateway.String())
		}
		return strings.Join(all, ", ")
	}
	before := show()
	s.restart()
	if got := show(); got != before {
		t.Errorf("changed without need from %s to %s", before, got)
	}
	if err := s.plumber.Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.plumber.AddRoutes(netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("172.18.4.0/24"), netip.MustParsePrefix("10.1.0.0/24"))
	s.restart()
	if got, want := show(), "172.20.0.0/16 172.20.0.1, 172.21.0.0/16 172.21.0.1, 10.1.0.0/24 10.1.0.1, 172.19.0.0/16 172.19.0.1"; got != want && got != strings.NewReplacer("172.20", "172.21", "172.21", "172.20").Replace(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	after := show()
	s.restart()
	if got := show(); got != after {
		t.Errorf("changed again from %s to %s", after, got)
	}
}

func TestPoolsExhausted(t *testing.T) {
	s := newSite(t, func(c *networks.Config) {
		c.Pools = []ipam.Block{{Base: netip.MustParsePrefix("10.1.0.0/24"), Bits: 25}}
	})
	s.make(engine.NetworkRequest{Name: "last"})
	_, _, err := s.Create(t.Context(), engine.NetworkRequest{Name: "more"})
	if engine.KindOf(err) != engine.Invalid || !engine.HasReason(err, engine.ReasonPoolsExhausted) {
		t.Errorf("got %v", err)
	}
	tiny := s.make(engine.NetworkRequest{Name: "tiny", Pools: []engine.Pool{pool("10.2.0.0/30")}})
	s.start("c", map[string]engine.EndpointSpec{tiny.Name: {}})
	a := engine.Attachment{Container: "d", Endpoints: map[string]engine.Endpoint{"tiny": {Network: tiny.ID}}, Sandbox: engine.Sandbox{NetNS: "/d"}}
	if _, err := s.Attach(t.Context(), a); engine.KindOf(err) != engine.Unavailable || !engine.HasReason(err, engine.ReasonNoAddress) {
		t.Errorf("full pool: %v", err)
	}
}

// TestRefusals holds the sentences that clients see to those of dockerd 28.5.2.
func TestRefusals(t *testing.T) {
	s := newSite(t)
	s.make(engine.NetworkRequest{Name: "taken", Pools: []engine.Pool{pool("10.9.0.0/24")}, Options: map[string]string{"com.docker.network.bridge.name": "br9"}})
	for _, c := range []struct {
		name   string
		req    engine.NetworkRequest
		kind   engine.Kind
		reason engine.Reason
		text   string
	}{
		{"no name", engine.NetworkRequest{Name: " "}, engine.Invalid, "", "invalid name: name is empty"},
		{"predefined", engine.NetworkRequest{Name: "bridge"}, engine.Forbidden, engine.ReasonPredefined, ""},
		{"default", engine.NetworkRequest{Name: "default"}, engine.Forbidden, engine.ReasonPredefined, ""},
		{"taken", engine.NetworkRequest{Name: "taken"}, engine.Conflict, engine.ReasonNameTaken, ""},
		{"host driver", engine.NetworkRequest{Name: "x", Driver: "host"}, engine.Forbidden, engine.ReasonPredefined, "host"},
		{"unknown driver", engine.NetworkRequest{Name: "x", Driver: "macvlan"}, engine.NotFound, engine.ReasonDriverUnknown, "macvlan"},
		{"unknown ipam", engine.NetworkRequest{Name: "x", IPAMDriver: "other"}, engine.NotFound, engine.ReasonDriverUnknown, "other"},
		{"overlap", engine.NetworkRequest{Name: "x", Pools: []engine.Pool{pool("10.9.0.128/25")}}, engine.Forbidden, engine.ReasonOverlap, "10.9.0.128/25, 10.9.0.0/24"},
		{"two subnets", engine.NetworkRequest{Name: "x", Pools: []engine.Pool{pool("10.1.0.0/24"), pool("10.2.0.0/24")}}, engine.Forbidden, "", "bridge driver doesn't support multiple subnets"},
		{"host bits", engine.NetworkRequest{Name: "x", Pools: []engine.Pool{pool("10.1.0.7/24")}}, engine.Invalid, "", "invalid network config:\ninvalid subnet 10.1.0.7/24: it should be 10.1.0.0/24"},
		{
			"everything wrong",
			engine.NetworkRequest{Name: "x", Pools: []engine.Pool{pool("10.1.0.0/24", func(p *engine.Pool) {
				p.Range, p.Gateway = netip.MustParsePrefix("10.2.0.0/16"), netip.MustParseAddr("fd00::1")
				p.Aux = map[string]netip.Addr{"a": netip.MustParseAddr("10.3.0.1")}
			})}},
			engine.Invalid, "", "invalid network config:\n" +
				"* invalid ip-range 10.2.0.0/16: CIDR block is bigger than its parent subnet 10.1.0.0/24\n" +
				"* invalid ip-range 10.2.0.0/16: parent subnet 10.1.0.0/24 doesn't contain ip-range\n" +
				"* invalid gateway fd00::1: parent subnet is an IPv4 block\n" +
				"* invalid auxiliary address a: parent subnet 10.1.0.0/24 doesn't contain this address",
		},
		{"gateway outside", engine.NetworkRequest{Name: "x", Pools: []engine.Pool{pool("10.1.0.0/24", func(p *engine.Pool) { p.Gateway = netip.MustParseAddr("10.2.0.1") })}}, engine.Invalid, "", "invalid network config:\ninvalid gateway 10.2.0.1: parent subnet 10.1.0.0/24 doesn't contain this address"},
		{"gateway is the network", engine.NetworkRequest{Name: "x", Pools: []engine.Pool{pool("10.1.0.0/24", func(p *engine.Pool) { p.Gateway = netip.MustParseAddr("10.1.0.0") })}}, engine.Internal, "", "failed to allocate gateway (10.1.0.0): Address already in use"},
		{"gateway twice", engine.NetworkRequest{Name: "x", Pools: []engine.Pool{pool("10.1.0.0/24", func(p *engine.Pool) {
			p.Gateway, p.Aux = netip.MustParseAddr("10.1.0.1"), map[string]netip.Addr{"a": netip.MustParseAddr("10.1.0.1")}
		})}}, engine.Internal, "", "failed to allocate secondary ip address (a:10.1.0.1): Address already in use"},
		{"neither version", engine.NetworkRequest{Name: "x", EnableIPv4: no()}, engine.Invalid, "", "IPv4 or IPv6 must be enabled"},
		{"bad bool", engine.NetworkRequest{Name: "x", Options: map[string]string{"com.docker.network.bridge.enable_icc": "perhaps"}}, engine.Invalid, "", "failed to parse com.docker.network.bridge.enable_icc value: perhaps ("},
		{"bad version option", engine.NetworkRequest{Name: "x", Options: map[string]string{"com.docker.network.enable_ipv6": "perhaps"}}, engine.Invalid, "", `driver-opt "com.docker.network.enable_ipv6" is not a valid bool`},
		{"bad mtu", engine.NetworkRequest{Name: "x", Options: map[string]string{"com.docker.network.driver.mtu": "-1"}}, engine.Invalid, "", "invalid MTU number: -1"},
		{"bad mode", engine.NetworkRequest{Name: "x", Options: map[string]string{"com.docker.network.bridge.gateway_mode_ipv4": "maybe"}}, engine.Invalid, "", "unknown gateway mode maybe"},
		{"isolated", engine.NetworkRequest{Name: "x", Options: map[string]string{"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}}, engine.Invalid, "", "gateway mode 'isolated' can only be used for an internal network"},
		{"bridge name", engine.NetworkRequest{Name: "x", Options: map[string]string{"com.docker.network.bridge.name": "a/b"}}, engine.Invalid, "", "is no name of an interface"},
		{"same bridge", engine.NetworkRequest{Name: "x", Options: map[string]string{"com.docker.network.bridge.name": "br9"}}, engine.Forbidden, "", "networks have same bridge name"},
		{"no configuration", engine.NetworkRequest{Name: "x", ConfigFrom: "nosuch"}, engine.NotFound, "", `configuration network "nosuch" does not exist`},
		{"ingress", engine.NetworkRequest{Name: "x", Ingress: true}, engine.Forbidden, "", "Ingress network can only be global scope network"},
		{"ipv6 link local", engine.NetworkRequest{Name: "x", EnableIPv6: yes(), Pools: []engine.Pool{pool("fe80::/80")}}, engine.Invalid, "", "'fe80::1/80' clashes with the Link-Local prefix 'fe80::/64'"},
		{"xc without interface", engine.NetworkRequest{Name: "x", Driver: "xc", Pools: []engine.Pool{pool("10.1.0.0/24")}}, engine.Invalid, "", "needs an interface"},
		{"xc without subnet", engine.NetworkRequest{Name: "x", Driver: "xc", Options: map[string]string{"alias": "em0"}}, engine.Invalid, "", "needs a subnet"},
		{"xc without the interface", engine.NetworkRequest{Name: "x", Driver: "xc", Options: map[string]string{"alias": "em0"}, Pools: []engine.Pool{pool("10.1.0.0/24")}}, engine.NotFound, "", "interface em0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := s.Create(t.Context(), c.req)
			if engine.KindOf(err) != c.kind || c.reason != "" && !engine.HasReason(err, c.reason) || err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v\nwant %v %q %q", err, c.kind, c.reason, c.text)
			}
		})
	}
	all, _ := s.List(t.Context(), engine.NetworkQuery{})
	inv, _ := s.plumber.Inventory(t.Context())
	if len(all) != 4 || len(inv.Segments) != 2 {
		t.Errorf("%d networks and %d segments after all refusals", len(all), len(inv.Segments))
	}
}

func TestConfigurationOnly(t *testing.T) {
	s := newSite(t)
	conf := s.make(engine.NetworkRequest{Name: "conf", ConfigOnly: true, Pools: []engine.Pool{pool("10.7.0.0/24")}, Labels: map[string]string{"a": "b"}})
	if conf.Driver != "null" || !conf.ConfigOnly || conf.Bridge != "" {
		t.Errorf("configuration: %+v", conf)
	}
	if _, err := s.Check(t.Context(), "conf", nil); engine.KindOf(err) != engine.Forbidden {
		t.Errorf("a place in a configuration: %v", err)
	}
	use := s.make(engine.NetworkRequest{Name: "use", ConfigFrom: "conf"})
	if use.Pools4[0].Subnet.String() != "10.7.0.0/24" || use.Labels["a"] != "b" || use.Pools4[0].Gateway.String() != "10.7.0.1" || use.ConfigFrom != "conf" {
		t.Errorf("use: %+v", use)
	}
	_, _, err := s.Create(t.Context(), engine.NetworkRequest{Name: "x", ConfigFrom: "conf", Options: map[string]string{"a": "b"}})
	if engine.KindOf(err) != engine.Forbidden {
		t.Errorf("configured twice: %v", err)
	}
	if err := s.Remove(t.Context(), "conf"); engine.KindOf(err) != engine.Forbidden || !strings.Contains(err.Error(), `configuration network "conf" is in use`) {
		t.Errorf("remove: %v", err)
	}
	if pruned, err := s.Prune(t.Context(), engine.PruneQuery{}); err != nil || !slices.Equal(pruned.Deleted, []string{"use"}) {
		t.Errorf("pruned %q, %v", pruned.Deleted, err)
	}
	if pruned, err := s.Prune(t.Context(), engine.PruneQuery{}); err != nil || len(pruned.Deleted) > 0 {
		t.Errorf("pruned again %q, %v", pruned.Deleted, err)
	}
	if err := s.Remove(t.Context(), "conf"); err != nil {
		t.Error(err)
	}
}
