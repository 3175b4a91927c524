package volumes

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

var errKilled = errors.New("killed")

// memory is a store in memory. It can be made to fail from its n-th write on, as if the daemon were killed there.
type memory struct {
	mu     sync.Mutex
	recs   map[string]engine.VolumeRecord
	writes int
	failAt int    // 0: never
	then   func() // after a write
}

func (m *memory) write(f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes++; m.failAt > 0 && m.writes >= m.failAt {
		return errKilled
	}
	f()
	if m.then != nil {
		m.then()
	}
	return nil
}

func (m *memory) PutVolume(ctx context.Context, v engine.VolumeRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.write(func() { m.recs[v.Name] = v })
}

func (m *memory) DeleteVolume(_ context.Context, name string) error {
	return m.write(func() { delete(m.recs, name) })
}

func (m *memory) Volumes(context.Context) ([]engine.VolumeRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.recs)), nil
}

// containers are the users of volumes, by volume.
type containers map[string][]engine.Container

func (c containers) VolumeUsers(_ context.Context, name string) ([]engine.Container, error) {
	return c[name], nil
}

// mounts is a mounter that remembers.
type mounts struct {
	at   map[string]string // target → fsType,device,options
	fail error
}

func (m *mounts) Mount(_ context.Context, fsType, device, options, target string) error {
	if m.fail != nil {
		return m.fail
	}
	if _, twice := m.at[target]; twice {
		return errors.New("mounted twice")
	}
	m.at[target] = fsType + "," + device + "," + options
	return nil
}

func (m *mounts) Unmount(_ context.Context, target string) error {
	if m.fail != nil {
		return m.fail
	}
	delete(m.at, target)
	return nil
}

func (m *mounts) Mounted(_ context.Context, target string) (bool, error) {
	_, ok := m.at[target]
	return ok, nil
}

// events collects what was published.
type events struct {
	mu  sync.Mutex
	got []string
}

func (e *events) Publish(ev engine.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, strings.TrimSpace(ev.Action+" "+ev.ID))
}

// world is a service and everything around it, which outlives the service.
type world struct {
	*Service
	dir    string
	store  *memory
	users  containers
	mounts *mounts
	events *events
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		dir: filepath.Join(t.TempDir(), "volumes"), store: &memory{recs: map[string]engine.VolumeRecord{}},
		users: containers{}, mounts: &mounts{at: map[string]string{}}, events: &events{},
	}
	w.reopen(t)
	return w
}

