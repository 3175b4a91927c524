package db

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/engine"
)

func TestVolumesSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "xc.db")
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	v := engine.VolumeRecord{
		Volume: engine.Volume{
			Name: "data", Driver: "local", Mountpoint: "/s/volumes/data/_data", Created: time.Now().UTC().Round(0),
			Labels: map[string]string{"a": "b"}, Options: map[string]string{"type": "tmpfs"},
		},
		CopyUp: engine.CopyUpDone, CopyPart: "part", Users: []engine.ContainerID{"c1"},
	}
	if err := d.PutVolume(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	v.Removing = true
	if err := d.PutVolume(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if err := d.PutVolume(t.Context(), engine.VolumeRecord{Volume: engine.Volume{Name: "gone"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.DeleteVolume(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, path).Volumes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]engine.VolumeRecord{v}, got); diff != "" {
		t.Error(diff)
	}
}
