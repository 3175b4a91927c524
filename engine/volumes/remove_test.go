package volumes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestRemove(t *testing.T) {
	w := newWorld(t)
	v := w.create(t, engine.VolumeRequest{Name: "data"})
	outside := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(v.Mountpoint, "link")); err != nil {
		t.Fatal(err)
	}
	w.users["data"] = []engine.Container{container("c1", engine.StateExited), container("c2", engine.StateCreated)}
	for _, force := range []bool{false, true} {
		err := w.Remove(t.Context(), "data", force)
		var e *engine.Error
		if !errors.As(err, &e) || e.Kind != engine.Conflict || e.Reason != engine.ReasonInUse || !slices.Equal(e.Args, []string{"c1", "c2"}) {
			t.Errorf("in use, force %v: %v", force, err)
		}
	}
	w.users["data"] = []engine.Container{container("c1", engine.StateRemoving)}
	if err := w.Remove(t.Context(), "data", false); err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Join(w.dir, "data")) || len(w.store.recs) != 0 || !exists(outside) {
		t.Error("something is left, or too much is gone")
	}
	if err := w.Remove(t.Context(), "data", false); !errors.Is(err, engine.NotFound) {
		t.Errorf("again: %v", err)
	}
	if err := w.Remove(t.Context(), "data", true); err != nil {
		t.Errorf("again by force: %v", err)
	}
	if diff := cmp.Diff([]string{"create data", "destroy data"}, w.events.got); diff != "" {
		t.Error(diff)
	}
}

// However far a removal came before the daemon was killed, the next daemon ends it.
func TestRemovalIsEndedAfterACrash(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t)
		w.create(t, engine.VolumeRequest{Name: "data"})
		w.store.failAt = w.store.writes + n
		err := w.Remove(t.Context(), "data", false)
		if err == nil {
			if n < 3 {
				t.Errorf("a removal of %d writes: nothing was tested", n-1)
			}
			return
		}
		begun := w.store.recs["data"].Removing
		w.reopen(t)
		_, err = w.Inspect(t.Context(), "data")
		switch {
		case !begun && (err != nil || !exists(filepath.Join(w.dir, "data/_data"))):
			t.Errorf("killed before write %d: nothing was begun, yet it is gone: %v", n, err)
		case begun && (!errors.Is(err, engine.NotFound) || exists(filepath.Join(w.dir, "data")) || len(w.store.recs) != 0):
			t.Errorf("killed before write %d: it was begun and not ended: %v", n, err)
		}
	}
}

func TestFailedRemovalCanBeRepeated(t *testing.T) {
	w := newWorld(t)
	w.create(t, engine.VolumeRequest{Name: "data"})
	w.store.failAt = w.store.writes + 2
	if err := w.Remove(t.Context(), "data", false); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	w.store.failAt = 0
	if _, err := w.Mount(t.Context(), "data", "c1"); !errors.Is(err, engine.Conflict) {
		t.Errorf("half a volume was mounted: %v", err)
	}
	if _, err := w.Inspect(t.Context(), "data"); err != nil {
		t.Errorf("it is not shown, so who should remove it again: %v", err)
	}
	v := w.create(t, engine.VolumeRequest{Name: "data", Labels: map[string]string{"new": ""}})
	if len(v.Labels) != 1 || !exists(v.Mountpoint) {
		t.Errorf("made anew: %+v", v)
	}
	if err := w.Remove(t.Context(), "data", false); err != nil {
		t.Fatal(err)
	}
}

func TestRemovalGoesOnWithoutItsCaller(t *testing.T) {
	w := newWorld(t)
	w.create(t, engine.VolumeRequest{Name: "data"})
	ctx, cancel := context.WithCancel(t.Context())
	release, err := w.locks.take(ctx, "data")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := w.Remove(ctx, "data", false); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting: %v", err)
	}
	release()
	rec, _ := w.lookup("data")
	if err := w.remove(ctx, rec); err != nil {
		t.Errorf("begun: %v", err)
	}
}

func TestMissingDirectoriesAreMade(t *testing.T) {
	w := newWorld(t)
	v := w.create(t, engine.VolumeRequest{Name: "data"})
	if err := os.RemoveAll(filepath.Join(w.dir, "data")); err != nil { // as if killed between record and directory
		t.Fatal(err)
	}
	w.reopen(t)
	if !exists(v.Mountpoint) {
		t.Error("the directory was not made")
	}
}

func TestPrune(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		q    engine.PruneQuery
		want []string
	}{
		"anonymous":       {engine.PruneQuery{}, []string{"anon", "anon_old"}},
		"all":             {engine.PruneQuery{All: true}, []string{"anon", "anon_old", "named"}},
		"label":           {engine.PruneQuery{All: true, Labels: []engine.LabelMatch{{Key: "keep", Value: "no", HasValue: true}}}, []string{"named"}},
		"not label":       {engine.PruneQuery{All: true, NotLabels: []engine.LabelMatch{{Key: "keep"}}}, []string{"anon", "anon_old"}},
		"until":           {engine.PruneQuery{Until: old.Add(time.Minute)}, []string{"anon_old"}},
		"label and other": {engine.PruneQuery{Labels: []engine.LabelMatch{{Key: "keep"}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for name, req := range map[string]engine.VolumeRequest{
				"anon": {Anonymous: true}, "anon_old": {Anonymous: true}, "anon_used": {Anonymous: true},
				"named": {Labels: map[string]string{"keep": "no"}}, "remote": {Anonymous: true, Options: map[string]string{"type": "tmpfs", "device": "tmpfs"}},
			} {
				req.Name = name
				v := w.create(t, req)
				if err := os.WriteFile(filepath.Join(v.Mountpoint, "f"), make([]byte, 10), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			rec := w.records["anon_old"]
			rec.Created = old
			w.records["anon_old"] = rec
			w.users["anon_used"] = []engine.Container{container("c1", engine.StateExited)}
			w.events.got = nil
			got, err := w.Prune(t.Context(), c.q)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(engine.PruneResult{Deleted: c.want, Reclaimed: int64(10 * len(c.want))}, got); diff != "" {
				t.Error(diff)
			}
			if n := len(w.events.got); n != len(c.want)+1 || w.events.got[n-1] != "prune" {
				t.Errorf("published %v", w.events.got)
			}
		})
	}
}

func TestPruneStopsAndRunsAlone(t *testing.T) {
	w := newWorld(t)
	w.create(t, engine.VolumeRequest{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := w.Prune(ctx, engine.PruneQuery{}); err != nil || len(got.Deleted) != 0 {
		t.Errorf("cancelled: %v, %v", got, err)
	}
	w.pruning.Store(true)
	if _, err := w.Prune(t.Context(), engine.PruneQuery{}); !errors.Is(err, engine.Conflict) {
		t.Errorf("a second one: %v", err)
	}
}
