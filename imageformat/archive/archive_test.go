package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"testing"

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
