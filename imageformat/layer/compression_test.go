package layer_test

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"

	. "github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

func TestDecompress(t *testing.T) {
	text := strings.Repeat("layers of text ", 10_000)
	streams := map[layer.Compression][]byte{layer.None: []byte(text)}
	for _, as := range []layer.Compression{layer.Gzip, layer.Zstd} {
		streams[as] = Compress([]byte(text), as)
	}
	for as, tool := range map[layer.Compression]string{layer.Bzip2: "bzip2", layer.Xz: "xz"} {
		cmd := exec.Command(tool, "-c")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.Output()
		if err != nil {
			t.Logf("%s is left out: %v", tool, err)
			continue
		}
		streams[as] = out
	}
	for as, raw := range streams {
		t.Run(string(as), func(t *testing.T) {
			r, is, err := layer.Decompress(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			if err != nil || is != as || string(got) != text {
				t.Errorf("%s, %d bytes, %v", is, len(got), err)
			}
		})
	}
}

func TestDecompressBounds(t *testing.T) {
	// The first block wants a dictionary of 1.5 GiB.
	huge := []byte{0xfd, '7', 'z', 'X', 'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46, 2, 0, 0x21, 1, 37, 0, 0, 0, 0, 0, 0, 0}
	if _, _, err := layer.Decompress(bytes.NewReader(huge)); err == nil || !strings.Contains(err.Error(), "dictionary") {
		t.Errorf("got %v", err)
	}
	for _, short := range []string{"", "\x1f", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd"} {
		r, _, err := layer.Decompress(strings.NewReader(short))
		if err != nil {
			continue
		}
		b, err := io.ReadAll(r)
		if err == nil && string(b) != short {
			t.Errorf("%q gave %q", short, b)
		}
	}
}

func TestCompressRefuses(t *testing.T) {
	if _, err := layer.Compress(io.Discard, layer.Xz); err == nil {
		t.Error("xz cannot be written")
	}
}
