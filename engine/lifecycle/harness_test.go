package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/engine/lifecycle"
	"github.com/xcengine/xc/engine/platform/fake"
)

// world is a host with what the services keep on it. Daemons come and go on it.
type world struct {
	t        *testing.T
	dir      string
	platform engine.Platform
	host     *fake.Host
	store    *memStore
	nets     *fakeNetworks
	volumes  *fakeVolumes
	events   *eventLog
	files    *fakeFiles
	daemon   *lifecycle.Service
	fail     func(step string)
	hold     bool
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, dir: t.TempDir(), platform: engine.Platform{OS: "linux", Architecture: "amd64"}, host: fake.NewHost(), store: &memStore{all: map[engine.ContainerID]engine.Container{}},
		nets: &fakeNetworks{held: map[engine.ContainerID]bool{}}, volumes: &fakeVolumes{all: map[string]bool{}, mounted: map[string]int{}}, events: &eventLog{}, files: &fakeFiles{},
	}
	t.Cleanup(func() {
		w.daemon.Close()
		w.host.Shutdown()
	})
	w.boot()
	return w
}

// boot starts a daemon on the world. The one before it is as killed: its goroutines are ended without a word.
func (w *world) boot() {
	w.t.Helper()
	if w.daemon != nil {
		w.daemon.Close()
	}
	w.fail = nil
	w.daemon = lifecycle.New(lifecycle.Config{
		Dir: w.dir, StateDir: filepath.Join(w.dir, "state"), Runtime: w.host.Runtime(), Shims: shims{w.host.Shims()}, Roots: w.host.Roots(), Images: fakeImages{}, Layers: fakeLayers{}, Networks: w.nets,
		Volumes: w.volumes, LogReader: fakeLogs{}, Files: w.files, Store: w.store, Events: w.events, Log: slog.New(slog.DiscardHandler),
		Platform: w.platform, Hold: w.hold,
		Failpoint: func(step string) {
			if w.fail != nil {
				w.fail(step)
			}
		},
	})
	if err := w.daemon.Recover(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(name string, edit func(*engine.Spec), args ...string) engine.ContainerID {
	w.t.Helper()
	spec := engine.Spec{ImageRef: "box", Process: engine.ProcessSpec{Cmd: args}}
	if edit != nil {
		edit(&spec)
	}
	res, err := w.daemon.Create(context.Background(), engine.CreateRequest{Name: name, Spec: spec})
	if err != nil {
		w.t.Fatalf("create %s: %v", name, err)
	}
	return res.ID
}

func (w *world) start(ref string) {
	w.t.Helper()
	if err := w.daemon.Start(context.Background(), ref); err != nil {
		w.t.Fatalf("start %s: %v", ref, err)
	}
}

func (w *world) inspect(ref string) engine.Container {
	w.t.Helper()
	c, err := w.daemon.Inspect(context.Background(), ref)
	if err != nil {
		w.t.Fatalf("inspect %s: %v", ref, err)
	}
	return c
}

func (w *world) wantState(ref string, want engine.State) engine.Container {
	w.t.Helper()
	c := w.inspect(ref)
	if c.Status.State != want || c.Status.Intent != engine.IntentNone {
		w.t.Fatalf("%s is %s with intent %q, want %s", ref, c.Status.State, c.Status.Intent, want)
	}
	return c
}

// wantNothing fails when anything but roots of known containers is left on the host.
func (w *world) wantClean(roots int) {
	w.t.Helper()
	left := w.host.Leftovers()
	left = append(left, w.nets.leftovers()...)
	left = append(left, w.volumes.leftovers()...)
	if len(left) != roots || slices.ContainsFunc(left, func(s string) bool { return s[:4] != "root" }) {
		w.t.Errorf("left on the host: %q, want %d roots alone", left, roots)
	}
}

func wantKind(t *testing.T, err error, kind engine.Kind, reason engine.Reason) {
	t.Helper()
	if err == nil || engine.KindOf(err) != kind || reason != "" && !engine.HasReason(err, reason) {
		t.Errorf("got %v (%v), want %v %v", err, engine.KindOf(err), kind, reason)
	}
}

// shims gives the fake's shims the type that lifecycle wants.
type shims struct{ *fake.Shims }

func (s shims) Start(ctx context.Context, sup engine.Supervision) (lifecycle.Shim, error) {
	c, err := s.Shims.Start(ctx, sup)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (s shims) Open(ctx context.Context, id engine.ContainerID, dir string) (lifecycle.Shim, error) {
	c, err := s.Shims.Open(ctx, id, dir)
	if err != nil {
		return nil, err
	}
	return c, nil
}

type memStore struct {
	mu   sync.Mutex
	all  map[engine.ContainerID]engine.Container
	fail error
}

func (m *memStore) PutContainer(_ context.Context, c engine.Container) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.all[c.ID] = c
	return nil
}

func (m *memStore) DeleteContainer(_ context.Context, id engine.ContainerID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, id)
	return nil
}

func (m *memStore) Containers(context.Context) ([]engine.Container, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.all)), nil
}

