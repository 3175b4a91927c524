package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/xcengine/xc/imageformat/archive"
	"github.com/xcengine/xc/imageformat/imagetest"
)

// An archive names one large config many times: it is read once.
func TestOneConfigForManyImages(t *testing.T) {
	config := `{"comment":"` + strings.Repeat("x", 1<<20) + `","rootfs":{"type":"layers","diff_ids":[]}}`
	var items []map[string]any
	for range 5000 {
		items = append(items, map[string]any{"Config": "c", "Layers": []string{}})
	}
	manifest, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	raw := imagetest.Tar(imagetest.File("c", config), imagetest.File("manifest.json", string(manifest)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a, err := archive.Open(t.Context(), bytes.NewReader(raw), t.TempDir(), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; len(a.Images) != 5000 || got > 200 {
		t.Errorf("%d images, %d MiB", len(a.Images), got)
	}
}

// FuzzOpen makes an archive of two documents, each under the names that mean something, around one whole image, and opens it.
// Nothing may be made beside the archive's own directory, and that goes with it.
func FuzzOpen(f *testing.F) {
	img := imagetest.New(nil, imagetest.Tar(imagetest.File("a", "1")))
	docs := map[string]string{}
	whole := img.Archive("x:1")
	for r := tar.NewReader(bytes.NewReader(whole)); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		body, err := io.ReadAll(r)
		if err != nil {
			f.Fatal(err)
		}
		docs[h.Name] = string(body)
	}
	f.Add(docs["manifest.json"], docs["index.json"], string(img.Config), "blobs/sha256/"+img.ID().Encoded())
	f.Add("", docs["index.json"], string(img.Manifest), "blobs/sha256/"+img.Digest().Encoded())
	f.Add(`[{"Config":"../c","Layers":["../../x"]}]`, "", "{}", "../c")
	f.Fuzz(func(t *testing.T, manifest, index, document, name string) {
		entries := []imagetest.Entry{imagetest.File("blobs/sha256/"+img.ID().Encoded(), string(img.Config))}
		for i, b := range img.Blobs {
			entries = append(entries, imagetest.File("blobs/sha256/"+img.DiffIDs[i].Encoded(), string(b)))
		}
		if manifest != "" {
			entries = append(entries, imagetest.File("manifest.json", manifest))
		}
		if index != "" {
			entries = append(entries, imagetest.File("index.json", index))
		}
		var buf bytes.Buffer
		tw := tar.NewWriter(&buf)
		for _, e := range entries {
			if err := tw.WriteHeader(&e.Header); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(tw, e.Body); err != nil {
				t.Fatal(err)
			}
		}
		if tw.WriteHeader(&tar.Header{Name: name, Size: int64(len(document)), Mode: 0o644}) != nil {
			return // no tar can have such a name
		}
		if _, err := io.WriteString(tw, document); err != nil {
			t.Fatal(err)
		}
		if err := tw.Close(); err != nil {
			t.Fatal(err)
		}
		stage := t.TempDir()
		dir := filepath.Join(stage, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		a, err := archive.Open(context.Background(), &buf, dir, archive.Limits{Bytes: 1 << 20, Entries: 100})
		if err == nil {
			for _, i := range a.Images {
				if len(i.Layers) != len(i.ConfigFile.DiffIDs) {
					t.Errorf("%d layers, %d diff ids", len(i.Layers), len(i.ConfigFile.DiffIDs))
				}
			}
			err = a.Close()
			if err != nil {
				t.Error(err)
			}
		}
		left, _ := filepath.Glob(filepath.Join(stage, "*", "*"))
		beside, _ := os.ReadDir(stage)
		if len(left) != 0 || len(beside) != 1 {
			t.Errorf("left: %v %v", left, beside)
		}
	})
}
