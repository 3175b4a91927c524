package lifecycle_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/xcengine/xc/engine"
)

// linkedWorld has a database that runs and has two ports in a row, another port, and a variable.
func linkedWorld(t *testing.T) *world {
	w := newWorld(t)
	w.create("db", func(s *engine.Spec) {
		s.Hostname = "dbhost"
		s.Process.Env = []string{"MODE=fast", "PATH=/bin"}
		s.ExposedPorts = []engine.Port{{Number: 53, Proto: engine.UDP}, {Number: 5433, Proto: engine.TCP}, {Number: 5432, Proto: engine.TCP}}
	}, "sleep", "1000")
	return w
}

func linkTo(links ...string) func(*engine.Spec) {
	return func(s *engine.Spec) { s.Network.Links, s.Process.Env = links, []string{"STORE_NAME=own"} }
}

func (w *world) hosts(id engine.ContainerID) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, string(id), "hosts"))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func TestLinks(t *testing.T) { synctest.Test(t, testLinks) }

func testLinks(t *testing.T) {
	w := linkedWorld(t)
	w.create("web", linkTo("db:store"), "env")
	err := w.daemon.Start(context.Background(), "web")
	if err == nil || !strings.Contains(err.Error(), "Cannot link to a non running container: /db AS /web/store") {
		t.Errorf("start beside a stopped one: %v", err)
	}
	w.start("db")
	output := w.attach("web", nil)
	w.start("web")
	env := strings.Fields(output())
	for _, want := range []string{
		"STORE_PORT=tcp://172.17.0.2:5432", "STORE_PORT_5432_TCP=tcp://172.17.0.2:5432", "STORE_PORT_5432_TCP_ADDR=172.17.0.2", "STORE_PORT_5432_TCP_PORT=5432",
		"STORE_PORT_5432_TCP_PROTO=tcp", "STORE_PORT_5433_TCP=tcp://172.17.0.2:5433", "STORE_PORT_5432_TCP_START=tcp://172.17.0.2:5432", "STORE_PORT_5432_TCP_PORT_START=5432",
		"STORE_PORT_5432_TCP_END=tcp://172.17.0.2:5433", "STORE_PORT_5432_TCP_PORT_END=5433", "STORE_PORT_53_UDP=udp://172.17.0.2:53", "STORE_ENV_MODE=fast", "STORE_NAME=own",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s", want)
		}
	}
	if slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "STORE_ENV_PATH") }) {
		t.Error("the other one's PATH")
	}
	for links, want := range map[string]string{
		"nosuch:x": "could not get container for nosuch: No such container: nosuch",
		"near:x":   "host type networking can't be used with links",
	} {
		if links == "near:x" {
			w.create("near", func(s *engine.Spec) { s.Network.Mode = "host" }, "sleep", "1")
		}
		spec := engine.Spec{ImageRef: "box", Process: engine.ProcessSpec{Cmd: []string{"env"}}}
		linkTo(links)(&spec)
		if _, err := w.daemon.Create(context.Background(), engine.CreateRequest{Name: "other", Spec: spec}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", links, err)
		}
		spec.Network.Mode = "users" // there the resolver answers links, when they are asked for
		if _, err := w.daemon.Create(context.Background(), engine.CreateRequest{Name: "other", Spec: spec}); err != nil {
			t.Errorf("%s in a user's network: %v", links, err)
		}
		if err := w.daemon.Remove(context.Background(), "other", engine.RemoveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFilesFollow: hosts and resolv.conf follow the network of a container that runs, also over a restart of the daemon; what its
// user wrote into them stays until it starts again.
func TestFilesFollow(t *testing.T) { synctest.Test(t, testFilesFollow) }

func testFilesFollow(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	id := w.create("web", func(s *engine.Spec) { s.Hostname, s.Network.ExtraHosts = "webhost", []string{"far:192.0.2.1"} }, "sleep", "1000")
	w.start("web")
	file := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(w.dir, string(id), name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(w.dir, string(id), name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	connect := func(addr, server string) {
		t.Helper()
		w.nets.addr, w.nets.server = netip.MustParsePrefix(addr+"/16"), netip.MustParseAddr(server)
		if err := w.daemon.Connect(ctx, "users"+addr, "web", engine.EndpointSpec{}); err != nil {
			t.Fatal(err)
		}
	}
	connect("172.17.0.3", "192.0.2.3")
	if hosts, resolv := file("hosts"), file("resolv.conf"); strings.Contains(hosts, "172.17.0.2") || !strings.Contains(hosts, "172.17.0.3\twebhost\n") || resolv != "nameserver 192.0.2.3\n" {
		t.Errorf("untouched: hosts\n%sresolv.conf\n%s", hosts, resolv)
	}
	write("hosts", strings.Replace(file("hosts"), "192.0.2.1\tfar\n", "", 1)+"192.0.2.9\tmine")
	write("hostname", "other\n")
	write("resolv.conf", "search mine\n"+file("resolv.conf"))
	connect("172.17.0.4", "192.0.2.4")
	if got := file("resolv.conf"); got != "search mine\nnameserver 192.0.2.4\n" {
		t.Errorf("resolv.conf with a line of the user's\n%s", got)
	}
	write("resolv.conf", "nameserver 192.0.2.99\n")
	w.boot()
	connect("172.17.0.5", "192.0.2.5")
	hosts := file("hosts")
	for text, want := range map[string]bool{"172.17.0.3": false, "172.17.0.4": false, "172.17.0.5\twebhost\n": true, "192.0.2.9\tmine\n": true, "far": false, "127.0.0.1\tlocalhost\n": true} {
		if strings.Contains(hosts, text) != want {
			t.Errorf("%q: not %v in hosts\n%s", text, want, hosts)
		}
	}
	if hostname, resolv := file("hostname"), file("resolv.conf"); hostname != "other\n" || resolv != "nameserver 192.0.2.99\n" {
		t.Errorf("changed by the user, and then hostname %q, resolv.conf %q", hostname, resolv)
	}
	if err := w.daemon.Restart(ctx, "web", engine.StopOptions{Timeout: new(int)}); err != nil {
		t.Fatal(err)
	}
	if hosts, resolv := file("hosts"), file("resolv.conf"); strings.Contains(hosts, "mine") || !strings.Contains(hosts, "far") || resolv != "nameserver 192.0.2.5\n" {
		t.Errorf("after a restart: hosts\n%sresolv.conf\n%s", hosts, resolv)
	}
}

// TestLinksOfRenamed: a link leads to the container and not to its name, and ends with it, or when it is taken away.
func TestLinksOfRenamed(t *testing.T) { synctest.Test(t, testLinksOfRenamed) }

func testLinksOfRenamed(t *testing.T) {
	w := linkedWorld(t)
	w.start("db")
	id := w.create("web", linkTo("db:store", "db"), "sleep", "1000")
	w.start("web")
	shown := func() string {
		t.Helper()
		c, err := w.daemon.Inspect(context.Background(), "web")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(c.Spec.Network.Links, " ")
	}
	restarts := func() string {
		t.Helper()
		if err := w.daemon.Restart(context.Background(), "web", engine.StopOptions{Timeout: new(int)}); err != nil {
			t.Error(err)
		}
		return w.hosts(id)
	}
	if err := w.daemon.Rename(context.Background(), "db", "rows"); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if got := w.hosts(id); !strings.Contains(got, "172.17.0.2\tstore dbhost rows\n172.17.0.2\tdb dbhost rows\n") {
		t.Errorf("hosts\n%s", got)
	}
	if got := shown(); got != "rows:store rows:db" {
		t.Errorf("links %q", got)
	}
	list, err := w.daemon.List(context.Background(), engine.ContainerQuery{Names: []string{"^rows$"}})
	if err != nil || len(list) != 1 || strings.Join(list[0].LinkedAs, " ") != "web/db web/store" {
		t.Errorf("listed as %+v, %v", list, err)
	}
	if c, err := w.daemon.Inspect(context.Background(), "/web/store"); err != nil || c.Name != "rows" {
		t.Errorf("web/store is %q, %v", c.Name, err)
	}
	w.create("db", nil, "sleep", "1000") // another one under the former name
	if got := restarts(); !strings.Contains(got, "\tstore dbhost rows\n") {
		t.Errorf("hosts\n%s", got)
	}
	unlink := engine.RemoveOptions{Link: true}
	if err := w.daemon.Remove(context.Background(), "/web/store", unlink); err != nil {
		t.Error(err)
	}
	if got := w.hosts(id); strings.Contains(got, "store") || !strings.Contains(got, "\tdb dbhost rows\n") {
		t.Errorf("hosts\n%s", got)
	}
	for ref, want := range map[string]string{
		"web/store": "web/store", "nosuch/db": "nosuch/db", "nosuch": "nosuch", "rows": "Conflict, cannot remove the default link name of the container",
	} {
		if err := w.daemon.Remove(context.Background(), ref, unlink); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("unlink %s: %v", ref, err)
		}
	}
	if err := w.daemon.Remove(context.Background(), "rows", engine.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := restarts(); strings.Contains(got, "dbhost") || shown() != "" {
		t.Errorf("after the end of the linked one: links %q, hosts\n%s", shown(), got)
	}
}

// TestLinksFollow: who links to a container learns its address when it starts again, also after a restart of the daemon.
func TestLinksFollow(t *testing.T) { synctest.Test(t, testLinksFollow) }

func testLinksFollow(t *testing.T) {
	w := linkedWorld(t)
	w.start("db")
	id := w.create("web", linkTo("db:store"), "sleep", "1000")
	w.start("web")
	if got := w.hosts(id); !strings.Contains(got, "172.17.0.2\tstore dbhost db\n") {
		t.Errorf("hosts\n%s", got)
	}
	for i, addr := range []string{"172.17.0.7", "172.17.0.8"} {
		if i == 1 {
			w.boot()
		}
		w.nets.addr = netip.MustParsePrefix(addr + "/16")
		if err := w.daemon.Restart(context.Background(), "db", engine.StopOptions{Timeout: new(int)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.hosts(id); !strings.Contains(got, addr+"\tstore dbhost db\n") {
			t.Errorf("hosts\n%s", got)
		}
	}
}

// TestPortsAreLedAnew: a change of networks tells the shim where the published ports lead, also when the daemon is killed
// meanwhile.
func TestPortsAreLedAnew(t *testing.T) {
	for _, step := range []string{"", "connect.intent", "connect.attached"} {
		t.Run(step, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testPortsAreLedAnew(t, step) }) })
	}
}

func testPortsAreLedAnew(t *testing.T, killedAt string) {
	w := newWorld(t)
	id := w.create("web", nil, "sleep", "1000")
	w.start("web")
	w.nets.proxies = []engine.Proxy{{Proto: engine.TCP, Listen: netip.MustParseAddrPort("0.0.0.0:80"), Target: netip.MustParseAddrPort("10.0.0.9:80")}}
	w.fail = func(step string) {
		if step == killedAt {
			runtime.Goexit()
		}
	}
	go func() {
		if err := w.daemon.Connect(context.Background(), "more", "web", engine.EndpointSpec{}); err != nil {
			t.Error(err)
		}
	}()
	synctest.Wait()
	if killedAt != "" {
		w.boot()
		synctest.Wait()
	}
	if c := w.wantState("web", engine.StateRunning); len(c.Endpoints) != 2 || c.Endpoints["more"].ID == "" {
		t.Errorf("endpoints %+v", c.Endpoints)
	}
	if got := w.host.Forwarded(filepath.Join(w.dir, string(id))); len(got) != 1 || got[0].Target.String() != "10.0.0.9:80" {
		t.Errorf("forwarded: %+v", got)
	}
}

// TestNetGroup: members know each other by their hosts files, and learn who comes and goes. An image cannot join.
func TestNetGroup(t *testing.T) { synctest.Test(t, testNetGroup) }

func testNetGroup(t *testing.T) {
	w := newWorld(t)
	member := func(s *engine.Spec) { s.Labels = map[string]string{engine.LabelNetGroup: "bridge"} }
	a, b, c := w.create("ma", member, "sleep", "1000"), w.create("mb", member, "sleep", "1000"), w.create("mc", nil, "sleep", "1000")
	for i, name := range []string{"ma", "mb", "mc"} {
		w.nets.addr = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 2)}), 24)
		w.start(name)
	}
	check := func(when string, id engine.ContainerID, want ...string) {
		t.Helper()
		synctest.Wait()
		var got []string
		for line := range strings.Lines(w.hosts(id)) {
			if ip, name, _ := strings.Cut(strings.TrimSpace(line), "\t"); strings.HasPrefix(ip, "10.") && len(name) == 2 {
				got = append(got, ip+" "+name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	check("a", a, "10.0.0.2 ma", "10.0.0.3 mb")
	check("b", b, "10.0.0.2 ma", "10.0.0.3 mb")
	check("who is no member", c)
	if err := w.daemon.Stop(context.Background(), "mb", engine.StopOptions{Timeout: new(int)}); err != nil {
		t.Fatal(err)
	}
	check("after b left", a, "10.0.0.2 ma")
	w.boot()
	w.nets.addr = netip.MustParsePrefix("10.0.0.9/24")
	w.start("mb")
	check("after b came again", a, "10.0.0.2 ma", "10.0.0.9 mb")
}