type fakeImages struct{}

func (fakeImages) Lookup(_ context.Context, ref string, _ *engine.Platform) (engine.Image, error) {
	if ref == "xc" || ref == string(xcImage().ID) {
		return xcImage(), nil
	}
	if ref != "box" && ref != "sha256:box" {
		return engine.Image{}, &engine.Error{Op: "find", Kind: engine.NotFound, Resource: engine.ResourceImage, ID: ref}
	}
	return engine.Image{
		ID: "sha256:box", Layers: []string{string(digest.FromString("box"))}, Platform: engine.Platform{OS: "linux", Architecture: "amd64"},
		Config: engine.ImageConfig{Process: engine.ProcessSpec{Cmd: []string{"true"}, Env: []string{"PATH=/bin", "A=image"}}, Labels: map[string]string{"from": "image", "both": "image"}},
	}, nil
}

// fakeFiles notes what directories are made, as "path in root".
type fakeFiles struct {
	lifecycle.FileAccess
	made []string
}

func (f *fakeFiles) MakeDir(_ context.Context, root engine.MountedRoot, path string) error {
	if path == "/file" {
		return errInjected
	}
	f.made = append(f.made, path+" in "+root.Path)
	return nil
}

type fakeNetworks struct {
	mu   sync.Mutex
	held map[engine.ContainerID]bool
	fail error
	// addr is what the next attachment gets, proxies what it publishes.
	addr    netip.Prefix
	proxies []engine.Proxy
	server  netip.Addr // what resolv.conf names; invalid: 192.0.2.53
}

func (n *fakeNetworks) Check(_ context.Context, mode engine.NetworkMode, eps map[string]engine.EndpointSpec) (map[string]engine.Endpoint, error) {
	out := map[string]engine.Endpoint{}
	for name, spec := range eps {
		out[name] = engine.Endpoint{Spec: spec, Network: engine.NetworkID("net-" + name)}
	}
	if len(out) == 0 {
		out["bridge"] = engine.Endpoint{Network: "net-bridge"}
	}
	return out, nil
}

func (n *fakeNetworks) CheckLabels(engine.NetworkMode, map[string]engine.Endpoint, map[string]string) error {
	return n.fail
}

func (n *fakeNetworks) Environment(a engine.Attachment) []string {
	if a.Labels[engine.LabelMainAddress] == "" {
		return nil
	}
	return []string{"XC_MAIN_IP=" + a.Endpoints["bridge"].IPv4.Addr().String()}
}

func (n *fakeNetworks) Attach(_ context.Context, a engine.Attachment) (engine.Attached, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return engine.Attached{}, n.fail
	}
	n.held[a.Container] = true
	res := engine.Attached{Endpoints: map[string]engine.Endpoint{}, Proxies: n.proxies}
	addr := n.addr
	if !addr.IsValid() {
		addr = netip.MustParsePrefix("172.17.0.2/16")
	}
	for name, e := range a.Endpoints {
		e.ID, e.IPv4 = engine.NewID(), addr
		res.Endpoints[name] = e
	}
	return res, nil
}

