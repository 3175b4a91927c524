package networktest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/db"
	"github.com/xcengine/xc/engine/networks"
)

// stack is the whole of a daemon's networks on this machine: service, store, plumber, packet filter.
type stack struct {
	*bench
	*networks.Service
	dir    string
	owner  engine.Owner
	events *eventList
	close  func() // the present daemon
	// wrap lets a test change what the service stands on.
	wrap func(*networks.Config)
	// conf is the host's resolv.conf.
	conf string
}

// instance is a container that runs: what lifecycle keeps of it.
type instance struct {
	engine.Attachment
	held    engine.Attached
	proxies []io.Closer
}

// end is the end of the container's shim.
func (c *instance) end() {
	for _, p := range c.proxies {
		p.Close()
	}
	c.proxies = nil
}

type eventList struct {
	mu  sync.Mutex
	all []string
}

func (l *eventList) Publish(e engine.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, strings.TrimSpace(e.Action+" "+e.Attributes["name"]+" "+engine.ContainerID(e.Attributes["container"]).Short()))
}

func (l *eventList) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

func newStack(t *testing.T, owner engine.Owner) *stack {
	t.Helper()
	s := &stack{bench: &bench{T: t, machine: machine(t)}, dir: t.TempDir(), owner: owner, events: &eventList{}}
	s.conf = filepath.Join(s.dir, "resolv.conf")
	if err := os.WriteFile(s.conf, []byte("nameserver 127.0.0.53\nsearch lan.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := linux{}.Interfaces(t)
	t.Cleanup(func() {
		s.close()
		p, f := openPlumber(t, owner), openFirewall(t, owner)
		for _, err := range []error{p.Cleanup(context.Background()), f.Cleanup(context.Background())} {
			if err != nil {
				t.Error(err)
			}
		}
		if after := (linux{}).Interfaces(t); strings.Join(after, " ") != strings.Join(before, " ") {
			t.Errorf("interfaces before %v, after %v", before, after)
		}
	})
	s.start(nil)
	return s
}

// start opens a daemon's networks on what an earlier one left, while these containers run.
func (s *stack) start(running []*instance) {
	s.Helper()
	store, err := db.Open(s.Context(), filepath.Join(s.dir, "xc.db"))
	if err != nil {
		s.Fatal(err)
	}
	s.plumber, s.filter = openPlumber(s.T, s.owner), openFirewall(s.T, s.owner)
	cfg := networks.Config{
		Owner: s.owner, Store: store, Plumber: s.plumber, Firewall: s.filter, Events: s.events, Log: logger(s.T),
		ResolvConf: s.conf, ResolvConfUpstream: filepath.Join(s.dir, "none"),
	}
	if s.wrap != nil {
		s.wrap(&cfg)
	}
	service, err := networks.New(s.Context(), cfg)
	if err != nil {
		s.Fatalf("new: %v", err)
	}
	var attachments []engine.Attachment
	held := make(map[engine.ContainerID]engine.Attached)
	for _, r := range running {
		attachments = append(attachments, r.Attachment)
		held[r.Container] = r.held
	}
	if err := service.Recover(s.Context(), attachments, held); err != nil {
		s.Errorf("recover: %v", err)
	}
	s.Service = service
	s.close = func() {
		if err := service.Close(context.Background()); err != nil {
			s.Errorf("close: %v", err)
		}
		store.Close()
	}
}

// network makes a user's network.
func (s *stack) network(name string, change ...func(*engine.NetworkRequest)) engine.NetworkDetail {
	s.Helper()
	req := engine.NetworkRequest{Name: name}
	for _, f := range change {
		f(&req)
	}
	if _, _, err := s.Create(s.Context(), req); err != nil {
		s.Fatalf("create network %s: %v", name, err)
	}
	d, err := s.Inspect(s.Context(), name)
	if err != nil {
		s.Fatal(err)
	}
	return d
}

// wish is a container before its start.
func (s *stack) wish(name string, endpoints map[string]engine.EndpointSpec, change ...func(*engine.Attachment)) *instance {
	s.Helper()
	c := &instance{Attachment: engine.Attachment{
		Container: engine.ContainerID(engine.NewID()), Name: name, Sandbox: s.machine.Sandbox(s.T), Mode: "bridge",
	}}
	c.Hostname = c.Container.Short()
	for first := range endpoints {
		c.Mode = engine.NetworkMode(first)
		break
	}
	for _, f := range change {
		f(&c.Attachment)
	}
	var err error
	if c.Endpoints, err = s.Check(s.Context(), c.Mode, endpoints); err != nil {
		s.Fatalf("check %s: %v", name, err)
	}
	return c
}

func (s *stack) attach(c *instance) error {
	got, err := s.Attach(s.Context(), c.Attachment)
	if err != nil {
		return err
	}
	s.Cleanup(c.end)
	for _, p := range got.Proxies {
		if p.Listener != nil {
			c.proxies = append(c.proxies, s.proxy(p))
			p.Listener.Close()
		}
	}
	got.Proxies = nil
	c.held, c.Endpoints = got, maps.Clone(got.Endpoints)
	return nil
}

// run starts a container on networks, with a web server named after it.
func (s *stack) run(name string, endpoints map[string]engine.EndpointSpec, change ...func(*engine.Attachment)) *instance {
	s.Helper()
	c := s.wish(name, endpoints, change...)
	if err := s.attach(c); err != nil {
		s.Fatalf("attach %s: %v", name, err)
	}
	s.serve(c.Sandbox, "tcp", ":80", name)
	return c
}

func (s *stack) detach(c *instance) {
	s.Helper()
	if err := s.Detach(s.Context(), c.Container); err != nil {
		s.Fatalf("detach %s: %v", c.Name, err)
	}
	c.end()
}

func on(names ...string) map[string]engine.EndpointSpec {
	m := make(map[string]engine.EndpointSpec)
	for _, n := range names {
		m[n] = engine.EndpointSpec{}
	}
	return m
}

func publish(bindings ...engine.PortBinding) func(*engine.Attachment) {
	return func(a *engine.Attachment) { a.Bindings = bindings }
}

func binding(host string, hostPort, port uint16, proto engine.Proto) engine.PortBinding {
	b := engine.PortBinding{Port: engine.Port{Number: port, Proto: proto}, HostFirst: hostPort}
	if host != "" {
		b.HostIP = netip.MustParseAddr(host)
	}
	return b
}

func (c *instance) addr4(network string) netip.Addr { return c.held.Endpoints[network].IPv4.Addr() }

// resolve asks the container's name server, as its resolv.conf has it.
func (s *stack) resolve(c *instance, name, kind string) string {
	s.Helper()
	r, err := s.Resolver(s.Context(), c.Mode, c.held.Endpoints)
	if err != nil || len(r.Servers) == 0 {
		s.Fatalf("resolver of %s: %+v, %v", c.Name, r, err)
	}
	out, err := s.program(c.Sandbox, "resolve", r.Servers[0].String(), name, kind).Output()
	if err != nil {
		return "no answer"
	}
	return string(out)
}

// proxy is what a shim does with a listener, as little as will do.
func (s *stack) proxy(p engine.Proxy) io.Closer {
	if p.Proto == engine.UDP {
		c, err := net.FilePacketConn(p.Listener)
		if err != nil {
			s.Fatal(err)
		}
		go proxyUDP(c, p.Target)
		return c
	}
	l, err := net.FileListener(p.Listener)
	if err != nil {
		s.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go proxyTCP(c, p.Target)
		}
	}()
	return l
}

func proxyTCP(c net.Conn, target netip.AddrPort) {
	defer c.Close()
	to, err := net.DialTimeout("tcp", target.String(), time.Second)
	if err != nil {
		return
	}
	defer to.Close()
	go io.Copy(to, c)
	io.Copy(c, to)
}

func proxyUDP(c net.PacketConn, target netip.AddrPort) {
	var b [1500]byte
	for {
		n, from, err := c.ReadFrom(b[:])
		if err != nil {
			return
		}
		to, err := net.Dial("udp", target.String())
		if err != nil {
			return
		}
		to.Write(b[:n])
		to.SetReadDeadline(time.Now().Add(time.Second))
		if n, err = to.Read(b[:]); err == nil {
			c.WriteTo(b[:n], from)
		}
		to.Close()
	}
}

func (s *stack) rulesOf() string {
	s.Helper()
	return run(s.T, "nft", "-n", "list", "table", "inet", "xc-"+string(s.owner))
}

func fails(t *testing.T, err error, kind engine.Kind, reason engine.Reason) {
	t.Helper()
	if engine.KindOf(err) != kind || !engine.HasReason(err, reason) && reason != engine.ReasonNone || err == nil {
		t.Errorf("got %v; want kind %v, reason %q", err, kind, reason)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}
