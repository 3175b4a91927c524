package networks_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
)

// administrators is a host with interfaces of the administrator's and a network of the driver xc on one of them.
func administrators(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	for _, name := range []string{"adm0", "em0", "em1.10"} {
		s.plumber.AddInterface(name)
	}
	s.make(engine.NetworkRequest{
		Name: "example-1", Driver: "xc", EnableIPv6: yes(), Pools: []engine.Pool{pool("192.168.17.0/24"), pool("fd17::/64")},
		Options: map[string]string{"bridge": "adm0", "alias": "adm0"},
	})
	return s
}

func labelled(pairs ...string) func(*engine.Attachment) {
	return func(a *engine.Attachment) {
		a.Labels = map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			a.Labels[pairs[i]] = pairs[i+1]
		}
	}
}

func TestLabels(t *testing.T) {
	s := administrators(t)
	for _, c := range []struct {
		mode   engine.NetworkMode
		labels []string
		want   string // in the error; empty: none
	}{
		{"bridge", nil, ""},
		{"bridge", []string{"xc.ip", "em0"}, ""},
		{"bridge", []string{"xc.ip", "em0|192.168.8.7", "xc.ip.b", "em1.10|192.168.9.7/24,[dead:beef::1]/24,dead:beef::2"}, ""},
		{"bridge", []string{"xc.ip", ""}, "is no name of an interface"},
		{"bridge", []string{"xc.ip", "em0|192.168.8"}, "is neither an address nor one with the length of its network's prefix"},
		{"bridge", []string{"xc.ip", "em0|192.168.8.7/33"}, "is neither an address"},
		{"bridge", []string{"xc.ip", "em0|192.168.8.7 up"}, "is neither an address"},
		{"bridge", []string{"xc.ip", "em0|192.168.8.7,"}, `"" is neither an address`},
		{"bridge", []string{"xc.ip", "em0", "xc.ip.2", "em0|10.0.0.1"}, "interface em0 is named twice"},
		{"host", []string{"xc.ip", "em0"}, "has all its interfaces"},
		{"bridge", []string{"xc.main-address", "network/bridge"}, ""},
		{"bridge", []string{"xc.main-address", "ipaddr/[fd17::5]"}, ""},
		{"bridge", []string{"xc.main-address", "network/nosuch"}, "the container has no network nosuch"},
		{"bridge", []string{"xc.main-address", "10.0.0.1"}, "must be network/NAME or ipaddr/ADDRESS"},
		{"bridge", []string{"xc.main-address", "ipaddr/x"}, "unable to parse IP"},
		{"bridge", []string{"xc.net-group", "bridge"}, ""},
		{"bridge", []string{"xc.net-group", "bridge,nosuch"}, "label xc.net-group: the container has no network nosuch"},
		{"bridge", []string{"xc.ip", "a/b", "xc.main-address", "x"}, "must be network"}, // every mistake is told
		{"bridge", []string{"xc.ip", "a/b", "xc.main-address", "x"}, "is no name of an interface"},
	} {
		t.Run(fmt.Sprint(c.mode, c.labels), func(t *testing.T) {
			var a engine.Attachment
			labelled(c.labels...)(&a)
			err := s.CheckLabels(c.mode, map[string]engine.Endpoint{string(c.mode): {}}, a.Labels)
			switch {
			case c.want == "" && err != nil, c.want != "" && err == nil:
				t.Errorf("%v, want %q", err, c.want)
			case err != nil && (engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// An interface that is not there is told before anything is made. One that a container has now will be back.
func TestAbsentDevices(t *testing.T) {
	s := newSite(t, func(c *networks.Config) { c.HasInterface = func(name string) bool { return name == "em0" } })
	check := func(name string) error {
		return s.CheckLabels("bridge", map[string]engine.Endpoint{"bridge": {}}, map[string]string{"xc.ip": name})
	}
	if err := check("em0"); err != nil {
		t.Error(err)
	}
	if err := check("em7"); engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), "this host has no interface em7") {
		t.Errorf("%v", err)
	}
}

func TestDevices(t *testing.T) {
	s := administrators(t)
	a, _ := s.start("c", map[string]engine.EndpointSpec{"bridge": {}}, labelled("xc.ip", "em0|192.168.8.7/24", "xc.ip.2", "em1.10"))
	var got []string
	for _, p := range s.plumber.Plugs(a.Container) {
		got = append(got, fmt.Sprint(p.Interface, p.Device, p.Lent.NetNS, p.Addrs))
	}
	if want := []string{"em0em0/netns/c[192.168.8.7/24]", "em1.10em1.10/netns/c[]", "eth0[172.17.0.2/16]"}; !slices.Equal(got, want) {
		t.Errorf("plugs %q, want %q", got, want)
	}
	second := engine.Attachment{Container: engine.ContainerID(engine.NewID()), Name: "d", Sandbox: engine.Sandbox{NetNS: "/netns/d"}, Mode: "bridge"}
	labelled("xc.ip", "em0")(&second)
	if _, err := s.Attach(t.Context(), second); engine.KindOf(err) != engine.Conflict || !strings.Contains(err.Error(), "interface em0 is in container c") {
		t.Errorf("lent twice: %v", err)
	}
	// The next daemon knows where the interfaces are.
	held := map[engine.ContainerID]engine.Attached{a.Container: {}}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.Service, err = networks.New(t.Context(), s.cfg); err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(t.Context(), []engine.Attachment{a}, held); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Attach(t.Context(), second); engine.KindOf(err) != engine.Conflict {
		t.Errorf("lent twice after a restart: %v", err)
	}
	if err := s.Detach(t.Context(), a.Container); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Attach(t.Context(), second); err != nil {
		t.Errorf("given back: %v", err)
	}
	labelled("xc.ip", "nosuch0")(&second)
	if _, err := s.Attach(t.Context(), second); engine.KindOf(err) != engine.NotFound {
		t.Errorf("no such interface: %v", err)
	}
}

// TestMainAddress: ports are published where the label says, or in the first network that can have them.
func TestMainAddress(t *testing.T) {
	s := administrators(t)
	s.make(engine.NetworkRequest{Name: "a", Pools: []engine.Pool{pool("10.1.0.0/24")}})
	s.make(engine.NetworkRequest{Name: "b", EnableIPv6: yes(), Pools: []engine.Pool{pool("10.2.0.0/24"), pool("fd02::/64")}})
	for i, c := range []struct {
		networks, label, want, env string
	}{
		{"a b", "", "10.2.0.2 fd02::2", ""},
		{"a b", "network/a", "10.1.0.3 10.1.0.3", "10.1.0.3"},
		{"a b", "ipaddr/10.1.0.4", "10.1.0.4 10.1.0.4", "10.1.0.4"},
		{"a b", "ipaddr/fd02::5", "fd02::5", "fd02::5"},
		{"example-1", "", "192.168.17.1 fd17::1", "192.168.17.1"},
		{"a example-1", "", "10.1.0.6 fd17::2", "10.1.0.6"},
		{"a example-1", "network/example-1", "192.168.17.3 fd17::3", "192.168.17.3"},
	} {
		t.Run(fmt.Sprint(c.networks, " ", c.label), func(t *testing.T) {
			specs := map[string]engine.EndpointSpec{}
			for _, n := range strings.Fields(c.networks) {
				specs[n] = engine.EndpointSpec{}
			}
			a, got := s.start(fmt.Sprint("c", i), specs, func(a *engine.Attachment) {
				a.Mode = engine.NetworkMode(strings.Fields(c.networks)[0])
				if c.label != "" {
					labelled("xc.main-address", c.label)(a)
				}
				a.Bindings = []engine.PortBinding{{Port: engine.Port{Number: 80, Proto: engine.TCP}}}
			})
			var targets []string
			for _, p := range got.Proxies {
				targets = append(targets, p.Target.Addr().String())
			}
			if text := strings.Join(targets, " "); text != c.want {
				t.Errorf("published at %q, want %q", text, c.want)
			}
			a.Endpoints = got.Endpoints
			env := strings.Join(s.Environment(a), "\n")
			if c.env == "" && env != "" || c.env != "" && !strings.Contains(env+"\n", "XC_MAIN_IP="+c.env+"\n") {
				t.Errorf("environment\n%s\nwant %q", env, c.env)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	s := administrators(t)
	a, got := s.start("c", map[string]engine.EndpointSpec{"example-1": {}}, labelled("xc.ip", "em0|192.168.8.7", "xc.main-address", "ipaddr/192.168.8.7"))
	a.Endpoints = got.Endpoints
	want := []string{
		"XC_ID=" + a.Container.Short(), "XC_NETWORKS_COUNT=1", "XC_NETWORK_example_1_ADDR_COUNT=2", "XC_NETWORK_example_1_IFACE=adm0",
		"XC_NETWORK_example_1_ADDR_0=192.168.17.1/24", "XC_NETWORK_example_1_ADDR_1=fd17::1/64", "XC_MAIN_IP=192.168.8.7", "XC_MAIN_IFACE=em0",
	}
	if env := s.Environment(a); !slices.Equal(env, want) {
		t.Errorf("%q, want %q", env, want)
	}
}

// TestAdministratorsRouter: the router of a network of the driver xc is no container's address, and their default route.
func TestAdministratorsRouter(t *testing.T) {
	for name, change := range map[string]func(*engine.NetworkRequest){
		"option":  func(r *engine.NetworkRequest) { r.Options["default_router"] = "10.7.0.1" },
		"gateway": func(r *engine.NetworkRequest) { r.Pools[0].Gateway = addr("10.7.0.1") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.plumber.AddInterface("adm0")
			req := engine.NetworkRequest{Name: "example", Driver: "xc", Pools: []engine.Pool{pool("10.7.0.0/30")}, Options: map[string]string{"bridge": "adm0"}}
			change(&req)
			s.make(req)
			_, got := s.start("c", map[string]engine.EndpointSpec{"example": {}})
			if e := got.Endpoints["example"]; e.IPv4.String() != "10.7.0.2/30" || e.Gateway4 != addr("10.7.0.1") {
				t.Errorf("%+v", e)
			}
			checked, err := s.Check(t.Context(), "example", map[string]engine.EndpointSpec{"example": {IPv4: addr("10.7.0.1")}})
			if err == nil {
				_, err = s.Attach(t.Context(), engine.Attachment{Container: engine.ContainerID(engine.NewID()), Name: "d", Sandbox: engine.Sandbox{NetNS: "/netns/d"}, Mode: "example", Endpoints: checked})
			}
			var known *engine.Error
			if !errors.As(err, &known) || !engine.HasReason(err, engine.ReasonAddressTaken) {
				t.Errorf("the router's address: %v", err)
			}
		})
	}
}
