package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xcengine/xc/imageformat/archive"
	"github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

func TestRoundTrip(t *testing.T) {
	img := imagetest.New(nil, imagetest.Tar(imagetest.File("a", "1")), imagetest.Tar(imagetest.File("b", "2")))
	raw := img.Archive("box:1", "box:2")
	for _, compression := range []layer.Compression{layer.None, layer.Gzip, layer.Zstd} {
		t.Run(string(compression), func(t *testing.T) {
			dir := t.TempDir()
			a, err := archive.Open(context.Background(), bytes.NewReader(imagetest.Compress(raw, compression)), dir, archive.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Images) != 1 {
				t.Fatalf("%d images", len(a.Images))
			}
			got := a.Images[0]
			if diff := cmp.Diff([]string{"box:1", "box:2"}, got.Names); diff != "" {
				t.Error(diff)
			}
			if !bytes.Equal(got.Manifest, img.Manifest) || !bytes.Equal(got.ConfigRaw, img.Config) {
				t.Error("manifest or config changed on the way")
			}
			for i, l := range got.Layers {
				b, err := os.ReadFile(l.Path)
				if err != nil || !bytes.Equal(b, img.Blobs[i]) || l.DiffID != img.DiffIDs[i] {
					t.Errorf("layer %d: %v", i, err)
				}
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("Close left %v", left)
			}
		})
	}
}

// What an image is made of has its time, as in dockerd's archives; the documents of the archive have none.
func TestTimesInAnArchive(t *testing.T) {
	x := imagetest.New(nil, imagetest.Tar(imagetest.File("a", "1"))).Export("x:1")
	x.Created = time.Date(2024, 9, 26, 21, 31, 42, 5000, time.UTC)
	var buf bytes.Buffer
	if err := archive.Write(t.Context(), &buf, []archive.Export{x}); err != nil {
		t.Fatal(err)
	}
	dated := 0
	r := tar.NewReader(&buf)
	for hdr, err := r.Next(); err == nil; hdr, err = r.Next() {
		switch {
		case hdr.ModTime.Equal(x.Created.Truncate(time.Second)) && strings.HasPrefix(hdr.Name, "blobs/sha256/"):
			dated++
		case hdr.ModTime.Unix() != 0:
			t.Errorf("%s is of %v", hdr.Name, hdr.ModTime)
		}
	}
	if want := 1 + len(x.Layers); dated != want {
		t.Errorf("%d files have the image's time, want %d", dated, want)
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	img := imagetest.New(nil, imagetest.Tar(imagetest.File("a", "1")))
	if !bytes.Equal(img.Archive("x:1", "y:2"), img.Archive("x:1", "y:2")) {
		t.Error("two archives of one image differ")
	}
	var names []string
	r := tar.NewReader(bytes.NewReader(img.Archive("x:1")))
	for hdr, err := r.Next(); err == nil; hdr, err = r.Next() {
		if len(hdr.Name) < 20 {
			names = append(names, hdr.Name)
		}
	}
	want := []string{"blobs/", "blobs/sha256/", "index.json", "manifest.json", "oci-layout", "repositories"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}
