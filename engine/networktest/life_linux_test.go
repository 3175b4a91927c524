package networktest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
)

func TestLiveConnect(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	for _, name := range []string{"a", "b", "z"} {
		s.network(name)
	}
	db := s.run("db", on("b"))
	web := s.run("web", on("z"), publish(binding("", 8080, 80, engine.TCP)))
	s.events.take()
	connect := func(networks ...string) {
		t.Helper()
		checked, err := s.Check(t.Context(), web.Mode, on(networks...))
		if err != nil {
			t.Fatal(err)
		}
		web.Endpoints = checked
		if err := s.attach(web); err != nil {
			t.Fatal(err)
		}
	}
	s.reachesNot("before", web.Sandbox, "tcp", at4(db.addr4("b"), 80))
	connect("z", "b")
	s.reaches("connected", web.Sandbox, "tcp", at4(db.addr4("b"), 80), "db", web.addr4("b").String())
	same(t, "names", s.resolve(web, "db", "A"), "NOERROR "+db.addr4("b").String())
	same(t, "interfaces", []string{web.held.Endpoints["z"].Interface, web.held.Endpoints["b"].Interface}, "[eth0 eth1]")
	connect("b", "a")
	same(t, "interfaces", []string{web.held.Endpoints["a"].Interface, web.held.Endpoints["b"].Interface}, "[eth0 eth1]")
	s.reaches("the published port followed", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
	same(t, "ports", web.held.Ports, "[{{80 tcp} 0.0.0.0 8080} {{80 tcp} :: 8080}]")
	connect("a")
	s.reachesNot("disconnected", web.Sandbox, "tcp", at4(db.addr4("b"), 80))
	same(t, "names", s.resolve(web, "db", "A"), "SERVFAIL")
	connect("b")
	s.reaches("connected again", web.Sandbox, "tcp", at4(db.addr4("b"), 80), "db", web.addr4("b").String())
	id := web.Container.Short()
	same(t, "events", s.events.take(), []string{
		"connect b " + id, "disconnect z " + id, "connect a " + id, "disconnect b " + id, "disconnect a " + id, "connect b " + id,
	})
	s.detach(web)
	same(t, "events", s.events.take(), []string{"disconnect b " + id})
}

func TestRestartOfTheDaemon(t *testing.T) {
	s := newStack(t, ours)
	n := s.machine.Neighbour(t)
	s.network("front")
	web := s.run("web", on("front"), publish(binding("", 8080, 80, engine.TCP), binding("", 0, 80, engine.TCP)))
	random := web.held.Ports[2].HostPort
	mate, lost := s.run("mate", on("front")), s.run("lost", on("front"), publish(binding("", 8081, 80, engine.TCP)))
	rules := s.rulesOf()
	s.close() // as by kill -9: nothing was detached
	s.reaches("without a daemon", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
	s.reaches("without a daemon, loopback", engine.Sandbox{}, "tcp", "127.0.0.1:8080", "web", "")
	same(t, "names without a daemon", func() string {
		cmd := s.program(mate.Sandbox, "resolve", web.held.Endpoints["front"].Gateway4.String(), "web", "A")
		cmd.Stderr = nil
		out, _ := cmd.Output()
		return string(out)
	}(), "")
	run(t, "nft", "flush", "ruleset") // and the administrator was there
	s.start([]*instance{web, mate})
	s.reaches("after the restart", n.Box, "tcp", at4(n.Host4, 8080), "web", n.Addr4.String())
	s.reachesNot("the port of who ended meanwhile", n.Box, "tcp", at4(n.Host4, 8081))
	same(t, "names after the restart", s.resolve(mate, "web", "A"), "NOERROR "+web.addr4("front").String())
	same(t, "names of who ended meanwhile", s.resolve(mate, "lost", "A"), "SERVFAIL")
	if plugs := s.inventory().Plugs; len(plugs) != 2 {
		t.Errorf("%d plugs of 2: %+v", len(plugs), plugs)
	}
	if again := s.rulesOf(); strings.Count(again, "\n") >= strings.Count(rules, "\n")+1 || !strings.Contains(again, "8080") || strings.Contains(again, "8081") {
		t.Errorf("rules after the restart\n%s", again)
	}
	for _, port := range []uint16{8080, random} {
		fails(t, s.attach(s.wish("other", on("front"), publish(binding("", port, 80, engine.TCP)))), engine.Conflict, engine.ReasonPortTaken)
	}
	next := s.run("next", on("front"))
	for _, held := range []*instance{web, mate} {
		if next.addr4("front") == held.addr4("front") {
			t.Errorf("%s was handed out twice", next.addr4("front"))
		}
	}
	if next.addr4("front") == lost.addr4("front") {
		t.Errorf("%s was handed out again at once", next.addr4("front"))
	}
	s.detach(web)
	s.reachesNot("detached by the second daemon", n.Box, "tcp", at4(n.Host4, 8080))
	if plugs := s.inventory().Plugs; len(plugs) != 2 {
		t.Errorf("%d plugs of 2: %+v", len(plugs), plugs)
	}
}

// errKilled is what every driver says after the fuse has blown.
var errKilled = errors.New("the daemon was killed")

// fuse stands between the service and its drivers, and lets the n-th call be the last. after: that call is still made.
type fuse struct {
	mu    sync.Mutex
	left  int
	after bool
	calls []string
}

func (f *fuse) call(name string, do func() error) error {
	f.mu.Lock()
	f.left--
	left := f.left
	f.calls = append(f.calls, name)
	f.mu.Unlock()
	switch {
	case left > 0, left == 0 && f.after:
		err := do()
		if left == 0 {
			return errKilled
		}
		return err
	}
	return errKilled
}

type fusedPlumber struct {
	networks.Plumber
	*fuse
}

func (p fusedPlumber) EnsureNetwork(ctx context.Context, s engine.Segment) error {
	return p.call("EnsureNetwork", func() error { return p.Plumber.EnsureNetwork(ctx, s) })
}

func (p fusedPlumber) RemoveNetwork(ctx context.Context, s engine.Segment) error {
	return p.call("RemoveNetwork", func() error { return p.Plumber.RemoveNetwork(ctx, s) })
}

func (p fusedPlumber) Attach(ctx context.Context, w engine.Wiring) (got []engine.Plug, err error) {
	err = p.call("Attach", func() error { got, err = p.Plumber.Attach(ctx, w); return err })
	return got, err
}

func (p fusedPlumber) Detach(ctx context.Context, plugs []engine.Plug) error {
	return p.call("Detach", func() error { return p.Plumber.Detach(ctx, plugs) })
}

type fusedFirewall struct {
	networks.Firewall
	*fuse
}

func (f fusedFirewall) Apply(ctx context.Context, r engine.FirewallRules, assert bool) error {
	return f.call("Apply", func() error { return f.Firewall.Apply(ctx, r, assert) })
}

type fusedStore struct {
	networks.Store
	*fuse
}

func (s fusedStore) PutNetwork(ctx context.Context, n engine.Network) error {
	return s.call("PutNetwork", func() error { return s.Store.PutNetwork(ctx, n) })
}

func (s fusedStore) DeleteNetwork(ctx context.Context, id engine.NetworkID) error {
	return s.call("DeleteNetwork", func() error { return s.Store.DeleteNetwork(ctx, id) })
}

// TestKilledBetweenAnyTwoSteps kills the daemon before and after each call of a driver or of the store that an operation makes. The next
// daemon has what there was before the operation, or after it, and nothing else; and the same operation succeeds.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	const steps = 6 // more than any of the operations has
	operations := map[string]struct {
		prepare func(*stack) *instance
		do      func(*stack, *instance) error
	}{
		"create": {
			func(*stack) *instance { return nil },
			func(s *stack, _ *instance) error {
				_, _, err := s.Create(context.Background(), engine.NetworkRequest{Name: "front"})
				return err
			},
		},
		"remove": {
			func(s *stack) *instance { s.network("front"); return nil },
			func(s *stack, _ *instance) error { return s.Remove(context.Background(), "front") },
		},
		"attach": {
			func(s *stack) *instance {
				s.network("front")
				return s.wish("web", on("front", "bridge"), publish(binding("", 8080, 80, engine.TCP)))
			},
			func(s *stack, c *instance) error { return s.attach(c) },
		},
		"detach": {
			func(s *stack) *instance {
				s.network("front")
				c := s.wish("web", on("front", "bridge"), publish(binding("", 8080, 80, engine.TCP)))
				if err := s.attach(c); err != nil {
					s.Fatal(err)
				}
				return c
			},
			func(s *stack, c *instance) error { return s.Detach(context.Background(), c.Container) },
		},
	}
	for name, op := range operations {
		for i := range steps * 2 {
			step, after := i/2+1, i%2 == 1
			t.Run(fmt.Sprint(name, " ", step, " ", after), func(t *testing.T) {
				s := newStack(t, ours)
				c := op.prepare(s)
				f := &fuse{after: after}
				s.wrapped(f)
				var running []*instance
				if c != nil && c.held.Endpoints != nil {
					running = []*instance{c}
				}
				s.start(running)
				f.mu.Lock()
				f.left, f.calls = step, nil
				f.mu.Unlock()
				err := op.do(s, c)
				if calls := len(f.calls); err == nil && calls >= step {
					t.Errorf("succeeded though killed at %v", f.calls)
				}
				s.wrap = nil
				s.close()
				s.start(nil) // whatever it was, the container does not run
				s.clean(c)
			})
		}
	}
}

// TestKilledInConnect kills the daemon in the same way while it connects a container that runs, and while it disconnects it. The next
// daemon, told what the container held before, has that and nothing else; the same operation then succeeds.
func TestKilledInConnect(t *testing.T) {
	const steps = 4 // more than either has
	port := publish(binding("", 8080, 80, engine.TCP))
	for _, way := range []struct {
		name     string
		from, to map[string]engine.EndpointSpec
	}{
		{"connect", on("front"), on("front", "back")},
		{"disconnect", on("front", "back"), on("back")},
	} {
		for i := range steps * 2 {
			step, after := i/2+1, i%2 == 1
			t.Run(fmt.Sprint(way.name, " ", step, " ", after), func(t *testing.T) {
				s := newStack(t, ours)
				s.network("front")
				s.network("back")
				c := s.run("web", way.from, port)
				before := c.Attachment
				f := &fuse{after: after}
				s.wrapped(f)
				s.start([]*instance{c})
				f.mu.Lock()
				f.left, f.calls = step, nil
				f.mu.Unlock()
				var err error
				if c.Endpoints, err = s.Check(t.Context(), c.Mode, way.to); err != nil {
					t.Fatal(err)
				}
				wanted := c.Attachment
				err = s.attach(c)
				done := err == nil
				if calls := len(f.calls); done && calls >= step {
					t.Errorf("succeeded though killed at %v", f.calls)
				}
				if !done {
					c.Attachment = before
				}
				s.wrap = nil
				s.close()
				s.start([]*instance{c})
				s.holds(c)
				c.Attachment = wanted
				if err := s.attach(c); err != nil {
					t.Fatalf("again: %v", err)
				}
				s.holds(c)
				s.reaches("published", engine.Sandbox{}, "tcp", "127.0.0.1:8080", "web", "")
				s.detach(c)
				s.clean(c)
			})
		}
	}
}

// holds expects that the kernel has of containers what this one holds and nothing else.
func (s *stack) holds(c *instance) {
	s.Helper()
	inv := s.inventory()
	var networks []string
	for _, p := range inv.Plugs {
		networks = append(networks, p.Network.Short())
	}
	var held []string
	for _, e := range c.held.Endpoints {
		held = append(held, e.Network.Short())
	}
	slices.Sort(networks)
	slices.Sort(held)
	if !slices.Equal(networks, held) {
		s.Errorf("the kernel has plugs of %v, the container is in %v", networks, held)
	}
	inside := 0
	for name := range s.interfaces(c.Sandbox) {
		if name != "lo" {
			inside++
		}
	}
	if inside != len(held) {
		s.Errorf("%d interfaces inside, for %d networks", inside, len(held))
	}
}

// wrapped ends the daemon; the next one's calls go through the fuse.
func (s *stack) wrapped(f *fuse) {
	s.Helper()
	f.left = 1 << 30
	s.close()
	s.wrap = func(c *networks.Config) {
		c.Plumber, c.Firewall, c.Store = fusedPlumber{c.Plumber, f}, fusedFirewall{c.Firewall, f}, fusedStore{c.Store, f}
	}
}

// clean expects that nobody is attached anywhere, and that a container can be.
func (s *stack) clean(c *instance) {
	s.Helper()
	inv := s.inventory()
	all, err := s.List(s.Context(), engine.NetworkQuery{Drivers: []string{"bridge"}})
	if err != nil {
		s.Fatal(err)
	}
	if len(inv.Plugs) != 0 || len(inv.Segments) != len(all) {
		s.Errorf("%d networks, and in the kernel %+v", len(all), inv)
	}
	for _, d := range all {
		if len(d.Attached) != 0 {
			s.Errorf("%s has %+v", d.Name, d.Attached)
		}
	}
	if rules := s.rulesOf(); strings.Contains(rules, "8080") {
		s.Errorf("rules\n%s", rules)
	}
	if !slices.ContainsFunc(all, func(d engine.NetworkDetail) bool { return d.Name == "front" }) {
		s.network("front")
	}
	if c != nil {
		c.end()
	}
	again := s.wish("again", on("front", "bridge"), publish(binding("", 8080, 80, engine.TCP)))
	if err := s.attach(again); err != nil {
		s.Errorf("attach afterwards: %v", err)
	}
	s.detach(again)
	if err := s.Remove(s.Context(), "front"); err != nil {
		s.Errorf("remove afterwards: %v", err)
	}
}

// TestFailedStepIsUndone: as above, but the daemon lives on: a failing driver call takes the operation back.
func TestFailedStepIsUndone(t *testing.T) {
	s := newStack(t, ours)
	s.close()
	var fail string
	s.wrap = func(c *networks.Config) {
		once := func(name string) error {
			if fail == name {
				fail = ""
				return errors.New("no")
			}
			return nil
		}
		c.Plumber, c.Firewall = failingPlumber{c.Plumber, once}, failingFirewall{c.Firewall, once}
	}
	s.start(nil)
	s.network("front")
	before := s.rulesOf()
	first := netip.Addr{}
	for _, fail = range []string{"Attach", "Apply"} {
		c := s.wish("web", on("front"), publish(binding("", 8080, 80, engine.TCP)))
		if err := s.attach(c); err == nil {
			t.Fatalf("%s failed and nobody noticed", fail)
		}
		if inv := s.inventory(); len(inv.Plugs) != 0 {
			t.Errorf("left behind: %+v", inv.Plugs)
		}
		same(t, "rules", s.rulesOf(), before)
		if err := s.attach(c); err != nil {
			t.Fatalf("again: %v", err)
		}
		if first == c.addr4("front") {
			t.Errorf("address %s again", first)
		}
		first = c.addr4("front")
		s.detach(c)
	}
	fail = "EnsureNetwork"
	if _, _, err := s.Create(t.Context(), engine.NetworkRequest{Name: "back"}); err == nil {
		t.Error("network made without a bridge")
	}
	if _, err := s.Inspect(t.Context(), "back"); engine.KindOf(err) != engine.NotFound {
		t.Errorf("inspect: %v", err)
	}
	s.network("back")
}

type failingPlumber struct {
	networks.Plumber
	fails func(string) error
}

func (p failingPlumber) Attach(ctx context.Context, w engine.Wiring) ([]engine.Plug, error) {
	if err := p.fails("Attach"); err != nil {
		return nil, err
	}
	return p.Plumber.Attach(ctx, w)
}

func (p failingPlumber) EnsureNetwork(ctx context.Context, s engine.Segment) error {
	if err := p.fails("EnsureNetwork"); err != nil {
		return err
	}
	return p.Plumber.EnsureNetwork(ctx, s)
}

type failingFirewall struct {
	networks.Firewall
	fails func(string) error
}

func (f failingFirewall) Apply(ctx context.Context, r engine.FirewallRules, assert bool) error {
	if err := f.fails("Apply"); err != nil {
		return err
	}
	return f.Firewall.Apply(ctx, r, assert)
}
