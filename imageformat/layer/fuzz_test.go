package layer_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

// FuzzApply applies anything and looks whether something beside the root changed. What was applied without an error must
// come out again as a tar that can be applied.
func FuzzApply(f *testing.F) {
	for _, c := range applyCases {
		for _, l := range c.layers {
			if raw := Tar(l...); len(raw) < 64<<10 {
				f.Add(raw, false)
				f.Add(raw, true)
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, overlay bool) {
		stage := t.TempDir()
		root := filepath.Join(stage, "a", "root")
		if err := os.MkdirAll(root, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(stage, "precious"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		opts := layer.ApplyOptions{Overlay: overlay && os.Geteuid() == 0, MaxBytes: 1 << 20, MaxEntries: 1000}
		_, applyErr := layer.Apply(context.Background(), root, bytes.NewReader(raw), opts)
		var out bytes.Buffer
		changes := layer.TreeChanges("", root, layer.TreeHints{})
		if opts.Overlay {
			changes = layer.OverlayChanges(root, nil)
		}
		err := layer.WriteTar(context.Background(), &out, changes)
		if err == nil && applyErr == nil {
			_, err = layer.Apply(context.Background(), t.TempDir(), &out, layer.ApplyOptions{Overlay: opts.Overlay})
		}
		if err != nil && applyErr == nil {
			t.Errorf("what was applied cannot be written and applied again: %v", err)
		}
		if err := layer.Remove(filepath.Join(stage, "a")); err != nil {
			t.Error(err)
		}
		tree, err := Tree(stage, 0)
		if err != nil {
			t.Fatal(err)
		}
		delete(tree, ".")
		if diff := cmp.Diff(map[string]string{"precious": `file "x" 0600`}, tree); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzDecompress(f *testing.F) {
	for _, as := range []layer.Compression{layer.None, layer.Gzip, layer.Zstd} {
		f.Add(Compress([]byte("some text, some text, some text"), as))
	}
	f.Add([]byte("BZh91AY&SY\x00"))
	f.Add([]byte{0xfd, '7', 'z', 'X', 'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46, 2, 0, 0x21, 1, 0x16, 0, 0, 0, 0x74, 0x2f, 0xe5, 0xa3})
	f.Fuzz(func(_ *testing.T, raw []byte) {
		r, _, err := layer.Decompress(bytes.NewReader(raw))
		if err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, r, 1<<20)
		_ = r.Close()
	})
}
