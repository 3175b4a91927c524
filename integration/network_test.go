package integration

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
)

// freePort is a TCP port of the host that nobody holds now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestUserNetworks(t *testing.T) {
	e := start(t)
	e.must("network", "create", "front")
	e.must("network", "create", "--subnet", "10.213.7.0/24", "--ip-range", "10.213.7.128/25", "--label", "a=b", "back")
	e.must("run", "-d", "--name", "web", "--network", "front", "--network-alias", "site", "testbox", "httpd", ":80")
	e.must("run", "-d", "--name", "client", "--network", "front", "testbox", "sleep", "1000")
	for _, name := range []string{"web", "site", id12(e.must("inspect", "-f", "{{.Id}}", "web"))} {
		if got := e.must("exec", "client", "get", "http://"+name+"/"); !strings.HasPrefix(got, "hello from testbox\n") {
			t.Errorf("%s answers %q", name, got)
		}
	}
	e.must("network", "connect", "--ip", "10.213.7.200", "--alias", "db", "back", "web")
	if r := e.docker("exec", "client", "lookup", "db"); r.code == 0 {
		t.Errorf("an alias is known outside its network: %q", r.out)
	}
	e.must("network", "connect", "back", "client")
	if got := e.must("exec", "client", "lookup", "db"); got != "10.213.7.200" {
		t.Errorf("db is %q", got)
	}
	got := e.must("inspect", "-f", "{{.NetworkSettings.Networks.back.IPAddress}}", "client")
	if ip, err := netip.ParseAddr(got); err != nil || !netip.MustParsePrefix("10.213.7.128/25").Contains(ip) {
		t.Errorf("client has %q, outside the range", got)
	}
	e.fails(1, "network back has active endpoints", "network", "rm", "back")
	e.fails(1, "Address already in use", "network", "connect", "--ip", "10.213.7.200", "back", e.must("run", "-d", "--network", "front", "testbox", "sleep", "100"))
	e.must("network", "disconnect", "back", "client")
	e.must("network", "disconnect", "back", "web")
	if r := e.docker("exec", "client", "lookup", "db"); r.code == 0 {
		t.Errorf("an alias outlives its connection: %q", r.out)
	}
	if got := e.must("network", "prune", "-f", "--filter", "label=a"); !strings.Contains(got, "back") {
		t.Errorf("prune: %q", got)
	}
	e.fails(1, "bridge is a pre-defined network and cannot be removed", "network", "rm", "bridge")
}

// A container that was only created has no names in its networks but those in which it was connected since.
func TestNamesBeforeTheFirstStart(t *testing.T) {
	e := start(t)
	e.must("network", "create", "front")
	e.must("network", "create", "back")
	id := e.must("create", "--name", "first", "--network", "front", "testbox", "true")
	names := func(network, want string) {
		t.Helper()
		if got := e.must("inspect", "-f", "{{.NetworkSettings.Networks."+network+".DNSNames}}", id); got != want {
			t.Errorf("names in %s: %s, want %s", network, got, want)
		}
	}
	names("front", "[]")
	e.must("network", "connect", "--alias", "site", "back", "first")
	names("front", "[]")
	names("back", "[first site "+id12(id)+"]")
}

// Containers that share another's network go on when that one ends. What it gets at its next start is not theirs.
func TestSharedNetworkOutlivesItsOwner(t *testing.T) {
	e := start(t)
	e.must("run", "-d", "--name", "owner", "testbox", "httpd", ":80")
	e.must("run", "-d", "--name", "one", "--network", "container:owner", "testbox", "signals", "7")
	e.must("run", "-d", "--name", "two", "--network", "container:one", "testbox", "sleep", "100000")
	reaches := func(name string) bool { return e.docker("exec", name, "get", "http://127.0.0.1/").code == 0 }
	for _, name := range []string{"one", "two"} {
		eventually(t, "an answer to "+name, func() bool { return reaches(name) })
	}
	goOn := func(when string) {
		t.Helper()
		for _, name := range []string{"one", "two"} {
			if got := e.state(name); got != "running 0" {
				t.Errorf("%s, %s is %s", when, name, got)
			}
			if got := e.must("exec", name, "echo", "well"); got != "well" {
				t.Errorf("%s, an exec in %s gave %q", when, name, got)
			}
		}
	}
	eventually(t, "ready", func() bool { return strings.HasPrefix(e.must("logs", "one"), "ready") })
	e.must("stop", "-t", "0", "owner")
	goOn("after its owner's stop")
	if reaches("one") {
		t.Error("the owner's process answers after its stop")
	}
	e.must("start", "owner")
	eventually(t, "an answer to owner", func() bool { return reaches("owner") })
	e.must("restart", "-t", "0", "two") // it names one, which has not moved
	goOn("after its owner's second start")
	if reaches("one") {
		t.Error("the network of the owner's second start is one's too")
	}
	hosts := e.must("exec", "two", "cat", "/etc/hosts")
	e.kill(syscall.SIGKILL)
	e.boot()
	goOn("after a restart of the daemon")
	if got := e.must("cp", "two:/etc/hosts", "-"); !strings.Contains(got, hosts) {
		t.Errorf("two's hosts are %q, and outside\n%q", hosts, got)
	}
	e.must("rm", "-f", "owner")
	e.must("stop", "one")
	if got := e.state("one"); got != "exited 7" {
		t.Errorf("after its own stop, one is %s", got)
	}
}

