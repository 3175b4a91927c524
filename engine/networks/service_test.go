package networks_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xcengine/xc/engine"
)

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

func TestFind(t *testing.T) {
	s := newSite(t)
	a := s.make(engine.NetworkRequest{Name: "one"})
	tricky := s.make(engine.NetworkRequest{Name: string(a.ID[:6])}) // a name that is also a prefix of an id
	for ref, want := range map[string]engine.NetworkID{"one": a.ID, string(a.ID): a.ID, string(a.ID[:9]): a.ID, string(a.ID[:6]): tricky.ID} {
		if d, err := s.Inspect(t.Context(), ref); err != nil || d.ID != want {
			t.Errorf("%s: %v, %v", ref, d.ID, err)
		}
	}
	for _, ref := range []string{"", "nosuch", "ONE"} {
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
