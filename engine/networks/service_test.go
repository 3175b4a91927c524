package networks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/networks/ipam"
	"github.com/xcengine/xc/engine/platform/fake"
)

// memory is a store that outlives a service.
type memory struct {
	mu       sync.Mutex
	networks map[engine.NetworkID]engine.Network
	cursors  map[engine.NetworkID]engine.PoolCursor
}

func (m *memory) PutNetwork(_ context.Context, n engine.Network) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.networks[n.ID] = n
	return nil
}

func (m *memory) DeleteNetwork(_ context.Context, id engine.NetworkID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.networks, id)
	return nil
}

func (m *memory) Networks(context.Context) ([]engine.Network, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.networks)), nil
}

func (m *memory) PutCursors(_ context.Context, all []engine.PoolCursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range all {
		m.cursors[c.Network] = c
	}
	return nil
}

func (m *memory) Cursors(context.Context) ([]engine.PoolCursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.cursors)), nil
}

type discard struct{}

func (discard) Publish(engine.Event) {}

// site is a host in memory and the service on it.
type site struct {
	*networks.Service
	t        *testing.T
	plumber  *fake.Plumber
	firewall *fake.Firewall
	cfg      networks.Config
}

func newSite(t *testing.T, change ...func(*networks.Config)) *site {
	t.Helper()
	s := &site{t: t, plumber: new(fake.Plumber), firewall: new(fake.Firewall)}
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 192.0.2.53\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.cfg = networks.Config{
		Owner: "0a1b2c3d", Store: &memory{networks: map[engine.NetworkID]engine.Network{}, cursors: map[engine.NetworkID]engine.PoolCursor{}},
		Plumber: s.plumber, Firewall: s.firewall, Events: discard{}, Log: slog.New(slog.DiscardHandler), ResolvConf: conf,
		FirstPort: 45000, LastPort: 45999,
	}
	for _, f := range change {
		f(&s.cfg)
	}
	s.restart()
	return s
}

