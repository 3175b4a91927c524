package networks_test

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/networks"
	"github.com/xcengine/xc/engine/platform/fake"
)

// memory is a store that outlives a service.
type memory struct {
	mu       sync.Mutex
	networks map[engine.NetworkID]engine.Network
	cursors  map[engine.NetworkID]engine.PoolCursor
}

func (m *memory) PutNetwork(_ context.Context, n engine.Network) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.networks[n.ID] = n
	return nil
}

func (m *memory) DeleteNetwork(_ context.Context, id engine.NetworkID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.networks, id)
	return nil
}

func (m *memory) Networks(context.Context) ([]engine.Network, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.networks)), nil
}

func (m *memory) PutCursors(_ context.Context, all []engine.PoolCursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range all {
		m.cursors[c.Network] = c
	}
	return nil
}

func (m *memory) Cursors(context.Context) ([]engine.PoolCursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.cursors)), nil
}

type discard struct{}

func (discard) Publish(engine.Event) {}

// site is a host in memory and the service on it.
type site struct {
	*networks.Service
	t        *testing.T
	plumber  *fake.Plumber
	firewall *fake.Firewall
	cfg      networks.Config
}

func newSite(t *testing.T, change ...func(*networks.Config)) *site {
	t.Helper()
	s := &site{t: t, plumber: new(fake.Plumber), firewall: new(fake.Firewall)}
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 192.0.2.53\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.cfg = networks.Config{
		Owner: "0a1b2c3d", Store: &memory{networks: map[engine.NetworkID]engine.Network{}, cursors: map[engine.NetworkID]engine.PoolCursor{}},
		Plumber: s.plumber, Firewall: s.firewall, Events: discard{}, Log: slog.New(slog.DiscardHandler), ResolvConf: conf,
		FirstPort: 27000, LastPort: 27999,
	}
	for _, f := range change {
		f(&s.cfg)
	}
	s.restart()
	return s
}

func (s *site) restart() {
	s.t.Helper()
	if s.Service != nil {
		if err := s.Close(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
	service, err := networks.New(s.t.Context(), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := service.Recover(s.t.Context(), nil, nil); err != nil {
		s.t.Fatal(err)
	}
	s.Service = service
	s.t.Cleanup(func() { service.Close(context.Background()) })
}

func (s *site) make(req engine.NetworkRequest) engine.NetworkDetail {
	s.t.Helper()
	if _, _, err := s.Create(s.t.Context(), req); err != nil {
		s.t.Fatalf("create %s: %v", req.Name, err)
	}
	d, err := s.Inspect(s.t.Context(), req.Name)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// start attaches a container to networks.
func (s *site) start(name string, endpoints map[string]engine.EndpointSpec, change ...func(*engine.Attachment)) (engine.Attachment, engine.Attached) {
	s.t.Helper()
	a := engine.Attachment{Container: engine.ContainerID(engine.NewID()), Name: name, Sandbox: engine.Sandbox{NetNS: "/netns/" + name}, Mode: "bridge"}
	for _, f := range change {
		f(&a)
	}
	var err error
	if a.Endpoints, err = s.Check(s.t.Context(), a.Mode, endpoints); err != nil {
		s.t.Fatalf("check %s: %v", name, err)
	}
	got, err := s.Attach(s.t.Context(), a)
	if err != nil {
		s.t.Fatalf("attach %s: %v", name, err)
	}
	for _, p := range got.Proxies {
		if p.Listener != nil {
			p.Listener.Close()
		}
	}
	return a, got
}

func pool(subnet string, change ...func(*engine.Pool)) engine.Pool {
	p := engine.Pool{Subnet: netip.MustParsePrefix(subnet)}
	for _, f := range change {
		f(&p)
	}
	return p
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }
