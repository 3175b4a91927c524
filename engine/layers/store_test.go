package layers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/xcengine/xc/engine"
	"github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

// plain is a driver that keeps layers as directories, one for each tar, and roots as names. What matters here is the store
// above it; real drivers have their own suite.
type plain struct {
	dir    string
	traits Traits

	mu     sync.Mutex
	layers map[engine.LayerID]bool
	roots  map[engine.ContainerID]Chain
	fail   map[string]error
	calls  []string
}

func newPlain(t *testing.T, traits Traits) *plain {
	return &plain{dir: t.TempDir(), traits: traits, layers: map[engine.LayerID]bool{}, roots: map[engine.ContainerID]Chain{}, fail: map[string]error{}}
}

func (p *plain) call(name string) error {
	p.calls = append(p.calls, name)
	return p.fail[name]
}

func (p *plain) Name() string   { return "plain" }
func (p *plain) Traits() Traits { return p.traits }

func (p *plain) Recover(_ context.Context, ids []engine.LayerID, roots []engine.ContainerID) (Lost, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lost Lost
	for _, id := range ids {
		if !p.layers[id] {
			lost.Layers = append(lost.Layers, id)
		}
	}
	for id := range p.layers {
		if !slices.Contains(ids, id) {
			delete(p.layers, id)
		}
	}
	for _, id := range roots {
		if _, ok := p.roots[id]; !ok {
			lost.Roots = append(lost.Roots, id)
		}
	}
	return lost, p.call("recover")
}

func (p *plain) Stage(_ context.Context, id, parent engine.LayerID) (Stage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dir, err := os.MkdirTemp(p.dir, "stage-")
	return Stage{ID: id, Parent: parent, Dir: dir}, errors.Join(err, p.call("stage"))
}

func (p *plain) Commit(_ context.Context, s Stage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.call("commit"); err != nil {
		return err
	}
	p.layers[s.ID] = true
	return os.Rename(s.Dir, filepath.Join(p.dir, fileName(string(s.ID))))
}

func (p *plain) Abort(_ context.Context, s Stage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(os.RemoveAll(s.Dir), p.call("abort"))
}

func (p *plain) RemoveLayer(_ context.Context, id engine.LayerID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.layers, id)
	return p.call("remove layer")
}

func (p *plain) LayerChanges(_ context.Context, c Chain) (layer.Changes, func(), error) {
	dir := filepath.Join(p.dir, fileName(string(c[0])))
	return layer.TreeChanges("", dir, layer.TreeHints{}), func() {}, p.fail["changes"]
}

func (p *plain) LayerDirs(c Chain) []string {
	var dirs []string
	for _, id := range c {
		dirs = append(dirs, filepath.Join(p.dir, fileName(string(id))))
	}
	return dirs
}

func (p *plain) Describe(Chain) map[string]string { return map[string]string{} }
func (p *plain) Status() [][2]string              { return nil }

func (p *plain) DescribeRoot(RootSpec) map[string]string { return map[string]string{} }

func (p *plain) CreateRoot(_ context.Context, r RootSpec) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.call("create root"); err != nil {
		return err
	}
	p.roots[r.ID] = r.Chain
	return nil
}

func (p *plain) MountRoot(context.Context, RootSpec) (string, error) {
	return "/plain", p.call("mount root")
}

func (p *plain) UnmountRoot(context.Context, engine.ContainerID) error {
	return p.call("unmount root")
}

func (p *plain) RemoveRoot(_ context.Context, id engine.ContainerID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.call("remove root"); err != nil {
		return err
	}
	delete(p.roots, id)
	return nil
}

func (p *plain) RootUsage(context.Context, RootSpec) (int64, error) { return 5, nil }

func (p *plain) RootChanges(context.Context, RootSpec) (layer.Changes, func(), error) {
	return nil, nil, errors.New("not asked of this one")
}

func open(t *testing.T, d Driver, dir string) *Store {
	t.Helper()
	s, err := New(t.Context(), Config{Driver: d, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var (
	tarA = imagetest.Tar(imagetest.File("a", "1"))
	tarB = imagetest.Tar(imagetest.File("b", "22"))
)

const rootC = engine.ContainerID("cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc")

func apply(t *testing.T, s *Store, parent engine.LayerID, tar []byte) engine.LayerID {
	t.Helper()
	id, _, err := s.Layers().Apply(t.Context(), parent, digest.FromBytes(tar), bytes.NewReader(tar))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func needRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("layers hold files of other owners: extracting them takes root")
	}
}

// TestFailures: whatever fails in the driver, nothing half is seen, and the same works afterwards.
func TestFailures(t *testing.T) {
	needRoot(t)
	broken := errors.New("broken")
	for _, at := range []string{"stage", "commit"} {
		p := newPlain(t, Traits{})
		s := open(t, p, t.TempDir())
		p.fail[at] = broken
		_, _, err := s.Layers().Apply(t.Context(), "", digest.FromBytes(tarA), bytes.NewReader(tarA))
		if !errors.Is(err, broken) {
			t.Errorf("%s: got %v", at, err)
		}
		if all, _ := s.Layers().List(t.Context()); len(all) != 0 {
			t.Errorf("%s: layers %v", at, all)
		}
		delete(p.fail, at)
		apply(t, s, "", tarA)
	}
	p := newPlain(t, Traits{})
	s := open(t, p, t.TempDir())
	top := apply(t, s, "", tarA)
	p.fail["create root"] = broken
	if err := s.Roots().Create(t.Context(), rootC, top, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if all, _ := s.Roots().List(t.Context()); len(all) != 0 {
		t.Errorf("roots %v", all)
	}
	delete(p.fail, "create root")
	if err := s.Roots().Create(t.Context(), rootC, top, nil); err != nil {
		t.Error(err)
	}
	p.fail["remove root"] = broken
	if err := s.Roots().Remove(t.Context(), rootC); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if all, _ := s.Roots().List(t.Context()); len(all) != 1 {
		t.Error("a root that could not be removed is not listed")
	}
	p.fail["changes"] = broken
	if _, err := s.Layers().Diff(t.Context(), top); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	delete(p.fail, "remove root")
	if err := errors.Join(s.Roots().Remove(t.Context(), rootC), s.Layers().Remove(t.Context(), top)); err != nil {
		t.Errorf("a failed diff holds its layer: %v", err)
	}
}

// TestRecordThatCannotBeWritten leaves no layer that nobody knows.
func TestRecordThatCannotBeWritten(t *testing.T) {
	needRoot(t)
	p, dir := newPlain(t, Traits{}), t.TempDir()
	s := open(t, p, dir)
	if err := os.RemoveAll(filepath.Join(dir, "plain", "records", "layers")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Layers().Apply(t.Context(), "", digest.FromBytes(tarA), bytes.NewReader(tarA)); err == nil {
		t.Error("it was taken")
	}
	if len(p.layers) != 0 {
		t.Error("the layer stays")
	}
}

// TestAfterACrash: layers that were not synced in an earlier boot are dropped, but for those that roots stand on; what a
// crash made of records is no record.
func TestAfterACrash(t *testing.T) {
	needRoot(t)
	p, dir := newPlain(t, Traits{}), t.TempDir()
	s := open(t, p, dir)
	a := apply(t, s, "", tarA)
	b := apply(t, s, a, tarB)
	c := apply(t, s, "", tarB)
	if err := s.Roots().Create(t.Context(), rootC, c, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	records := filepath.Join(dir, "plain", "records", "layers")
	for _, id := range []engine.LayerID{a, c} {
		path := filepath.Join(records, fileName(string(id)))
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.ReplaceAll(raw, []byte(layer.Boot()), []byte("another"))
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, raw := range map[string]string{".new-x": "{}", "sha256-short": "{}", fileName(string(b)) + "0": "", strings.Repeat("f", 64): "{}"} {
		if err := os.WriteFile(filepath.Join(records, name), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, p, dir)
	all, err := s.Layers().List(t.Context())
	if diff := cmp.Diff([]engine.LayerID{c}, all); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if diff := cmp.Diff(map[engine.LayerID]bool{c: true}, p.layers); diff != "" {
		t.Error(diff)
	}
	if entries, _ := os.ReadDir(records); len(entries) != 1 {
		t.Errorf("records %v", entries)
	}
	if _, err := s.Roots().Mount(t.Context(), rootC); err != nil {
		t.Error(err)
	}
}

// TestSynced: some time after it was made, a layer does not depend on the boot any more; a durable driver's never does.
func TestSynced(t *testing.T) {
	needRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p, dir := newPlain(t, Traits{}), t.TempDir()
		s := open(t, p, dir)
		id := apply(t, s, "", tarA)
		path := filepath.Join(dir, "plain", "records", "layers", fileName(string(id)))
		says := func() bool {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return bytes.Contains(raw, []byte("boot"))
		}
		if !says() {
			t.Error("a new layer counts as synced")
		}
		time.Sleep(syncDelay + time.Second)
		synctest.Wait()
		if says() {
			t.Error("a layer was not synced")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		p.traits.Durable = true
		s = open(t, p, dir)
		other := apply(t, s, "", tarB)
		path = filepath.Join(dir, "plain", "records", "layers", fileName(string(other)))
		if says() {
			t.Error("a durable layer waits for the disk")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestChoose(t *testing.T) {
	works := func(name string) Candidate {
		return Candidate{name, func(context.Context) (Driver, error) { return newPlain(t, Traits{}), nil }}
	}
	fails := func(name string) Candidate {
		return Candidate{name, func(context.Context) (Driver, error) { return nil, errors.New(name + " is broken") }}
	}
	for _, c := range []struct {
		wanted string
		have   []Candidate
		err    string
		kind   engine.Kind
	}{
		{"", []Candidate{fails("zfs"), works("overlay")}, "", 0},
		{"overlay", []Candidate{fails("zfs"), works("overlay")}, "", 0},
		{"zfs", []Candidate{fails("zfs"), works("overlay")}, "zfs is broken", engine.Unavailable},
		{"", []Candidate{fails("zfs"), fails("copy")}, "copy is broken", engine.Unavailable},
		{"btrfs", []Candidate{works("copy")}, "no storage driver", engine.Invalid},
		{"", nil, "", engine.Unavailable},
	} {
		d, err := Choose(t.Context(), slog.New(slog.DiscardHandler), c.wanted, c.have...)
		if c.err == "" && c.kind == 0 {
			if err != nil || d == nil {
				t.Errorf("%q: got %v", c.wanted, err)
			}
			continue
		}
		if err == nil || engine.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: got %v", c.wanted, err)
		}
	}
}

func TestBounds(t *testing.T) {
	needRoot(t)
	s, err := New(t.Context(), Config{Driver: newPlain(t, Traits{}), Dir: t.TempDir(), MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, _, err = s.Layers().Apply(t.Context(), "", digest.FromBytes(tarA), bytes.NewReader(tarA))
	if engine.KindOf(err) != engine.TooLarge {
		t.Errorf("got %v", err)
	}
}

func TestDiffIsRead(t *testing.T) {
	needRoot(t)
	s := open(t, newPlain(t, Traits{}), t.TempDir())
	id := apply(t, s, "", tarA)
	r, err := s.Layers().Diff(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Layers().Remove(t.Context(), id); engine.KindOf(err) != engine.Conflict {
		t.Errorf("a layer that is being read was removed: %v", err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
	if err := errors.Join(r.Close(), r.Close(), s.Layers().Remove(t.Context(), id)); err != nil {
		t.Error(err)
	}
}