func (s *site) restart() {
	s.t.Helper()
	if s.Service != nil {
		if err := s.Close(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
	service, err := networks.New(s.t.Context(), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := service.Recover(s.t.Context(), nil, nil); err != nil {
		s.t.Fatal(err)
	}
	s.Service = service
	s.t.Cleanup(func() { service.Close(context.Background()) })
}

func (s *site) make(req engine.NetworkRequest) engine.NetworkDetail {
	s.t.Helper()
	if _, _, err := s.Create(s.t.Context(), req); err != nil {
		s.t.Fatalf("create %s: %v", req.Name, err)
	}
	d, err := s.Inspect(s.t.Context(), req.Name)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// start attaches a container to networks.
func (s *site) start(name string, endpoints map[string]engine.EndpointSpec, change ...func(*engine.Attachment)) (engine.Attachment, engine.Attached) {
	s.t.Helper()
	a := engine.Attachment{Container: engine.ContainerID(engine.NewID()), Name: name, Sandbox: engine.Sandbox{NetNS: "/netns/" + name}, Mode: "bridge"}
	for _, f := range change {
		f(&a)
	}
	var err error
	if a.Endpoints, err = s.Check(s.t.Context(), a.Mode, endpoints); err != nil {
		s.t.Fatalf("check %s: %v", name, err)
	}
	got, err := s.Attach(s.t.Context(), a)
	if err != nil {
		s.t.Fatalf("attach %s: %v", name, err)
	}
	for _, p := range got.Proxies {
		if p.Listener != nil {
			p.Listener.Close()
		}
	}
	return a, got
}

func pool(subnet string, change ...func(*engine.Pool)) engine.Pool {
	p := engine.Pool{Subnet: netip.MustParsePrefix(subnet)}
	for _, f := range change {
		f(&p)
	}
	return p
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func TestFirstStart(t *testing.T) {
	s := newSite(t)
	all, err := s.List(t.Context(), engine.NetworkQuery{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range all {
		got[d.Name] = fmt.Sprint(d.Driver, d.Scope, d.Predefined, d.EnableIPv4, d.EnableIPv6, len(d.Pools4))
	}
	want := map[string]string{"bridge": "bridge local true true false 1", "host": "host local true true false 0", "none": "null local true true false 0"}
	for name, w := range want {
		if strings.ReplaceAll(got[name], " ", "") != strings.ReplaceAll(w, " ", "") {
			t.Errorf("%s: %q, want %q", name, got[name], w)
		}
	}
	d, _ := s.Inspect(t.Context(), "bridge")
	if p := d.Pools4[0]; p.Subnet.String() != "172.17.0.0/16" || p.Gateway.String() != "172.17.0.1" || d.Options["com.docker.network.driver.mtu"] != "1500" || d.Bridge != "xc0a1b-"+string(d.ID[:6]) {
		t.Errorf("bridge: %+v", d)
	}
	s.restart()
	if again, _ := s.Inspect(t.Context(), "bridge"); again.ID != d.ID || again.Pools4[0].Subnet != d.Pools4[0].Subnet {
		t.Errorf("after a restart: %+v", again)
	}
	s.cfg.DefaultAddr, s.cfg.DefaultMTU = netip.MustParsePrefix("10.5.0.9/24"), 1400
	s.restart()
	again, _ := s.Inspect(t.Context(), "bridge")
	if p := again.Pools4[0]; again.ID != d.ID || p.Subnet.String() != "10.5.0.0/24" || p.Gateway.String() != "10.5.0.9" || again.Options["com.docker.network.driver.mtu"] != "1400" {
		t.Errorf("configured: %+v", again)
	}
}

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
	for _, name := range []string{"use", "conf"} {
		if err := s.Remove(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
}

func TestFind(t *testing.T) {
	s := newSite(t)
	a := s.make(engine.NetworkRequest{Name: "a"})
	tricky := s.make(engine.NetworkRequest{Name: string(a.ID[:6])}) // a name that is also a prefix of an id
	for ref, want := range map[string]engine.NetworkID{"a": a.ID, string(a.ID): a.ID, string(a.ID[:9]): a.ID, string(a.ID[:6]): tricky.ID} {
		if d, err := s.Inspect(t.Context(), ref); err != nil || d.ID != want {
			t.Errorf("%s: %v, %v", ref, d.ID, err)
		}
	}
	for _, ref := range []string{"", "nosuch", "A"} {
		if _, err := s.Inspect(t.Context(), ref); engine.KindOf(err) != engine.NotFound {
			t.Errorf("%q: %v", ref, err)
		}
	}
	seen := map[byte]bool{}
	for i := 0; ; i++ {
		d := s.make(engine.NetworkRequest{Name: fmt.Sprint("n", i), Pools: []engine.Pool{pool(fmt.Sprintf("10.0.%d.0/24", i))}})
		if seen[d.ID[0]] {
			_, err := s.Inspect(t.Context(), string(d.ID[:1]))
			if engine.KindOf(err) != engine.Invalid || !engine.HasReason(err, engine.ReasonAmbiguous) {
				t.Errorf("ambiguous: %v", err)
			}
			return
		}
		seen[d.ID[0]] = true
	}
}

func TestListFilters(t *testing.T) {
	s := newSite(t)
	front := s.make(engine.NetworkRequest{Name: "front", Labels: map[string]string{"tier": "1", "x": ""}})
	s.make(engine.NetworkRequest{Name: "frontier", Labels: map[string]string{"tier": "2"}})
	s.start("c", map[string]engine.EndpointSpec{"front": {}})
	label := func(key, value string, has bool) engine.LabelMatch {
		return engine.LabelMatch{Key: key, Value: value, HasValue: has}
	}
	for _, c := range []struct {
		name string
		q    engine.NetworkQuery
		want string
	}{
		{"all", engine.NetworkQuery{}, "bridge front frontier host none"},
		{"part of the name", engine.NetworkQuery{Names: []string{"front"}}, "front frontier"},
		{"either name", engine.NetworkQuery{Names: []string{"host", "none"}}, "host none"},
		{"id", engine.NetworkQuery{IDs: []string{string(front.ID[:12])}}, "front"},
		{"driver", engine.NetworkQuery{Drivers: []string{"bridge"}}, "bridge front frontier"},
		{"scope", engine.NetworkQuery{Scopes: []string{"swarm"}}, ""},
		{"custom", engine.NetworkQuery{Types: []string{"custom"}}, "front frontier"},
		{"builtin", engine.NetworkQuery{Types: []string{"builtin"}}, "bridge host none"},
		{"label", engine.NetworkQuery{Labels: []engine.LabelMatch{label("tier", "", false)}}, "front frontier"},
		{"labels", engine.NetworkQuery{Labels: []engine.LabelMatch{label("tier", "1", true), label("x", "", false)}}, "front"},
		{"dangling", engine.NetworkQuery{Dangling: yes()}, "frontier"},
		{"not dangling", engine.NetworkQuery{Dangling: no()}, "bridge front host none"},
		{"name and label", engine.NetworkQuery{Names: []string{"front"}, Labels: []engine.LabelMatch{label("tier", "2", true)}}, "frontier"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, err := s.List(t.Context(), c.q)
			var names []string
			for _, d := range all {
				names = append(names, d.Name)
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	if _, err := s.List(t.Context(), engine.NetworkQuery{Types: []string{"odd"}}); engine.KindOf(err) != engine.Invalid {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestCursorSurvives(t *testing.T) {
	s := newSite(t)
	a, first := s.start("a", nil)
	if err := s.Detach(t.Context(), a.Container); err != nil {
		t.Fatal(err)
	}
	s.restart()
	_, second := s.start("b", nil)
	if first.Endpoints["bridge"].IPv4 == second.Endpoints["bridge"].IPv4 {
		t.Errorf("%v again right after a restart", first.Endpoints["bridge"].IPv4)
	}
}

// TestOneChangeServesMany: those who wait while the packet filter is changed are served by one further change.
func TestOneChangeServesMany(t *testing.T) {
	s := newSite(t)
	_, before := s.firewall.Rules()
	s.firewall.FailOn(func(string) error { time.Sleep(20 * time.Millisecond); return nil })
	const n = 30
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			a := engine.Attachment{
				Container: engine.ContainerID(fmt.Sprint("c", i)), Sandbox: engine.Sandbox{NetNS: "/x"}, Endpoints: map[string]engine.Endpoint{"bridge": {}},
				Bindings: []engine.PortBinding{{Port: engine.Port{Number: 80, Proto: engine.TCP}, HostIP: netip.MustParseAddr("127.0.0.1")}},
			}
			got, err := s.Attach(t.Context(), a)
			if err != nil {
				t.Error(err)
			}
			for _, p := range got.Proxies {
				p.Listener.Close()
			}
		})
	}
	wait.Wait()
	rules, after := s.firewall.Rules()
	if len(rules.Ports) != n || after-before > n/2 {
		t.Errorf("%d ports of %d after %d changes", len(rules.Ports), n, after-before)
	}
}

func TestDriverFailures(t *testing.T) {
	s := newSite(t)
	broken := errors.New("broken")
	s.plumber.FailOn(func(call string) error {
		if call == "Detach" {
			return broken
		}
		return nil
	})
	a, got := s.start("a", nil)
	for range 2 {
		if err := s.Detach(t.Context(), a.Container); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if d, _ := s.Inspect(t.Context(), "bridge"); len(d.Attached) != 1 {
		t.Errorf("what could not be taken away is held: %+v", d.Attached)
	}
	s.plumber.FailOn(nil)
	if err := s.Detach(t.Context(), a.Container); err != nil {
		t.Error(err)
	}
	if d, _ := s.Inspect(t.Context(), "bridge"); len(d.Attached) != 0 || len(s.plumber.Plugs(a.Container)) != 0 {
		t.Errorf("left: %+v of %+v", d.Attached, got)
	}
	if err := s.Detach(t.Context(), "never seen"); err != nil {
		t.Errorf("a container that never was attached: %v", err)
	}
}