// reopen starts a new service, as after a restart of the daemon.
func (w *world) reopen(t *testing.T) {
	t.Helper()
	w.store.failAt = 0
	s, err := Open(t.Context(), Config{
		Dir: w.dir, Store: w.store, Containers: w.users, Mounter: w.mounts, Events: w.events, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Service = s
}

func (w *world) create(t *testing.T, req engine.VolumeRequest) engine.Volume {
	t.Helper()
	v, err := w.Create(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func container(id string, state engine.State) engine.Container {
	return engine.Container{ID: engine.ContainerID(id), Status: engine.Status{State: state}}
}

func names(volumes []engine.Volume) []string {
	var out []string
	for _, v := range volumes {
		out = append(out, v.Name)
	}
	return out
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestCreate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	w := newWorld(t)
	v := w.create(t, engine.VolumeRequest{Name: "data", Labels: map[string]string{"a": "b"}})
	if v.Driver != "local" || v.Mountpoint != filepath.Join(w.dir, "data/_data") || v.Created.IsZero() || v.Anonymous || v.Options != nil {
		t.Errorf("made %+v", v)
	}
	for path, mode := range map[string]fs.FileMode{"data": 0o701, "data/_data": 0o755} {
		if info, err := os.Stat(filepath.Join(w.dir, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	again := w.create(t, engine.VolumeRequest{Name: "data", Labels: map[string]string{"c": "d"}})
	if diff := cmp.Diff(v, again); diff != "" {
		t.Errorf("made anew: %s", diff)
	}
	again.Labels["x"] = "y"
	if got, _ := w.Inspect(t.Context(), "data"); got.Labels["x"] != "" {
		t.Error("the caller can change what is kept")
	}
	if diff := cmp.Diff([]string{"create data"}, w.events.got); diff != "" {
		t.Error(diff)
	}
	w.reopen(t)
	if got, err := w.Inspect(t.Context(), "data"); err != nil || !cmp.Equal(got, v) {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
}

func TestAnonymous(t *testing.T) {
	w := newWorld(t)
	v := w.create(t, engine.VolumeRequest{})
	if len(v.Name) != 64 || !v.Anonymous || !cmp.Equal(v.Labels, map[string]string{"com.docker.volume.anonymous": ""}) {
		t.Errorf("made %+v", v)
	}
	v, err := w.Ensure(t.Context(), engine.VolumeRequest{Name: engine.NewID(), Anonymous: true})
	if err != nil || !v.Anonymous || len(v.Labels) != 1 {
		t.Errorf("made %+v, %v", v, err)
	}
	v = w.create(t, engine.VolumeRequest{Name: "named", Labels: map[string]string{"com.docker.volume.anonymous": ""}})
	if !v.Anonymous {
		t.Error("the label alone does not make it anonymous")
	}
}

func TestCreateRefuses(t *testing.T) {
	w := newWorld(t)
	opts := func(pairs ...string) engine.VolumeRequest {
		o := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			o[pairs[i]] = pairs[i+1]
		}
		return engine.VolumeRequest{Name: "vq", Options: o}
	}
	for want, req := range map[string]engine.VolumeRequest{
		"create x: volume name is too short, names should be at least two alphanumeric characters":                                                                                           {Name: "x"},
		`create a b: "a b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`:   {Name: "a b"},
		`create ../x: "../x" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`: {Name: "../x"},
		"create " + strings.Repeat("a", 300) + ": volume name is too long, it may have 255 characters":                                                                                       {Name: strings.Repeat("a", 300)},
		`create vq: invalid option: "foo"`:                                       opts("foo", "1"),
		`create vq: missing required option: "device"`:                           opts("type", "tmpfs"),
		`create vq: missing required option: "type"`:                             opts("device", "tmpfs"),
		"create vq: quota size requested but no quota support":                   opts("size", "1g"),
		"create vq: invalid size: 'zz'":                                          opts("size", "zz"),
		"create vq: port not allowed in CIFS device URL, include 'port' in 'o='": opts("type", "cifs", "device", "//s:445/x"),
	} {
		_, err := w.Create(t.Context(), req)
		var e *engine.Error
		if !errors.As(err, &e) || e.Kind != engine.Invalid || e.Err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	_, err := w.Create(t.Context(), engine.VolumeRequest{Name: "vq", Driver: "nope"})
	if !errors.Is(err, engine.NotFound) || !engine.HasReason(err, engine.ReasonDriverUnknown) {
		t.Errorf("unknown driver: %v", err)
	}
	if got, _ := w.List(t.Context(), engine.VolumeQuery{}); len(got) != 0 || len(w.store.recs) != 0 || len(w.events.got) != 0 {
		t.Errorf("left behind: %v %v %v", got, w.store.recs, w.events.got)
	}
	w.create(t, opts("size", "0"))
}

func TestFailedCreateLeavesNothing(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.dir, "vv"), nil, 0o600); err != nil { // in the way
		t.Fatal(err)
	}
	if _, err := w.Create(t.Context(), engine.VolumeRequest{Name: "vv"}); err == nil || engine.KindOf(err) != engine.Internal {
		t.Errorf("got %v", err)
	}
	w.store.failAt = w.store.writes + 1
	if _, err := w.Create(t.Context(), engine.VolumeRequest{Name: "ww"}); !errors.Is(err, errKilled) {
		t.Errorf("got %v", err)
	}
	if len(w.store.recs) != 0 || exists(filepath.Join(w.dir, "ww")) || len(w.events.got) != 0 {
		t.Errorf("left behind: %v %v", w.store.recs, w.events.got)
	}
}

func TestCreateAtOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := w.Create(t.Context(), engine.VolumeRequest{Name: "same"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff([]string{"create same"}, w.events.got); diff != "" {
		t.Error(diff)
	}
	if len(w.locks.names) != 0 {
		t.Error("locks are left")
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"web_data", "db_data", "cache"} {
		w.create(t, engine.VolumeRequest{Name: name, Labels: map[string]string{"app": name[:2], "all": ""}})
	}
	w.users["cache"] = []engine.Container{container("c1", engine.StateExited)}
	w.users["db_data"] = []engine.Container{container("c2", engine.StateRemoving)}
	yes, no := true, false
	label := func(k, v string) []engine.LabelMatch {
		return []engine.LabelMatch{{Key: k, Value: v, HasValue: v != ""}}
	}
	for name, c := range map[string]struct {
		q    engine.VolumeQuery
		want []string
	}{
		"all":             {engine.VolumeQuery{}, []string{"cache", "db_data", "web_data"}},
		"name":            {engine.VolumeQuery{Names: []string{"cache"}}, []string{"cache"}},
		"part of a name":  {engine.VolumeQuery{Names: []string{"data"}}, []string{"db_data", "web_data"}},
		"expression":      {engine.VolumeQuery{Names: []string{"^db", "^ca"}}, []string{"cache", "db_data"}},
		"bad expression":  {engine.VolumeQuery{Names: []string{"("}}, nil},
		"driver":          {engine.VolumeQuery{Drivers: []string{"x", "local"}}, []string{"cache", "db_data", "web_data"}},
		"other driver":    {engine.VolumeQuery{Drivers: []string{"x"}}, nil},
		"label":           {engine.VolumeQuery{Labels: label("app", "db")}, []string{"db_data"}},
		"label key":       {engine.VolumeQuery{Labels: label("all", "")}, []string{"cache", "db_data", "web_data"}},
		"labels add up":   {engine.VolumeQuery{Labels: slices.Concat(label("all", ""), label("app", "xx"))}, nil},
		"dangling":        {engine.VolumeQuery{Dangling: &yes}, []string{"db_data", "web_data"}},
		"not dangling":    {engine.VolumeQuery{Dangling: &no}, []string{"cache"}},
		"filters add up":  {engine.VolumeQuery{Dangling: &yes, Names: []string{"web"}}, []string{"web_data"}},
		"empty is a name": {engine.VolumeQuery{Names: []string{""}}, []string{"cache", "db_data", "web_data"}},
	} {
		got, err := w.List(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, names(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	v := w.create(t, engine.VolumeRequest{Name: "data"})
	w.create(t, engine.VolumeRequest{Name: "remote", Options: map[string]string{"type": "tmpfs", "device": "tmpfs"}})
	w.users["data"] = []engine.Container{container("c1", engine.StateExited), container("c2", engine.StateRunning)}
	if err := os.MkdirAll(filepath.Join(v.Mountpoint, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.Mountpoint, "sub/f"), make([]byte, 1000), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(v.Mountpoint, "sub/f"), filepath.Join(v.Mountpoint, "g")); err != nil {
		t.Fatal(err)
	}
	got, err := w.Usage(t.Context())
	if err != nil || len(got) != 1 || got[0].Name != "data" || got[0].Size != 1000 || got[0].RefCount != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Usage(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