func (n *fakeNetworks) Detach(_ context.Context, id engine.ContainerID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.held, id)
	return nil
}

func (n *fakeNetworks) Recover(_ context.Context, running []engine.Attachment, _ map[engine.ContainerID]engine.Attached) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.held)
	for _, a := range running {
		n.held[a.Container] = true
	}
	return nil
}

func (n *fakeNetworks) Resolver(context.Context, engine.NetworkMode, map[string]engine.Endpoint) (engine.Resolver, error) {
	server := n.server
	if !server.IsValid() {
		server = netip.MustParseAddr("192.0.2.53")
	}
	return engine.Resolver{Servers: []netip.Addr{server}}, nil
}

func (n *fakeNetworks) leftovers() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for id := range n.held {
		all = append(all, "network "+id.Short())
	}
	return all
}

type fakeVolumes struct {
	mu      sync.Mutex
	all     map[string]bool
	mounted map[string]int
}

func (v *fakeVolumes) Ensure(_ context.Context, req engine.VolumeRequest) (engine.Volume, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all[req.Name] = req.Anonymous
	return engine.Volume{Name: req.Name, Driver: "local", Mountpoint: "/volumes/" + req.Name}, nil
}

func (v *fakeVolumes) Mount(_ context.Context, name string, user engine.ContainerID) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mounted[name+" "+string(user)] = 1
	return "/volumes/" + name, nil
}

func (v *fakeVolumes) Unmount(_ context.Context, name string, user engine.ContainerID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.mounted, name+" "+string(user))
	return nil
}

func (v *fakeVolumes) CopyUp(context.Context, string, string, string, string) error { return nil }

func (v *fakeVolumes) Remove(_ context.Context, name string, _ bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.all, name)
	return nil
}

func (v *fakeVolumes) Recover(_ context.Context, running []engine.ContainerID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.mounted, func(m string, _ int) bool {
		return !slices.ContainsFunc(running, func(id engine.ContainerID) bool { return strings.HasSuffix(m, " "+string(id)) })
	})
	return nil
}

func (v *fakeVolumes) leftovers() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []string
	for name, anonymous := range v.all {
		if anonymous {
			all = append(all, "volume "+name)
		}
	}
	for m := range v.mounted {
		all = append(all, "mounted "+m)
	}
	return all
}

type eventLog struct {
	mu  sync.Mutex
	all []engine.Event
}

func (l *eventLog) Publish(e engine.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
}

// take returns the actions since the last call.
func (l *eventLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var actions []string
	for _, e := range l.all {
		actions = append(actions, e.Action)
	}
	l.all = nil
	return actions
}

type fakeLogs struct{}

func (fakeLogs) Check(spec engine.LogSpec, c engine.Container) (engine.LogFile, error) {
	return engine.LogFile{Driver: spec.Driver, Path: c.LogPath}, nil
}

func (fakeLogs) Open(engine.LogFile, engine.LogQuery, <-chan struct{}) (lifecycle.LogRecords, error) {
	return noRecords{}, nil
}

type noRecords struct{}

func (noRecords) Read(context.Context, func(engine.LogRecord) error, func() error) error { return nil }
func (noRecords) Close() error                                                           { return nil }

// attach opens the streams and returns what was written to them when they end.
func (w *world) attach(ref string, stdin io.Reader) func() string {
	w.t.Helper()
	a, err := w.daemon.Attach(context.Background(), ref, engine.AttachOptions{Stdin: stdin != nil, Stdout: true, Stderr: true, Stream: true})
	if err != nil {
		w.t.Fatal(err)
	}
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- a.Run(context.Background(), engine.Stdio{Stdin: stdin, Stdout: &out, Stderr: &out}) }()
	return func() string {
		if err := <-done; err != nil {
			w.t.Errorf("attach: %v", err)
		}
		return out.String()
	}
}

var errInjected = errors.New("injected")
