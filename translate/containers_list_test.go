package translate

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestListShape(t *testing.T) {
	var want []any
	for _, row := range readJSON[[]map[string]any](t, "testdata/dockerd-28.5.2/shape/containers-list-size.json") {
		want = append(want, shape(row))
	}
	c := runningContainer(t)
	rows := Summaries([]engine.ContainerSummary{{Container: c, Size: &engine.RootSize{Writable: 2, Total: 145217467}}}, MaxVersion, c.Status.Started.Add(3*time.Second))
	got := shape(decode(t, encode(t, rows[0])))
	if diff := cmp.Diff(want[0], got); diff != "" {
		t.Error("-dockerd +ours\n" + diff)
	}
	first := readJSON[[]map[string]any](t, "testdata/dockerd-28.5.2/shape/containers-list-size.json")[0]
	exact := decode(t, encode(t, rows[0]))
	for _, key := range []string{"Id", "Names", "Image", "ImageID", "Command", "Labels", "State", "Status", "HostConfig"} {
		if diff := cmp.Diff(first[key], exact[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if diff := cmp.Diff(plain64(first["Ports"]), plain64(readBack(t, rows[0].Ports))); diff != "" {
		t.Error("ports: " + diff)
	}
}

func readBack(t *testing.T, v any) any {
	t.Helper()
	return decode(t, encode(t, map[string]any{"v": v}))["v"]
}

// plain64 writes numbers in one way.
func plain64(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = plain64(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain64(v[k])
		}
	case interface{ Int64() (int64, error) }:
		n, _ := v.Int64()
		return float64(n)
	}
	return v
}

func TestStatusText(t *testing.T) {
	at := func(d time.Duration) time.Time { return noon.Add(-d) }
	for want, s := range map[string]engine.Status{
		"Created":                           {State: engine.StateCreated},
		"Up 2 seconds":                      {State: engine.StateRunning, Started: at(2 * time.Second)},
		"Up Less than a second":             {State: engine.StateRunning, Started: noon},
		"Up 2 seconds (health: starting)":   {State: engine.StateRunning, Started: at(2 * time.Second), Health: &engine.Health{Status: engine.HealthStarting}},
		"Up About a minute (healthy)":       {State: engine.StateRunning, Started: at(time.Minute), Health: &engine.Health{Status: engine.HealthHealthy}},
		"Up 3 hours (unhealthy)":            {State: engine.StateRunning, Started: at(3 * time.Hour), Health: &engine.Health{Status: engine.HealthUnhealthy}},
		"Up About an hour":                  {State: engine.StateRunning, Started: at(time.Hour), Health: &engine.Health{Status: engine.HealthNone}},
		"Up 2 minutes (Paused)":             {State: engine.StatePaused, Started: at(2 * time.Minute)},
		"Exited (0) 3 seconds ago":          {State: engine.StateExited, Finished: at(3 * time.Second)},
		"Exited (137) 2 weeks ago":          {State: engine.StateExited, ExitCode: 137, Finished: at(15 * 24 * time.Hour)},
		"Restarting (1) 5 seconds ago":      {State: engine.StateRestarting, ExitCode: 1, Finished: at(5 * time.Second)},
		"Removal In Progress":               {State: engine.StateRemoving},
		"Dead":                              {State: engine.StateDead},
		"":                                  {State: engine.StateExited},
		"Exited (0) Less than a second ago": {State: engine.StateExited, Finished: noon.Add(time.Second)},
	} {
		if got := StatusText(s, noon); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestContainerQuery(t *testing.T) {
	f, err := ParseFilters(`{"name":["a(","^/b$"],"id":["12"],"label":["k","k2=v"],"status":["exited","paused"],"exited":["3"],"ancestor":["i"],
		"before":["x"],"since":["y"],"volume":["v"],"network":["n"],"health":["healthy"],"is-task":["false"],"publish":["80-81/udp"],"expose":["90"]}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ContainerQuery(ListQuery{Limit: "7", Size: true, Filters: f})
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := engine.ContainerQuery{
		All: true, Limit: 7, Size: true, IDs: []string{"12"}, Names: []string{"^/b$", `^a\($`}, Ancestors: []string{"i"},
		States: []engine.State{engine.StateExited, engine.StatePaused}, Exited: []int{3},
		Labels: []engine.LabelMatch{{Key: "k"}, {Key: "k2", Value: "v", HasValue: true}}, Before: "x", Since: "y",
		Volumes: []string{"v"}, Networks: []string{"n"}, Health: []engine.HealthStatus{engine.HealthHealthy},
		Published: []engine.PortRange{{First: 80, Last: 81, Proto: engine.UDP}}, Exposed: []engine.PortRange{{First: 90, Last: 90, Proto: engine.TCP}},
		IsTask: &no,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for in, want := range map[string]string{
		`{"foo":["a"]}`:       "invalid filter 'foo'",
		`{"label!":["a"]}`:    "invalid filter 'label!'",
		`{"status":["foo"]}`:  "invalid filter 'status=foo': invalid value for state (foo): must be one of created, running, paused, restarting, removing, exited, dead",
		`{"health":["foo"]}`:  "invalid filter 'health=foo': invalid value for health (foo): must be one of none, starting, healthy, unhealthy",
		`{"exited":["foo"]}`:  `invalid filter 'exited=foo': strconv.Atoi: parsing "foo": invalid syntax`,
		`{"is-task":["foo"]}`: "invalid filter 'is-task=[foo]'",
		`{"publish":["1:2"]}`: "filter for 'publish' should not contain ':': 1:2",
		`{"expose":["foo"]}`:  "error while looking up for expose foo: strconv.ParseUint: parsing \"foo\": invalid syntax",
		`{"publish":["5-3"]}`: "error while looking up for publish 5-3: invalid range specified for port: 5-3",
	} {
		f, err := ParseFilters(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ContainerQuery(ListQuery{Filters: f}); err == nil || Message(err) != want {
			t.Errorf("%s: %v", in, err)
		}
	}
	if _, err := ContainerQuery(ListQuery{Limit: "zz"}); err == nil || Kind(err) != engine.Internal {
		t.Error(err)
	}
}

func TestMountPoints(t *testing.T) {
	got := mountPoints([]engine.MountPoint{
		{Kind: engine.MountVolume, Name: "v", Source: "/v", Target: "/a", Driver: "local"},
		{Kind: engine.MountVolume, Name: "w", Source: "/w", Target: "/b", Driver: "local", Mode: "nocopy", Spec: 1},
		{Kind: engine.MountVolume, Name: "x", Source: "/x", Target: "/c", Driver: "local", ReadOnly: true, Spec: -1},
		{Kind: engine.MountTmpfs, Target: "/d", Spec: 2},
	})
	for i, want := range []string{"z", "nocopy", "", ""} {
		if got[i].Mode != want {
			t.Errorf("%s: mode %q, want %q", got[i].Destination, got[i].Mode, want)
		}
	}
	if got[2].RW || !got[0].RW {
		t.Errorf("writability: %+v", got)
	}
}

func TestPorts(t *testing.T) {
	c := runningContainer(t)
	c.Spec.ExposedPorts = append(c.Spec.ExposedPorts, engine.Port{Number: 99, Proto: engine.SCTP})
	want := `{"53/udp":[{"HostIp":"0.0.0.0","HostPort":"53"},{"HostIp":"::","HostPort":"53"}],"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"18085"}],"99/sctp":null}`
	if got := string(encode(t, portsInForce(c))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, change := range []func(*engine.Container){
		func(c *engine.Container) { c.Status.State = engine.StateExited },
		func(c *engine.Container) { c.Status.State = engine.StateCreated },
		func(c *engine.Container) { c.Spec.Network.Mode = "host" },
		func(c *engine.Container) { c.Spec.Network.Mode = "container:x" },
		func(c *engine.Container) { c.Ports, c.Endpoints = nil, map[string]engine.Endpoint{"internal": {}} },
	} {
		other := c
		change(&other)
		if got := string(encode(t, portsInForce(other))) + string(encode(t, portList(other))); got != "{}[]" {
			t.Errorf("%s, %s: %s", other.Status.State, other.Spec.Network.Mode, got)
		}
	}
	c.Spec.ExposedPorts, c.Spec.Network.Bindings = nil, nil
	c.Ports = []engine.PublishedPort{{Port: engine.Port{Number: 80, Proto: engine.TCP}, HostIP: netip.IPv4Unspecified()}}
	if got := string(encode(t, portsInForce(c))); got != `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""}]}` {
		t.Errorf("routed: %s", got)
	}
}

// What a request says of addresses is shown as it came, also when it left them open. A container that ran, or could not be started,
// keeps its names.
func TestEndpointSettingsAsAsked(t *testing.T) {
	for _, tc := range []struct {
		name, network string
		asked         *network.EndpointSettings
		ipam          string
		names         []string
	}{
		{"nothing", "gnet", nil, `null`, []string{"g1", "c2265e11f443"}},
		{"no addresses", "gnet", &network.EndpointSettings{Aliases: []string{"al", "g1"}}, `null`, []string{"g1", "al", "c2265e11f443"}},
		{"addresses left open", "gnet", &network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{}}, `{}`, []string{"g1", "c2265e11f443"}},
		{"an address", "gnet", &network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.77.1.2"}}, `{"IPv4Address":"10.77.1.2"}`, []string{"g1", "c2265e11f443"}},
		{"the default network", "bridge", &network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{}}, `{}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec, err := Endpoint(tc.network, tc.asked)
			if err != nil {
				t.Fatal(err)
			}
			c := runningContainer(t)
			c.Spec.Hostname = "c2265e11f443"
			got := endpointSettings(c, tc.network, engine.Endpoint{Spec: spec})
			if s := string(encode(t, got.IPAMConfig)); s != tc.ipam {
				t.Errorf("addresses %s, want %s", s, tc.ipam)
			}
			if !slices.Equal(got.DNSNames, tc.names) {
				t.Errorf("names %q, want %q", got.DNSNames, tc.names)
			}
			c.Status.Started = time.Time{}
			if got := endpointSettings(c, tc.network, engine.Endpoint{Spec: spec}); got.DNSNames != nil {
				t.Errorf("before its first start: names %q", got.DNSNames)
			}
			if got := endpointSettings(c, tc.network, engine.Endpoint{Spec: spec, DNSNames: []string{"before"}}); !slices.Equal(got.DNSNames, tc.names) {
				t.Errorf("connected before its first start: names %q, want %q", got.DNSNames, tc.names)
			}
			c.Status.Error = "no such port"
			if got := endpointSettings(c, tc.network, engine.Endpoint{Spec: spec}); !slices.Equal(got.DNSNames, tc.names) {
				t.Errorf("after a failed start: names %q, want %q", got.DNSNames, tc.names)
			}
		})
	}
}

func TestEndpointSettings(t *testing.T) {
	c := runningContainer(t)
	e := c.Endpoints["gnet"]
	e.Spec.IPv4, e.Spec.LinkLocal = netip.MustParseAddr("10.77.1.2"), []netip.Addr{netip.MustParseAddr("169.254.1.1")}
	e.IPv6, e.Gateway6 = netip.MustParsePrefix("fd00::2/64"), netip.MustParseAddr("fd00::1")
	got := string(encode(t, endpointSettings(c, "gnet", e)))
	want := `{"IPAMConfig":{"IPv4Address":"10.77.1.2","LinkLocalIPs":["169.254.1.1"]},"Links":null,"Aliases":["al"],"MacAddress":"fe:7a:31:93:0f:bd",` +
		`"DriverOpts":null,"GwPriority":0,"NetworkID":"3897ccbaa9d1ff60999ab786b4c2bc5a00d289389df2930e70f3544dbfcf2e4c",` +
		`"EndpointID":"62fd56c369cc4ea9a5de4a34421b053452d46d1d96f2cfd41343bb1ee4722817","Gateway":"10.77.1.1","IPAddress":"10.77.1.2","IPPrefixLen":24,` +
		`"IPv6Gateway":"fd00::1","GlobalIPv6Address":"fd00::2","GlobalIPv6PrefixLen":64,"DNSNames":["g1","al","c2265e11f443"]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	old := Inspect(c, nil, Version{1, 44}, oracle)
	if diff := cmp.Diff([]string{"al", "c2265e11f443"}, old.NetworkSettings.Networks["gnet"].Aliases); diff != "" {
		t.Error("aliases over 1.44: " + diff)
	}
}
