package networktest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/xcengine/xc/engine"
)

// TestTwoHundredContainers puts two hundred containers with a published port each on a network, restarts the daemon, and takes them
// away. It tells (with -v) what one more start, one more published port and a name query cost beside few and beside many.
func TestTwoHundredContainers(t *testing.T) {
	if testing.Short() {
		t.Skip("makes two hundred containers")
	}
	s := newStack(t, ours)
	front := s.network("front")
	const n, part = 200, 20
	var took []time.Duration
	var all []*instance
	latency := map[int]time.Duration{}
	for i := range n {
		c := s.wish(fmt.Sprint("c", i), on("front"), publish(binding("", uint16(20000+i), 80, engine.TCP)))
		start := time.Now()
		if err := s.attach(c); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
		all = append(all, c)
		if i == part-1 {
			t.Logf("one more published port: beside %d %v", part, s.onePort(all[0], 30000))
		}
		if i == part-1 || i == n-1 {
			latency[i+1] = s.latency(front.Pools4[0].Gateway.String(), fmt.Sprint("c", i/2))
		}
	}
	// Other work on the machine makes it longer: the shortest counts.
	first, last := slices.Min(took[:part]), slices.Min(took[n-part:])
	t.Logf("attach with a published port: the first %d %v, the last of %d %v; name query: beside %d %v, beside %d %v", part, first, n, last, part, latency[part], n, latency[n])
	t.Logf("one more published port: beside %d %v", n, s.onePort(all[0], 31000))
	start := time.Now()
	s.close()
	s.start(all)
	t.Logf("a restarted daemon took %v to take up %d containers", time.Since(start), n)
	start = time.Now()
	var wait sync.WaitGroup
	for _, c := range all {
		wait.Go(func() {
			if err := s.Detach(t.Context(), c.Container); err != nil {
				t.Error(err)
			}
			c.end()
		})
	}
	wait.Wait()
	t.Logf("all detached at once in %v", time.Since(start))
	if plugs := s.inventory().Plugs; len(plugs) != 0 {
		t.Errorf("%d plugs left", len(plugs))
	}
}

// TestFiftyAtOnce attaches fifty containers at the same time.
func TestFiftyAtOnce(t *testing.T) {
	s := newStack(t, ours)
	s.network("front")
	const n = 50
	all := make([]*instance, n)
	for i := range all {
		all[i] = s.wish(fmt.Sprint("c", i), on("front"), publish(binding("", 0, 80, engine.TCP)))
	}
	start := time.Now()
	var wait sync.WaitGroup
	for _, c := range all {
		wait.Go(func() {
			if err := s.attach(c); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	t.Logf("%d attached at once in %v", n, time.Since(start))
	addrs, ports := map[string]bool{}, map[uint16]bool{}
	for _, c := range all {
		addrs[c.addr4("front").String()] = true
		ports[c.held.Ports[0].HostPort] = true
	}
	if len(addrs) != n || len(ports) != n {
		t.Errorf("%d addresses and %d ports for %d containers", len(addrs), len(ports), n)
	}
	for _, c := range all {
		s.detach(c)
	}
}

// onePort is the time that a container's further published port takes, of those from first on. The shortest counts.
func (s *stack) onePort(c *instance, first uint16) time.Duration {
	s.Helper()
	var took []time.Duration
	before := c.Bindings
	for i := range 60 {
		c.Bindings = append(slices.Clone(before), binding("", first+uint16(i), 81, engine.TCP))
		start := time.Now()
		if err := s.attach(c); err != nil {
			s.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	c.Bindings = before
	if err := s.attach(c); err != nil {
		s.Fatal(err)
	}
	return slices.Min(took)
}

// latency is the time of a name query by the host. Other work on the machine makes it longer, so the shortest counts.
func (s *stack) latency(server, name string) time.Duration {
	s.Helper()
	var took []time.Duration
	for range 200 {
		reply, rtt, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), server+":53")
		if err != nil || len(reply.Answer) != 1 {
			s.Fatalf("%s: %v, %v", name, reply, err)
		}
		took = append(took, rtt)
	}
	return slices.Min(took)
}
