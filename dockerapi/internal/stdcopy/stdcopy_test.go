package stdcopy_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	docker "github.com/docker/docker/pkg/stdcopy"

	"github.com/xcengine/xc/dockerapi/internal/stdcopy"
)

// TestDockerReadsIt sends pieces of many sizes on both streams at once and has docker's own reader take them apart.
func TestDockerReadsIt(t *testing.T) {
	var wire bytes.Buffer
	mux := stdcopy.New(&wire)
	sizes := []int{0, 1, 7, 4095, 32 << 10, 32<<10 + 1, 1 << 20}
	want := map[stdcopy.Stream]string{}
	var wg sync.WaitGroup
	for id, char := range map[stdcopy.Stream]string{stdcopy.Stdout: "o", stdcopy.Stderr: "e"} {
		for _, n := range sizes {
			want[id] += strings.Repeat(char, n)
		}
		wg.Go(func() {
			w := mux.Stream(id)
			for _, n := range sizes {
				if got, err := w.Write([]byte(strings.Repeat(char, n))); got != n || err != nil {
					t.Errorf("wrote %d of %d, %v", got, n, err)
				}
			}
		})
	}
	wg.Wait()
	var out, errs strings.Builder
	if _, err := docker.StdCopy(&out, &errs, &wire); err != nil {
		t.Fatal(err)
	}
	if out.String() != want[stdcopy.Stdout] || errs.String() != want[stdcopy.Stderr] {
		t.Errorf("%d and %d bytes came through", out.Len(), errs.Len())
	}
}

// TestRecordedFrames writes what a recorded exec of dockerd 28.5.2 wrote (exec-stream.xxd).
func TestRecordedFrames(t *testing.T) {
	var wire bytes.Buffer
	mux := stdcopy.New(&wire)
	for id, text := range []string{1: "o\n", 2: "e\n"} {
		if text != "" {
			if _, err := io.WriteString(mux.Stream(stdcopy.Stream(id)), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := "\x01\x00\x00\x00\x00\x00\x00\x02o\n\x02\x00\x00\x00\x00\x00\x00\x02e\n"; wire.String() != want {
		t.Errorf("%q", wire.String())
	}
}

// failing takes so many bytes and then no more.
type failing struct{ room int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.room {
		n := f.room
		f.room = 0
		return n, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

func TestFailureCountsTheCallersBytes(t *testing.T) {
	for _, c := range []struct{ room, size, want int }{
		{4, 10, 0},                          // within the header
		{12, 10, 4},                         // within a short piece
		{8 + 100<<10, 200 << 10, 100 << 10}, // within a long one
	} {
		n, err := stdcopy.New(&failing{c.room}).Stream(stdcopy.Stdout).Write(make([]byte, c.size))
		if n != c.want || !errors.Is(err, errFull) {
			t.Errorf("room for %d: %d, %v", c.room, n, err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for name, size := range map[string]int{"line": 100, "block": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			w := stdcopy.New(io.Discard).Stream(stdcopy.Stdout)
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Write(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
