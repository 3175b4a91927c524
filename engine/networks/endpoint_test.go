package networks_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
)

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

// TestCheck holds the sentences that clients see to those of dockerd 28.5.2.
func TestCheck(t *testing.T) {
	s := newSite(t)
	front := s.make(engine.NetworkRequest{Name: "front", Pools: []engine.Pool{pool("10.9.0.0/24")}})
	s.make(engine.NetworkRequest{Name: "auto"})
	type specs = map[string]engine.EndpointSpec
	for _, c := range []struct {
		name      string
		mode      engine.NetworkMode
		endpoints specs
		kind      engine.Kind
		want      string // networks, or a part of the error
	}{
		{"nothing", "", nil, 0, "bridge"},
		{"default", "default", specs{"default": {}}, 0, "bridge"},
		{"by mode", "front", nil, 0, "front"},
		{"by id", "default", specs{string(front.ID): {}}, 0, "front"},
		{"by prefix", "default", specs{string(front.ID[:12]): {}}, 0, "front"},
		{"several", "front", specs{"front": {}, "auto": {}}, 0, "auto front"},
		{"host", "host", nil, 0, "host"},
		{"of another container", "container:abc", nil, 0, ""},
		{"unknown", "nosuch", nil, engine.NotFound, "network nosuch"},
		{"host and more", "host", specs{"host": {}, "front": {}}, engine.Invalid, "container sharing network namespace with another container or host cannot be connected to any other network"},
		{"none and more", "none", specs{"none": {}, "front": {}}, engine.Invalid, "container cannot be connected to multiple networks with one of the networks in private (none) mode"},
		{"address", "front", specs{"front": {IPv4: addr("10.9.0.7")}}, 0, "front"},
		{"address outside", "front", specs{"front": {IPv4: addr("10.8.0.7")}}, engine.Invalid, "invalid config for network front: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.8.0.7"},
		{"address without a subnet of one's own", "auto", specs{"auto": {IPv4: addr("10.8.0.7")}}, engine.Invalid, "user specified IP address is supported only when connecting to networks with user configured subnets"},
		{"address outside the default network", "bridge", specs{"bridge": {IPv4: addr("10.1.1.1")}}, engine.Invalid, "invalid config for network bridge: invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* no configured subnet or ip-range contain the IP address 10.1.1.1"},
		{"address in the default network", "bridge", specs{"bridge": {IPv4: addr("172.17.0.7")}}, engine.Invalid, "invalid config for network bridge: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only"},
		{"alias in the default network", "bridge", specs{"bridge": {Aliases: []string{"x"}}}, engine.Invalid, "network-scoped alias is supported only for containers in user defined networks"},
		{"IPv6 for IPv4", "front", specs{"front": {IPv4: addr("fd00::1")}}, engine.Invalid, "invalid IPv4 address: fd00::1"},
		{"no address at all", "front", specs{"front": {IPv6: addr("::")}}, engine.Invalid, "invalid IPv6 address: ::"},
		{"mac", "front", specs{"front": {MAC: "02:00:00:00:00:01"}}, 0, "front"},
		{"bad mac", "front", specs{"front": {MAC: "zz"}}, engine.Invalid, "invalid MAC address zz"},
		{"long mac", "front", specs{"front": {MAC: "02:00:00:00:00:01:02:03"}}, engine.Invalid, "invalid MAC address"},
		{"sysctl", "front", specs{"front": {DriverOpts: map[string]string{"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}}}, 0, "front"},
		{"bad sysctl", "front", specs{"front": {DriverOpts: map[string]string{"com.docker.network.endpoint.sysctls": "net.ipv4.ip_forward=1"}}}, engine.Invalid, "unrecognised network interface sysctl 'net.ipv4.ip_forward=1'"},
		{"bad interface", "front", specs{"front": {DriverOpts: map[string]string{"com.docker.network.endpoint.ifname": "../x"}}}, engine.Invalid, "is no name of an interface"},
		{"two things wrong", "front", specs{"front": {IPv4: addr("fd00::1"), MAC: "x"}}, engine.Invalid, "invalid endpoint settings:\n* invalid IPv4 address: fd00::1\n* invalid MAC address x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := s.Check(t.Context(), c.mode, c.endpoints)
			if err != nil {
				if engine.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) || c.kind == 0 {
					t.Errorf("got %v\nwant %v %q", err, c.kind, c.want)
				}
				return
			}
			var names []string
			for _, name := range []string{"auto", "bridge", "front", "host"} {
				if e, ok := got[name]; ok {
					names = append(names, name)
					if e.Network == "" || e.ID != "" {
						t.Errorf("%s: %+v", name, e)
					}
				}
			}
			if c.kind != 0 || strings.Join(names, " ") != c.want || len(names) != len(got) {
				t.Errorf("got %v, want %v %q", got, c.kind, c.want)
			}
		})
	}
}

// TestPlugs holds what a container's interfaces are: their order, names, addresses and default routes.
func TestPlugs(t *testing.T) {
	s := newSite(t)
	s.make(engine.NetworkRequest{Name: "a", Pools: []engine.Pool{pool("10.1.0.0/24")}})
	s.make(engine.NetworkRequest{Name: "b", EnableIPv6: yes(), Pools: []engine.Pool{pool("10.2.0.0/24"), pool("fd02::/64")}})
	s.make(engine.NetworkRequest{Name: "deep", Internal: true, Pools: []engine.Pool{pool("10.3.0.0/24")}})
	s.make(engine.NetworkRequest{Name: "far", Pools: []engine.Pool{pool("10.4.0.0/24", func(p *engine.Pool) {
		p.Aux = map[string]netip.Addr{"DefaultGatewayIPv4": addr("10.4.0.254")}
	})}})
	s.make(engine.NetworkRequest{Name: "inhibited", Pools: []engine.Pool{pool("10.5.0.0/24")}, Options: map[string]string{"com.docker.network.bridge.inhibit_ipv4": "true"}})
	type specs = map[string]engine.EndpointSpec
	for _, c := range []struct {
		name      string
		mode      engine.NetworkMode
		endpoints specs
		want      string
	}{
		{"one", "a", specs{"a": {}}, "eth0 [10.1.0.2/24] 4 by 10.1.0.1"},
		{"the mode's first, both versions win the default route", "deep", specs{"deep": {}, "a": {}, "b": {}}, "eth0 [10.3.0.2/24]; eth1 [10.1.0.3/24]; eth2 [10.2.0.2/24 fd02::2/64] 4 by 10.2.0.1 6 by fd02::1"},
		{"priority", "a", specs{"a": {GwPriority: 10}, "b": {}}, "eth0 [10.1.0.4/24] 4 by 10.1.0.1; eth1 [10.2.0.3/24 fd02::3/64] 6 by fd02::1"},
		{"by name", "far", specs{"far": {}, "a": {}}, "eth0 [10.4.0.2/24]; eth1 [10.1.0.5/24] 4 by 10.1.0.1"},
		{"internal only", "deep", specs{"deep": {}}, "eth0 [10.3.0.3/24]"},
		{"another router", "far", specs{"far": {}}, "eth0 [10.4.0.3/24] 4 by 10.4.0.254"},
		{"no address on the bridge", "inhibited", specs{"inhibited": {}}, "eth0 [10.5.0.2/24] 4 by 10.5.0.1"},
		{"link-local", "a", specs{"a": {LinkLocal: []netip.Addr{addr("169.254.7.7"), addr("fe80::7")}}}, "eth0 [10.1.0.6/24 169.254.7.7/16 fe80::7/64] 4 by 10.1.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _ := s.start("c", c.endpoints, func(a *engine.Attachment) { a.Mode = c.mode })
			var got []string
			for _, p := range s.plumber.Plugs(a.Container) {
				text := fmt.Sprint(p.Interface, " ", p.Addrs)
				if p.Gateway4.IsValid() {
					text += " 4 by " + p.Gateway4.String()
				}
				if p.Gateway6.IsValid() {
					text += " 6 by " + p.Gateway6.String()
				}
				got = append(got, text)
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}

// TestSegmentsAndRules holds what options mean for the host's side.
func TestSegmentsAndRules(t *testing.T) {
	opt := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m["com.docker.network."+pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, c := range []struct {
		name string
		req  engine.NetworkRequest
		want string // masquerade of both versions, modes, internal, isolated, source addresses
	}{
		{"plain", engine.NetworkRequest{}, "m4 m6"},
		{"no masquerade", engine.NetworkRequest{Options: opt("bridge.enable_ip_masquerade", "false")}, ""},
		{"internal", engine.NetworkRequest{Internal: true}, "internal"},
		{"routed", engine.NetworkRequest{Options: opt("bridge.gateway_mode_ipv4", "routed")}, "m6 4=routed"},
		{"unprotected", engine.NetworkRequest{Options: opt("bridge.gateway_mode_ipv6", "nat-unprotected")}, "m4 m6 6=nat-unprotected"},
		{"no icc", engine.NetworkRequest{Options: opt("bridge.enable_icc", "0")}, "m4 m6 isolated"},
		{"source", engine.NetworkRequest{Options: opt("host_ipv4", "192.0.2.9", "host_ipv6", "2001:db8::9")}, "m4 m6 192.0.2.9 2001:db8::9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			c.req.Name = "n"
			d := s.make(c.req)
			rules, _ := s.firewall.Rules()
			for _, n := range rules.Networks {
				if n.Network != d.ID {
					continue
				}
				if got := ruleText(n); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if !n.Managed || n.Bridge != d.Bridge || len(n.Subnets) != 1 {
					t.Errorf("%+v", n)
				}
				return
			}
			t.Errorf("no rule in %+v", rules)
		})
	}
}

func ruleText(n engine.FirewallNetwork) string {
	var words []string
	add := func(on bool, word string) {
		if on {
			words = append(words, word)
		}
	}
	add(n.Masquerade4, "m4")
	add(n.Masquerade6, "m6")
	add(n.Mode4 != "", "4="+string(n.Mode4))
	add(n.Mode6 != "", "6="+string(n.Mode6))
	add(n.Internal, "internal")
	add(n.Isolated, "isolated")
	add(n.SNAT4.IsValid(), n.SNAT4.String())
	add(n.SNAT6.IsValid(), n.SNAT6.String())
	return strings.Join(words, " ")
}

// TestPublished holds which addresses and ports a binding means, and where they lead.
func TestPublished(t *testing.T) {
	tcp := func(n uint16) engine.Port { return engine.Port{Number: n, Proto: engine.TCP} }
	s := newSite(t)
	s.make(engine.NetworkRequest{Name: "dual", EnableIPv6: yes(), Pools: []engine.Pool{pool("10.2.0.0/24"), pool("fd02::/64")}})
	s.make(engine.NetworkRequest{Name: "deep", Internal: true})
	s.make(engine.NetworkRequest{Name: "local", Options: map[string]string{"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}, Pools: []engine.Pool{pool("10.3.0.0/24")}})
	s.make(engine.NetworkRequest{Name: "routed", Options: map[string]string{"com.docker.network.bridge.gateway_mode_ipv4": "routed"}, Pools: []engine.Pool{pool("10.4.0.0/24")}})
	for _, c := range []struct {
		name    string
		network string
		binding engine.PortBinding
		want    string
	}{
		{"everywhere", "bridge", engine.PortBinding{Port: tcp(80), HostFirst: 28001}, "0.0.0.0:28001>172.17.0.2:80 [::]:28001>172.17.0.2:80"},
		{"everywhere, both versions", "dual", engine.PortBinding{Port: tcp(80), HostFirst: 28002}, "0.0.0.0:28002>10.2.0.2:80 [::]:28002>[fd02::2]:80"},
		{"IPv4 only", "dual", engine.PortBinding{Port: tcp(80), HostIP: addr("0.0.0.0"), HostFirst: 28003}, "0.0.0.0:28003>10.2.0.3:80"},
		{"IPv6 only", "dual", engine.PortBinding{Port: tcp(80), HostIP: addr("::"), HostFirst: 28004}, "[::]:28004>[fd02::4]:80"},
		{"one address", "bridge", engine.PortBinding{Port: tcp(80), HostIP: addr("127.0.0.1"), HostFirst: 28005}, "127.0.0.1:28005>172.17.0.3:80"},
		{"a mapped address", "bridge", engine.PortBinding{Port: tcp(80), HostIP: addr("::ffff:127.0.0.1"), HostFirst: 28006}, "127.0.0.1:28006>172.17.0.4:80"},
		{"any port", "bridge", engine.PortBinding{Port: tcp(80), HostIP: addr("127.0.0.1")}, "127.0.0.1:27000>172.17.0.5:80"},
		{"internal", "deep", engine.PortBinding{Port: tcp(80), HostFirst: 28007}, ""},
		{"the network's own address", "local", engine.PortBinding{Port: tcp(80), HostFirst: 28008}, "127.0.0.1:28008>10.3.0.2:80"},
		{"routed", "routed", engine.PortBinding{Port: tcp(80), HostFirst: 28009}, "0.0.0.0:0 [::]:28009>10.4.0.2:80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := s.start("c", map[string]engine.EndpointSpec{c.network: {}}, func(a *engine.Attachment) { a.Bindings = []engine.PortBinding{c.binding} })
			var words []string
			for _, p := range got.Ports {
				word := netip.AddrPortFrom(p.HostIP, p.HostPort).String()
				for _, x := range got.Proxies {
					if x.Listen == netip.AddrPortFrom(p.HostIP, p.HostPort) {
						word += ">" + x.Target.String()
					}
				}
				words = append(words, word)
			}
			if text := strings.Join(words, " "); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}

// TestPortsFollow: a port stays at the endpoint where it is while that is there, and then goes to the next, under its number.
func TestPortsFollow(t *testing.T) {
	s := newSite(t)
	for i, name := range []string{"a", "b", "c"} {
		s.make(engine.NetworkRequest{Name: name, Pools: []engine.Pool{pool(fmt.Sprintf("10.%d.0.0/24", i+1))}})
	}
	a, got := s.start("x", map[string]engine.EndpointSpec{"b": {}}, func(a *engine.Attachment) {
		a.Bindings = []engine.PortBinding{{Port: engine.Port{Number: 80, Proto: engine.TCP}, HostIP: addr("127.0.0.1")}}
	})
	port := got.Ports[0].HostPort
	for _, step := range []struct{ networks, target string }{
		{"a b", "10.2.0.2:80"}, {"a", "10.1.0.2:80"}, {"a c", "10.1.0.2:80"}, {"c", "10.3.0.2:80"},
	} {
		a.Endpoints = map[string]engine.Endpoint{}
		for _, name := range strings.Fields(step.networks) {
			a.Endpoints[name] = engine.Endpoint{}
		}
		got, err := s.Attach(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Ports) != 1 || got.Ports[0].HostPort != port || got.Proxies[0].Target.String() != step.target || got.Proxies[0].Listener != nil {
			t.Errorf("in %s: %+v, want %s", step.networks, got, step.target)
		}
		if rules, _ := s.firewall.Rules(); len(rules.Ports) != 1 || rules.Ports[0].Target.String() != step.target {
			t.Errorf("in %s: rules %+v", step.networks, rules.Ports)
		}
	}
}

// TestRecoverKeepsAddresses: what running containers hold is handed to nobody else after a restart.
func TestRecoverKeepsAddresses(t *testing.T) {
	s := newSite(t)
	s.make(engine.NetworkRequest{Name: "n", Pools: []engine.Pool{pool("10.1.0.0/29")}})
	held := map[engine.ContainerID]engine.Attached{}
	var running []engine.Attachment
	for i := range 3 {
		a, got := s.start(fmt.Sprint("c", i), map[string]engine.EndpointSpec{"n": {}})
		held[a.Container], running = got, append(running, a)
	}
	gone, _ := s.start("gone", map[string]engine.EndpointSpec{"n": {}})
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.Service, err = networks.New(t.Context(), s.cfg); err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(t.Context(), running, held); err != nil {
		t.Fatal(err)
	}
	if len(s.plumber.Plugs(gone.Container)) != 0 {
		t.Error("a plug of a container that does not run")
	}
	used := map[netip.Prefix]bool{}
	for _, h := range held {
		used[h.Endpoints["n"].IPv4] = true
	}
	for i := range 2 { // five can be had, three are held
		_, got := s.start(fmt.Sprint("new", i), map[string]engine.EndpointSpec{"n": {}})
		if used[got.Endpoints["n"].IPv4] {
			t.Errorf("%v handed out twice", got.Endpoints["n"].IPv4)
		}
		used[got.Endpoints["n"].IPv4] = true
	}
}

// TestRecoverAmidDisconnect: a container that had left its last network when the daemon ended, and not given its ports back, gets them
// again in another network.
func TestRecoverAmidDisconnect(t *testing.T) {
	s := newSite(t)
	s.make(engine.NetworkRequest{Name: "n", Pools: []engine.Pool{pool("10.1.0.0/24")}})
	a, got := s.start("c", map[string]engine.EndpointSpec{"n": {}}, func(a *engine.Attachment) {
		a.Bindings = []engine.PortBinding{{Port: engine.Port{Number: 80, Proto: engine.TCP}, HostIP: addr("127.0.0.1"), HostFirst: 28001}}
	})
	wish := a.Endpoints
	a.Endpoints = nil
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.Service, err = networks.New(t.Context(), s.cfg); err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(t.Context(), []engine.Attachment{a}, map[engine.ContainerID]engine.Attached{a.Container: {Ports: got.Ports}}); err != nil {
		t.Fatal(err)
	}
	for _, endpoints := range []map[string]engine.Endpoint{nil, wish} {
		a.Endpoints = endpoints
		if got, err = s.Attach(t.Context(), a); err != nil {
			t.Fatalf("in %d networks: %v", len(endpoints), err)
		}
	}
	if len(got.Ports) != 1 || got.Ports[0].HostPort != 28001 {
		t.Errorf("got %+v", got.Ports)
	}
	for _, p := range got.Proxies {
		p.Listener.Close()
	}
}
