package layer_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/xcengine/xc/imageformat/imagetest"
	"github.com/xcengine/xc/imageformat/layer"
)

// benchLayer is a layer of so many files; their sizes are spread as those of programs are, 25 KiB in the middle.
func benchLayer(files int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var entries []Entry
	body := make([]byte, 1<<20)
	for i := range body {
		body[i] = byte(r.IntN(64)) // so that it compresses as files do
	}
	for i := range files {
		if i%12 == 0 {
			entries = append(entries, Dir(fmt.Sprintf("usr/lib/d%d", i/12)))
		}
		size := min(int(r.ExpFloat64()*(25<<10)), len(body))
		entries = append(entries, File(fmt.Sprintf("usr/lib/d%d/file-%d.txt", i/12, i), string(body[len(body)-size:])))
	}
	return Tar(entries...)
}

// BenchmarkApply compares extraction with `tar -x` of the same file, in turn. XC_BENCH_FILES sets the number of files (20000
// make 500 MB), XC_BENCH_DIR where they are made. Removed files slow ext4 down for seconds, so all stays until the end.
func BenchmarkApply(b *testing.B) {
	needRoot(b)
	files, err := strconv.Atoi(os.Getenv("XC_BENCH_FILES"))
	if err != nil {
		files = 1000
	}
	dir := b.TempDir()
	if d := os.Getenv("XC_BENCH_DIR"); d != "" {
		dir = d
	}
	raw := benchLayer(files)
	archive := filepath.Join(dir, "layer.tar")
	if err := os.WriteFile(archive, raw, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	var ours, theirs time.Duration
	n := 0
	for b.Loop() {
		n++
		root := filepath.Join(dir, "x"+strconv.Itoa(n))
		other := filepath.Join(dir, "y"+strconv.Itoa(n))
		for _, d := range []string{root, other} {
			if err := os.Mkdir(d, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		start := time.Now()
		if _, err := layer.Apply(context.Background(), root, bytes.NewReader(raw), layer.ApplyOptions{Overlay: true}); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
		b.StopTimer()
		start = time.Now()
		if out, err := exec.Command("tar", "-C", other, "-xpf", archive).CombinedOutput(); err != nil {
			b.Skipf("tar: %v: %s", err, out)
		}
		theirs += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "of-tar's-time")
}