// A container leaves the network "none", and then is in others; one of the host's network is in no other.
func TestLeavingNone(t *testing.T) {
	e := start(t)
	e.must("network", "create", "--subnet", "10.213.8.0/24", "front")
	e.must("run", "-d", "--name", "alone", "--network", "none", "testbox", "sleep", "1000")
	one := "container cannot be connected to multiple networks with one of the networks in private (none) mode"
	e.fails(1, one, "network", "connect", "front", "alone")
	e.must("network", "disconnect", "none", "alone")
	e.must("network", "connect", "front", "alone")
	for _, when := range []string{"connected", "restarted"} {
		if got, want := e.must("exec", "alone", "lookup", "alone"), e.must("inspect", "-f", "{{.NetworkSettings.Networks.front.IPAddress}}", "alone"); got != want {
			t.Errorf("%s: alone is %q, has %q", when, got, want)
		}
		e.must("restart", "-t", "0", "alone")
	}
	e.fails(1, one, "network", "connect", "none", "alone")
	e.must("network", "disconnect", "front", "alone")
	e.must("network", "connect", "none", "alone")
	if got := e.must("inspect", "-f", "{{json .NetworkSettings.Ports}}", "alone"); got != "{}" {
		t.Errorf("ports %s", got)
	}
	e.must("run", "-d", "--name", "wide", "--network", "host", "testbox", "sleep", "1000")
	e.fails(1, "container sharing network namespace with another container or host cannot be connected to any other network", "network", "connect", "front", "wide")
	e.fails(1, "cannot disconnect container from host network - container was created in host network mode", "network", "disconnect", "host", "wide")
	for _, addr := range []string{"10.213.8.0", "10.213.8.1", "10.213.8.255"} {
		e.fails(125, "failed to set up container networking: Address already in use", "run", "--rm", "--network", "front", "--ip", addr, "testbox")
	}
	e.fails(125, "failed to set up container networking: ", "run", "--rm", "--network", "front", "--mac-address", "01:00:00:00:00:08", "testbox")
}

func TestPublishedPorts(t *testing.T) {
	e := start(t)
	first, second, third := freePort(t), freePort(t), freePort(t)
	e.must("run", "-d", "--name", "web", "-p", first+":80", "-p", "127.0.0.1:"+second+":80", "-p", "[::1]:"+third+":80", "testbox", "httpd")
	e.must("run", "-d", "--name", "echo", "-p", "127.0.0.1::7/udp", "testbox", "udpecho", ":7")
	for _, at := range []string{"127.0.0.1:" + first, "[::1]:" + first, "127.0.0.1:" + second, "[::1]:" + third} {
		if got := httpGet(t, "http://"+at+"/x"); !strings.HasSuffix(got, "/x\n") {
			t.Errorf("%s answers %q", at, got)
		}
	}
	at := e.must("port", "echo", "7/udp")
	eventually(t, "an echo by UDP", func() bool {
		return e.docker("run", "--rm", "--network", "host", "testbox", "send", "udp", at, "hi").out == "hi"
	})
	e.fails(125, "Bind for 0.0.0.0:"+first+" failed: port is already allocated", "run", "--rm", "-p", first+":80", "testbox")
	e.must("run", "-d", "--name", "all", "--expose", "81-82", "-P", "testbox", "sleep", "100")
	if got := e.must("port", "all"); strings.Count(got, "\n") != 3 {
		t.Errorf("-P publishes %q", got)
	}
	e.must("stop", "-t", "0", "web")
	e.must("run", "--rm", "-p", first+":80", "testbox", "true")
	if got := e.must("port", "web"); got != "" {
		t.Errorf("a stopped container publishes %q", got)
	}
}

// A published port is reached from another machine, which sees its own address kept; one published on 127.0.0.1 is not.
func TestPublishedPortsFromOutside(t *testing.T) {
	e := start(t)
	other := outside(t, e.owner()[:4])
	open, closed := freePort(t), freePort(t)
	e.must("run", "-d", "--name", "web", "-p", open+":80", "-p", "127.0.0.1:"+closed+":80", "testbox", "httpd")
	get := func(port string) (string, error) {
		return other.get("http://" + net.JoinHostPort(other.host, port) + "/")
	}
	eventually(t, "an answer from outside", func() bool { out, _ := get(open); return strings.Contains(out, "from "+other.addr+"\n") })
	if out, err := get(closed); err == nil {
		t.Errorf("a port of 127.0.0.1 answers outside: %q", out)
	}
}

// machine is another machine, as far as a network stack of its own makes one.
type machine struct {
	addr, host string                           // its address, and this host's that it reaches
	get        func(url string) (string, error) // fetches a URL there, within a few seconds
}

// The addresses of other machines and of this host beside them.
const (
	outsideAddr = "198.18.77.2"
	besideAddr  = "198.18.77.1"
)
