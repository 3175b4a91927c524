package db

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xcengine/xc/engine"
)

func imageState(t *testing.T, d *DB) engine.ImageState {
	t.Helper()
	s, err := d.ImageState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(s.Images, func(a, b engine.ImageRecord) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return s
}

func TestImagesSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "xc.db")
	at := time.Date(2024, 1, 2, 3, 4, 5, 678, time.UTC)
	a := engine.ImageRecord{
		ID: "sha256:a", Config: []byte(`{"x":1}`), Added: at, LayerSizes: []int64{1, 2},
		Manifests: []engine.ManifestRecord{{Digest: "sha256:m", MediaType: "t", Index: "sha256:i"}},
	}
	b := engine.ImageRecord{ID: "sha256:b", Config: []byte(`{}`), Parent: "sha256:a", Added: at}
	name := engine.ImageName{Name: "docker.io/library/x:1", Platform: "linux/amd64", Image: a.ID, Set: at}
	blob := engine.BlobRecord{Digest: "sha256:l", DiffID: "sha256:d", MediaType: "t", Size: 7, Sources: []string{"docker.io/library/x"}}
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	change := engine.ImageChange{Put: []engine.ImageRecord{a, b}, PutNames: []engine.ImageName{name}, PutBlobs: []engine.BlobRecord{blob}}
	if err := d.ChangeImages(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, path)
	want := engine.ImageState{Images: []engine.ImageRecord{a, b}, Names: []engine.ImageName{name}, Blobs: []engine.BlobRecord{blob}}
	if diff := cmp.Diff(want, imageState(t, d), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}

	// A record that changes without its document keeps the document; a name moves; what goes takes its names along.
	noted := a
	noted.Config, noted.LastTagged = nil, at
	name.Image = b.ID
	change = engine.ImageChange{Put: []engine.ImageRecord{noted}, PutNames: []engine.ImageName{name}}
	if err := d.ChangeImages(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	noted.Config = a.Config
	got := imageState(t, d)
	if diff := cmp.Diff([]engine.ImageRecord{noted, b}, got.Images, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if err := d.ChangeImages(t.Context(), engine.ImageChange{Delete: []engine.ImageID{b.ID, "sha256:none"}, DeleteBlobs: []string{blob.Digest}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(engine.ImageState{Images: []engine.ImageRecord{noted}}, imageState(t, d), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestAnImageChangeHappensWhole(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "xc.db"))
	change := engine.ImageChange{
		Put:      []engine.ImageRecord{{ID: "sha256:a", Config: []byte("{}")}},
		PutNames: []engine.ImageName{{Name: "n", Platform: "p", Image: "sha256:unknown"}},
	}
	if err := d.ChangeImages(t.Context(), change); err == nil {
		t.Error("a name of no image was accepted")
	}
	if s := imageState(t, d); len(s.Images) != 0 {
		t.Errorf("half a change stayed: %+v", s)
	}
}
