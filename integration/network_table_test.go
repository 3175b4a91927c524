package integration

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
)

var updateTable = flag.String("update-networks", "", "record the rows of the networks whose names match this `expression`, from the dockerd that XC_ORACLE names")

// lan is one way to make a network. Subnets are of their own number, so that every engine's table is the same.
type lan struct {
	name string
	ask  func(n int) network.CreateOptions
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func four(n int) network.IPAMConfig {
	return network.IPAMConfig{Subnet: fmt.Sprintf("10.213.%d.0/24", n)}
}

func six(n int) network.IPAMConfig {
	return network.IPAMConfig{Subnet: fmt.Sprintf("fd13:%d::/64", n)}
}

// with is a network of an IPv4 subnet with options.
func with(pairs ...string) func(int) network.CreateOptions {
	return func(n int) network.CreateOptions {
		o := network.CreateOptions{IPAM: &network.IPAM{Config: []network.IPAMConfig{four(n)}}, Options: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			o.Options["com.docker.network."+pairs[i]] = pairs[i+1]
		}
		return o
	}
}

// changed is a network of an IPv4 subnet with something else about it.
func changed(change func(o *network.CreateOptions, n int)) func(int) network.CreateOptions {
	return func(n int) network.CreateOptions {
		o := with()(n)
		change(&o, n)
		return o
	}
}

func dual(pairs ...string) func(int) network.CreateOptions {
	return func(n int) network.CreateOptions {
		o := with(pairs...)(n)
		o.EnableIPv6, o.IPAM.Config = yes(), append(o.IPAM.Config, six(n))
		return o
	}
}

// lans are the networks of the table. Those that are refused have a row, too.
var lans = []lan{
	{"plain", func(int) network.CreateOptions { return network.CreateOptions{} }},
	{"subnet", with()},
	{"gateway", changed(func(o *network.CreateOptions, n int) { o.IPAM.Config[0].Gateway = fmt.Sprintf("10.213.%d.9", n) })},
	{"range", changed(func(o *network.CreateOptions, n int) { o.IPAM.Config[0].IPRange = fmt.Sprintf("10.213.%d.64/26", n) })},
	{"aux", changed(func(o *network.CreateOptions, n int) {
		o.IPAM.Config[0].AuxAddress = map[string]string{"a": fmt.Sprintf("10.213.%d.2", n), "DefaultGatewayIPv4": fmt.Sprintf("10.213.%d.250", n)}
	})},
	{"dual", dual()},
	{"six-alone", func(n int) network.CreateOptions {
		return network.CreateOptions{EnableIPv4: no(), EnableIPv6: yes(), IPAM: &network.IPAM{Config: []network.IPAMConfig{six(n)}}}
	}},
	{"internal", changed(func(o *network.CreateOptions, _ int) { o.Internal = true })},
	{"attachable", changed(func(o *network.CreateOptions, _ int) { o.Attachable, o.Labels = true, map[string]string{"a": "b"} })},
	{"no-icc", with("bridge.enable_icc", "false")},
	{"mtu", with("driver.mtu", "1400")},
	{"prefix", dual("container_iface_prefix", "lan")},
	{"routed", dual("bridge.gateway_mode_ipv4", "routed", "bridge.gateway_mode_ipv6", "routed")},
	{"unprotected", dual("bridge.gateway_mode_ipv4", "nat-unprotected")},
	{"isolated", changed(func(o *network.CreateOptions, _ int) {
		o.Internal, o.Options = true, map[string]string{"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}
	})},
	{"inhibit", with("bridge.inhibit_ipv4", "true")},
	{"no-masquerade", with("bridge.enable_ip_masquerade", "false")},
	{"binding", with("bridge.host_binding_ipv4", "127.0.0.1")},
	{"bridge-name", with("bridge.name", "xctable0")},

	{"bad-mtu", with("driver.mtu", "many")},
	{"negative-mtu", with("driver.mtu", "-1")},
	{"bad-bool", with("bridge.enable_icc", "maybe")},
	{"bad-mode", with("bridge.gateway_mode_ipv4", "open")},
	{"isolated-not-internal", with("bridge.gateway_mode_ipv4", "isolated")},
	{"bad-binding", with("bridge.host_binding_ipv4", "here")},
	{"host-bits", changed(func(o *network.CreateOptions, _ int) { o.IPAM.Config[0].Subnet = "10.213.99.1/24" })},
	{"gateway-outside", changed(func(o *network.CreateOptions, _ int) { o.IPAM.Config[0].Gateway = "10.99.0.1" })},
	{"range-outside", changed(func(o *network.CreateOptions, _ int) { o.IPAM.Config[0].IPRange = "10.99.0.0/28" })},
	{"aux-outside", changed(func(o *network.CreateOptions, _ int) {
		o.IPAM.Config[0].AuxAddress = map[string]string{"a": "10.99.0.1"}
	})},
	{"two-subnets", changed(func(o *network.CreateOptions, _ int) {
		o.IPAM.Config = append(o.IPAM.Config, network.IPAMConfig{Subnet: "10.214.0.0/24"})
	})},
	{"no-version", changed(func(o *network.CreateOptions, _ int) { o.EnableIPv4 = no() })},
	{"gateway-taken", changed(func(o *network.CreateOptions, n int) {
		o.IPAM.Config[0].Gateway, o.IPAM.Config[0].AuxAddress = fmt.Sprintf("10.213.%d.5", n), map[string]string{"a": fmt.Sprintf("10.213.%d.5", n)}
	})},
	{"unknown-driver", changed(func(o *network.CreateOptions, _ int) { o.Driver = "nosuch" })},
	{"unknown-ipam", changed(func(o *network.CreateOptions, _ int) { o.IPAM.Driver = "nosuch" })},
	{"host-again", changed(func(o *network.CreateOptions, _ int) { o.Driver = "host" })},
}

// seat is one way to be in a network.
type seat struct {
	name     string
	settings func(n int) *network.EndpointSettings
	publish  bool
}

func addressed(a network.EndpointIPAMConfig) func(int) *network.EndpointSettings {
	return func(n int) *network.EndpointSettings {
		own := network.EndpointIPAMConfig{LinkLocalIPs: a.LinkLocalIPs}
		number := strings.NewReplacer("N", fmt.Sprint(n))
		own.IPv4Address, own.IPv6Address = number.Replace(a.IPv4Address), number.Replace(a.IPv6Address)
		return &network.EndpointSettings{IPAMConfig: &own}
	}
}

var seats = []seat{
	{name: "any", settings: func(int) *network.EndpointSettings { return &network.EndpointSettings{} }},
	{name: "named", settings: func(int) *network.EndpointSettings {
		return &network.EndpointSettings{Aliases: []string{"x", "y", "x"}, MacAddress: "02:00:00:00:13:01", GwPriority: 3, Links: []string{"nosuch:alias"}}
	}},
	{name: "four", settings: addressed(network.EndpointIPAMConfig{IPv4Address: "10.213.N.77"})},
	{name: "six", settings: addressed(network.EndpointIPAMConfig{IPv6Address: "fd13:N::77"})},
	{name: "link-local", settings: addressed(network.EndpointIPAMConfig{LinkLocalIPs: []string{"169.254.8.8"}})},
	{name: "options", settings: func(int) *network.EndpointSettings {
		return &network.EndpointSettings{DriverOpts: map[string]string{
			"com.docker.network.endpoint.ifname": "wan7", "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
		}}
	}},
	{name: "published", settings: func(int) *network.EndpointSettings { return &network.EndpointSettings{} }, publish: true},
	{name: "outside", settings: addressed(network.EndpointIPAMConfig{IPv4Address: "10.99.0.7"})},
	{name: "gateway's", settings: addressed(network.EndpointIPAMConfig{IPv4Address: "10.213.N.1"})},
}

// TestNetworkTable crosses ways to make a network with ways to be in one, and compares what is answered and what there is inside
// with what a real dockerd 28.5 does: what testdata has of it, and the one that XC_ORACLE names.
func TestNetworkTable(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("dockerd's table is Linux's")
	}
	file := filepath.Join("testdata", "networks.txt")
	if *updateTable != "" {
		if kit.skip != "" {
			t.Skip(kit.skip)
		}
		recordTable(t, file, regexp.MustCompile("^("+*updateTable+")$"))
		return
	}
	got := start(t).networkTable(lans)
	if rows := strings.Count(got, "\n"); rows < 200 {
		t.Errorf("%d rows", rows)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sameRows(t, "recorded", string(want), got)
	if os.Getenv("XC_ORACLE") != "" {
		sameRows(t, "dockerd", oracle(t).networkTable(lans), got)
	}
}

// recordTable writes what dockerd answers for some of the networks into the file, in place of what it has of them. A network's
// rows are written as soon as they are there: dockerd takes minutes for the whole table.
func recordTable(t *testing.T, file string, which *regexp.Regexp) {
	t.Helper()
	dockerd := oracle(t)
	for _, l := range lans {
		if !which.MatchString(l.name) {
			continue
		}
		fresh := dockerd.networkTable([]lan{l})
		old, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		byLan := map[string]string{l.name: fresh}
		for line := range strings.Lines(string(old)) {
			name, _, _ := strings.Cut(line, ": ")
			if name, _, _ = strings.Cut(name, "/"); name != l.name {
				byLan[name] += line
			}
		}
		var b strings.Builder
		for _, l := range lans {
			b.WriteString(byLan[l.name])
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// sameRows compares what dockerd was seen to answer with the rows of the same names.
func sameRows(t *testing.T, whose, want, got string) {
	t.Helper()
	ours := rows(got)
	for name, theirs := range rows(want) {
		if ours[name] != theirs {
			t.Errorf("%s: %s and this engine\n- %s\n+ %s", name, whose, theirs, ours[name])
		}
	}
}

// rows are a table's rows by their names.
func rows(table string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(table) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		m[name] = text
	}
	return m
}

const tableImage = "network-table:latest"

// networkTable is every row of the table for some of the networks.
func (e *engine) networkTable(some []lan) string {
	e.t.Helper()
	e.must("tag", "testbox", tableImage) // an oracle is shared, and others may take their image away
	defer e.must("rmi", tableImage)
	var b strings.Builder
	for _, l := range some {
		n := 1 + slices.IndexFunc(lans, func(m lan) bool { return m.name == l.name })
		row := table{engine: e, api: e.client(), n: n, network: "table-" + l.name}
		fmt.Fprintf(&b, "%s: %s\n", l.name, row.make(l))
		if row.id == "" {
			continue
		}
		for _, s := range seats {
			fmt.Fprintf(&b, "%s/%s: %s\n", l.name, s.name, row.sit(s))
		}
		if err := row.api.NetworkRemove(context.Background(), row.id); err != nil {
			e.t.Errorf("remove %s: %v", l.name, err)
		}
	}
	return b.String()
}

// table is one network of the table.
type table struct {
	*engine
	api     *client.Client
	n       int
	network string
	id      string
	subnets []netip.Prefix
	ranges  []netip.Prefix // from which addresses are handed out
}

// make makes the network and tells what inspect shows.
func (r *table) make(l lan) string {
	made, err := r.api.NetworkCreate(context.Background(), r.network, l.ask(r.n))
	if err != nil {
		return r.plain(err.Error())
	}
	r.id = made.ID
	n, err := r.api.NetworkInspect(context.Background(), r.id, network.InspectOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range n.IPAM.Config {
		if p, err := netip.ParsePrefix(c.Subnet); err == nil {
			r.subnets, r.ranges = append(r.subnets, p), append(r.ranges, p)
		}
		if p, err := netip.ParsePrefix(c.IPRange); err == nil {
			r.ranges[len(r.ranges)-1] = p
		}
	}
	return r.plain(encode(r.t, map[string]any{
		"Driver": n.Driver, "Scope": n.Scope, "4": n.EnableIPv4, "6": n.EnableIPv6, "IPAM": n.IPAM, "Internal": n.Internal,
		"Attachable": n.Attachable, "Options": n.Options, "Labels": n.Labels, "Containers": n.Containers,
	}))
}

// sit runs a container in the network and tells what inspect shows and what it has.
func (r *table) sit(s seat) string {
	ctx := context.Background()
	cfg := container.Config{Image: tableImage, Cmd: []string{"sleep", "1000"}, Hostname: "seated"}
	host := container.HostConfig{NetworkMode: container.NetworkMode(r.network)}
	if s.publish {
		cfg.ExposedPorts = nat.PortSet{"80/tcp": {}, "81/tcp": {}}
		host.PortBindings = nat.PortMap{"80/tcp": {{HostPort: "0"}}}
	}
	net := network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{r.network: s.settings(r.n)}}
	made, err := r.api.ContainerCreate(ctx, &cfg, &host, &net, nil, "seat")
	if err != nil {
		return r.plain("create: " + err.Error())
	}
	defer func() {
		if err := r.api.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}); err != nil {
			r.t.Error(err)
		}
	}()
	if err := r.api.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return r.plain("start: " + err.Error())
	}
	c, err := r.api.ContainerInspect(ctx, made.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	e := *c.NetworkSettings.Networks[r.network]
	e.NetworkID, e.EndpointID = "", ""
	if s.settings(r.n).MacAddress == "" {
		e.MacAddress = ""
	}
	text := encode(r.t, map[string]any{"Endpoint": e, "Ports": c.NetworkSettings.Ports})
	return r.plain(strings.ReplaceAll(r.free(e, text+r.inside(c.State.Pid)), made.ID[:12], "ID"))
}

// free hides addresses that the engine chose: dockerd hands out the lowest again and again, this engine the next.
func (r *table) free(e network.EndpointSettings, text string) string {
	for _, a := range []struct{ addr, asked, word string }{{e.IPAddress, wanted(e).IPv4Address, "FREE4"}, {e.GlobalIPv6Address, wanted(e).IPv6Address, "FREE6"}} {
		if a.addr == "" || a.asked != "" {
			continue
		}
		text = regexp.MustCompile(`([^0-9a-f.:])`+regexp.QuoteMeta(a.addr)+`(["/])`).ReplaceAllString(text, "${1}"+a.word+"${2}")
		addr := netip.MustParseAddr(a.addr)
		if !slices.ContainsFunc(r.ranges, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			r.t.Errorf("%s: %s is in none of %v", r.network, addr, r.ranges)
		}
	}
	return text
}

func wanted(e network.EndpointSettings) network.EndpointIPAMConfig {
	if e.IPAMConfig == nil {
		return network.EndpointIPAMConfig{}
	}
	return *e.IPAMConfig
}

var (
	anyID   = regexp.MustCompile(`[0-9a-f]{64}`)
	anyPort = regexp.MustCompile(`"HostPort":"[0-9]+"`)
	anyName = regexp.MustCompile(`(br|xc[0-9a-f]{4})-[0-9a-f]+`)
	anyPath = regexp.MustCompile(`Error response from daemon: `)
)

// plain takes out of a row what every engine and run has otherwise.
func (r *table) plain(text string) string {
	text = anyPath.ReplaceAllString(anyName.ReplaceAllString(anyPort.ReplaceAllString(anyID.ReplaceAllString(text, "ID"), `"HostPort":"PORT"`), "BRIDGE"), "")
	for _, p := range r.subnets {
		if strings.HasPrefix(p.String(), "10.213.") || strings.HasPrefix(p.String(), "fd13:") {
			continue
		}
		at := p.Addr() // the engine's choice: only how far an address is from the subnet's own is compared
		text = strings.ReplaceAll(text, p.String(), "SUBNET")
		for i := range 16 {
			word := regexp.MustCompile(`\b` + regexp.QuoteMeta(at.String()) + `(/\d+)?\b`)
			text = word.ReplaceAllString(text, fmt.Sprint("SUBNET+", i))
			at = at.Next()
		}
		text = regexp.MustCompile(`"IPPrefixLen":\d+`).ReplaceAllString(text, `"IPPrefixLen":BITS`)
		text = regexp.MustCompile(`FREE4/\d+`).ReplaceAllString(text, "FREE4")
	}
	return strings.ReplaceAll(text, "\n", " ⏎ ")
}

// inside is what a process has: interfaces, addresses that last, default routes.
func (r *table) inside(pid int) string {
	ip := func(args ...string) string {
		out, err := exec.Command("nsenter", append([]string{"-n", "-t", fmt.Sprint(pid), "--", "ip"}, args...)...).Output()
		if err != nil {
			r.t.Fatalf("ip %v: %v", args, err)
		}
		return string(out)
	}
	var links []struct {
		Name  string `json:"ifname"`
		MTU   int    `json:"mtu"`
		Addrs []struct {
			Local  string `json:"local"`
			Length int    `json:"prefixlen"`
			Origin string `json:"protocol"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(ip("-j", "address", "show")), &links); err != nil {
		r.t.Fatal(err)
	}
	has := map[string][]string{}
	for _, l := range links {
		at := []string{fmt.Sprint("mtu ", l.MTU)}
		for _, a := range l.Addrs {
			if !strings.HasPrefix(a.Local, "fe80:") {
				at = append(at, fmt.Sprint(a.Local, "/", a.Length))
			}
		}
		slices.Sort(at)
		has[l.Name] = at
	}
	text := ""
	for _, name := range slices.Sorted(maps.Keys(has)) {
		text += fmt.Sprint(" ", name, has[name])
	}
	for _, family := range []string{"-4", "-6"} {
		fields := strings.Fields(ip(family, "route", "show", "default"))
		if i := slices.Index(fields, "dev"); i > 0 {
			fields = fields[:i+2]
		}
		text += " " + family + " " + strings.Join(fields, " ")
	}
	return text
}

func encode(t testing.TB, v any) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}
